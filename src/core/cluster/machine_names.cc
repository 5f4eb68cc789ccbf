#include "core/cluster/machine.h"

namespace ha::cluster {

const char* name(State state) {
    switch (state) {
        case State::Stopped:
            return "stopped";
        case State::Waiting:
            return "waiting";
        case State::Alone:
            return "alone";
        case State::Primary:
            return "primary";
        case State::Secondary:
            return "secondary";
    }
    return "?";
}

const char* name(Readiness readiness) {
    switch (readiness) {
        case Readiness::Transient:
            return "transient";
        case Readiness::Ready:
            return "ready";
        case Readiness::Blocked:
            return "blocked";
    }
    return "?";
}

const char* name(Phase phase) {
    switch (phase) {
        case Phase::Stopped:
            return "stopped";
        case Phase::Opening:
            return "opening its mirror";
        case Phase::Waiting:
            return "waiting";
        case Phase::Rebuilding:
            return "resynchronising";
        case Phase::Secondary:
            return "secondary";
        case Phase::Leaving:
            return "leaving";
        case Phase::Sealing:
            return "taking over";
        case Phase::Promoting:
            return "starting";
        case Phase::Serving:
            return "serving";
        case Phase::StoppingUnits:
            return "stopping the application";
        case Phase::Draining:
            return "draining";
        case Phase::Withdrawing:
            return "withdrawing";
        case Phase::Ceding:
            return "ceding";
        case Phase::Together:
            return "stopping together";
        case Phase::Demoting:
            return "demoting";
        case Phase::Closing:
            return "closing";
    }
    return "?";
}

const char* name(const Event& event) {
    static constexpr std::array<const char*, std::variant_size_v<Event>> kNames{
        "StartRequested",
        "StopRequested",
        "SwapRequested",
        "PeerReported",
        "PeerSilent",
        "PeerOverdue",
        "DeadlinePassed",
        "MirrorOpened",
        "MirrorFailed",
        "MirrorServing",
        "StreamDown",
        "AcknowledgementsStalled",
        "PeerCopyFailed",
        "JoinReady",
        "ToldIn",
        "Sealed",
        "MadeDurable",
        "Drained",
        "FirstModification",
        "HeldFailed",
        "MirrorClosed",
        "AddressesHeld",
        "AddressesDropped",
        "UnitsStarted",
        "UnitsStopped",
        "UnitsGone",
        "UnitFailed",
        "PeerAhead",
        "RegisterShown",
        "WitnessLost",
        "WitnessConfigured",
        "RestartRequested",
        "LeaseExpired",
        "FailoverRequested",
        "AtBootRequested",
        "TargetAnswered",
        "AddressesProbed"};
    static_assert(kNames.back() != nullptr, "an event has no name");
    return kNames[event.index()];
}

}  // namespace ha::cluster
