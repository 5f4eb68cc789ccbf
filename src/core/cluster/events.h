#pragma once

#include <optional>
#include <string>
#include <variant>

#include "base/time.h"
#include "core/cluster/record.h"
#include "core/cluster/registered.h"

// What happens to the failover machine (past tense) and what it wants done (imperative).

namespace ha::cluster {

// ---- events
// ---------------------------------------------------------------------------------------

/// What an operator is shown before he overrules what the module knows (Machine::knowledge()), and
/// gives back with his order: he knew this, and no more.
struct Knowledge {
    Id128 decision;          // the newest one this node knows; none: it has no data of the module
    Id128 peer_decision;     // of the other node, by its last report; none: there is none
    bool peer_seen = false;  // and that report is its present view

    auto operator<=>(const Knowledge&) const = default;
};

/// Beside a plain start: `as_source`, the first word on whose data is right (R10); `force`, an
/// operator overrules what the module knows. Never both.
struct StartRequested {
    bool as_source = false;
    std::optional<Knowledge> force = std::nullopt;
};
struct StopRequested {
    bool all = false;       // both nodes stop together (R13)
    bool shutdown = false;  // the system or ha-cluster.target stops: start again at the next boot
};
struct SwapRequested {
    std::optional<Node> to = std::nullopt;         // who shall be primary; none: whoever is not
    std::optional<Instant> before = std::nullopt;  // given on the other node: refused from then on
};

/// The application, on the node that serves. `before`: as of a swap.
struct RestartRequested {
    std::optional<Instant> before = std::nullopt;
};

/// Automatic failover, on both nodes and for good.
struct FailoverRequested {
    bool automatic = true;
};
/// Whether the module starts when this node boots.
struct AtBootRequested {
    bool starts = true;
};

/// A report arrived, which is also evidence that the peer lives.
struct PeerReported {
    Report report;
};
/// No evidence of life for silent_after (or the peer counts as silent, see 2-safety); counted from
/// the beginning of this process if there never was any. Nothing else is silence.
struct PeerSilent {};
/// No evidence for take_after. Always after PeerSilent.
struct PeerOverdue {};
/// A ping target answered a probe that was sent then. Wanted while Machine::awaits_target(); may
/// come any number of times.
struct TargetAnswered {
    Instant sent{};
};
/// The peer's heartbeat shows a newer decision than ours that this node had no part in
/// (overtaken()).
struct PeerAhead {};
/// next_deadline() has passed.
struct DeadlinePassed {};

/// The witness answered: what its register of this module shows; none: it has no value. Comes when
/// the witness is reached, after each AskWitness, and whenever it is read again. Showing the
/// expected value proves nothing: an exchange may still arrive (R6).
struct RegisterShown {
    std::optional<Registered> value;
};
/// The witness does not answer any more, or refuses to.
struct WitnessLost {};
/// cluster.yaml names another witness now, or none. What was shown is of the one before.
struct WitnessConfigured {
    Id128 store;
};
/// The lease under which this node holds the module ran out (bounded()): the workers give up what
/// they hold, by themselves.
struct LeaseExpired {};

/// Answers and facts of the workers; the same names and meaning as in api/worker.h.
struct MirrorOpened {
    bool marker_valid = false;   // the module's own tree
    bool marker_absent = false;  // no marker at all: a tree no module ever owned
    std::string detail;
    bool serving = false;
    bool following = false;
    Id128 term;
    bool compared = false;             // with what a common stop noted of the trees
    bool untouched = true;             // nobody changed anything since
    bool never_stamped = false;        // this node never finished marking the trees
    std::optional<Progress> progress;  // none: nobody keeps it
};
struct MirrorFailed {
    std::string code;
    std::string text;
    bool lost = false;  // what was accepted may be gone
};
struct MirrorServing {
    Id128 term;
    Id128 decision;
};
struct StreamDown {
    Id128 term;
};
/// `here`: by this node's own disk, which answers nothing any more.
struct AcknowledgementsStalled {
    bool here = false;
    std::string text;
};
struct PeerCopyFailed {
    std::string text;
};
struct JoinReady {
    std::uint64_t token = 0;  // of the StartResync it answers
};
struct ToldIn {
    Decision decision;
};
struct Sealed {
    Epoch epoch;
};
struct MadeDurable {
    std::uint64_t token = 0;
};
struct Drained {};
struct FirstModification {
    Id128 decision;
};
struct HeldFailed {};
/// `durable`: whatever was written to the directories, be it by an earlier process, is on the disk.
struct MirrorClosed {
    bool durable = false;
};
struct AddressesHeld {};
struct AddressesDropped {};
struct AddressesProbed {
    std::uint64_t token = 0;  // of the ProbeAddresses it answers
    std::string taken;        // one that another machine answers for; empty: none
    std::string mac;          // that machine's
    bool asked = false;       // on a link that carries something; else silence means nothing
    std::string trouble;      // what could not be asked, and why
};
struct UnitsStarted {};
struct UnitsStopped {};
struct UnitsGone {};
struct UnitFailed {
    std::string unit;
    std::string result;
};

using Event =
    std::variant<StartRequested, StopRequested, SwapRequested, PeerReported, PeerSilent,
                 PeerOverdue, DeadlinePassed, MirrorOpened, MirrorFailed, MirrorServing, StreamDown,
                 AcknowledgementsStalled, PeerCopyFailed, JoinReady, ToldIn, Sealed, MadeDurable,
                 Drained, FirstModification, HeldFailed, MirrorClosed, AddressesHeld,
                 AddressesDropped, UnitsStarted, UnitsStopped, UnitsGone, UnitFailed, PeerAhead,
                 RegisterShown, WitnessLost, WitnessConfigured, RestartRequested, LeaseExpired,
                 FailoverRequested, AtBootRequested, TargetAnswered, AddressesProbed>;

const char* name(const Event& event);

// ---- effects
// -------------------------------------------------------------------------------------- Carried
// out in the order given. An effect after a Persist is not begun before the record is durable (file
// and directory synced); a Persist that fails ends the process.

struct Persist {
    Record record;
};
/// To the witness, if it can be reached: exchange the value `expected` for this one. Never repeated
/// by anybody but the machine, which learns by RegisterShown what became of it.
struct AskWitness {
    Id128 expected;  // none: no value yet
    Registered value;
};
struct SendReport {
    Report report;
};
struct OpenMirror {
    Id128 module_id;
};
struct ServeMirror {
    Epoch epoch;
    Id128 decision;
    Id128 term;
    bool peer_member = false;
};
struct FollowMirror {
    Epoch epoch;
    Id128 term;
    bool resync = false;
};
struct StartResync {
    std::uint64_t token = 0;
};
struct StopResync {};
struct TellIn {
    Decision decision;
};
struct SealMirror {
    Epoch epoch;
};
/// `hold`: from the moment the flush begins nothing more is acknowledged, until ServeMirror or
/// ResumeMirror (R3, flush first: the outcome is open).
struct MakeDurable {
    std::uint64_t token = 0;
    bool hold = false;
};
struct DrainMirror {};
struct ResumeMirror {};
struct AllowAcknowledge {
    Id128 decision;
};
struct FailHeld {};
struct HoldMirror {};
struct CloseMirror {};
struct HoldAddresses {};
struct DropAddresses {};
/// Whether another machine has one of them, which are not here.
struct ProbeAddresses {
    std::uint64_t token = 0;
};
struct StartUnits {};
struct StopUnits {};
struct KillUnits {};
/// To the operator whose command is being handled: it was refused, and why.
struct Refuse {
    std::string code;
    std::string text;
};
/// For the journal and `hamirrorctl events`; not for decisions.
struct Tell {
    std::string code;
    std::string text;
};

using Effect =
    std::variant<Persist, AskWitness, SendReport, OpenMirror, ServeMirror, FollowMirror,
                 StartResync, StopResync, TellIn, SealMirror, MakeDurable, DrainMirror,
                 ResumeMirror, AllowAcknowledge, FailHeld, HoldMirror, CloseMirror, HoldAddresses,
                 DropAddresses, ProbeAddresses, StartUnits, StopUnits, KillUnits, Refuse, Tell>;

}  // namespace ha::cluster
