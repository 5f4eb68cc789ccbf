#include "describe.h"

namespace ha::sim {

using namespace cluster;

namespace {

std::string brief(const Id128& id) {
    return id.none() ? "-" : id.text().substr(0, 4);
}

std::string brief(const Report& report) {
    static constexpr const char* kActivities[] = {"stopped",    "opening",   "waiting",
                                                  "rebuilding", "following", "sealing",
                                                  "serving",    "ceding",    "leaving"};
    std::string text = "#" + std::to_string(report.serial) + " ";
    text += kActivities[static_cast<std::size_t>(report.activity)];
    text += " " + report.state + "/" + report.readiness;
    if (!report.reason_code.empty()) text += "(" + report.reason_code + ")";
    if (!report.chain.empty()) text += " head " + describe(report.chain.head().decision);
    if (report.outdated) text += " outdated";
    if (report.power_lost) text += " power-lost";
    if (!report.stopped_together.none()) text += " together=" + brief(report.stopped_together);
    if (!report.stopping_together.none()) text += " stopping=" + brief(report.stopping_together);
    if (report.ceding) text += " ceding " + describe(*report.ceding);
    if (report.proposal) text += " proposes " + describe(*report.proposal);
    if (report.leaving) text += " leaving";
    if (report.keeps_copy) text += " keeps-copy";
    text += " term " + brief(report.term) + " attempt " + std::to_string(report.attempt);
    return text;
}

std::string brief(const Record& record) {
    std::string text = record.chain.empty() ? "unborn" : describe(record.chain.head().decision);
    if (!record.chain.empty() && record.chain.head().used) text += " used";
    if (record.outdated) text += " outdated";
    if (record.power_lost) text += " power-lost";
    if (record.ceding) text += " ceding " + describe(*record.ceding);
    if (record.exchange) text += " asked " + describe(record.exchange->decision);
    if (!record.stopped_together.none()) text += " together=" + brief(record.stopped_together);
    if (record.wanted) text += " wanted";
    if (!record.open_boot.none()) text += " open";
    return text;
}

struct EventDetail {
    std::string operator()(const PeerReported& event) const { return brief(event.report); }
    std::string operator()(const StartRequested& event) const {
        return event.as_source ? "as-source" : event.force ? "force" : "";
    }
    std::string operator()(const StopRequested& event) const {
        return std::string(event.all ? "all " : "") + (event.shutdown ? "shutdown" : "");
    }
    std::string operator()(const SwapRequested& event) const {
        return std::string(!event.to                 ? ""
                           : event.to == Node::First ? "to A"
                                                     : "to B") +
               (event.before ? " from the peer" : "");
    }
    std::string operator()(const FailoverRequested& event) const {
        return event.automatic ? "on" : "off";
    }
    std::string operator()(const AtBootRequested& event) const {
        return event.starts ? "yes" : "no";
    }
    std::string operator()(const RestartRequested& event) const {
        return event.before ? "from the peer" : "";
    }
    std::string operator()(const MirrorOpened& event) const {
        return std::string(event.marker_valid    ? "valid"
                           : event.marker_absent ? "absent"
                                                 : "foreign") +
               (event.serving     ? " serving "
                : event.following ? " following "
                                  : " ") +
               brief(event.term);
    }
    std::string operator()(const RegisterShown& event) const {
        return event.value ? describe(event.value->decision) : "nothing";
    }
    std::string operator()(const MirrorFailed& event) const { return event.code; }
    std::string operator()(const MirrorServing& event) const {
        return brief(event.decision) + " term " + brief(event.term);
    }
    std::string operator()(const StreamDown& event) const { return "term " + brief(event.term); }
    std::string operator()(const ToldIn& event) const { return describe(event.decision); }
    std::string operator()(const MirrorClosed& event) const {
        return event.durable ? "durable" : "not durable";
    }
    std::string operator()(const AcknowledgementsStalled& event) const {
        return event.here ? "here" : "";
    }
    std::string operator()(const Sealed& event) const { return std::to_string(event.epoch.value); }
    std::string operator()(const MadeDurable& event) const { return std::to_string(event.token); }
    std::string operator()(const AddressesProbed& event) const {
        return !event.taken.empty() ? "taken" : event.asked ? "free" : "not asked";
    }
    std::string operator()(const FirstModification& event) const { return brief(event.decision); }
    template <typename Other>
    std::string operator()(const Other&) const {
        return "";
    }
};

struct EffectText {
    std::string operator()(const Persist& effect) const {
        return "Persist " + brief(effect.record);
    }
    std::string operator()(const AskWitness& effect) const {
        return "AskWitness " + brief(effect.expected) + " -> " + describe(effect.value.decision);
    }
    std::string operator()(const SendReport& effect) const {
        return "SendReport " + brief(effect.report);
    }
    std::string operator()(const OpenMirror&) const { return "OpenMirror"; }
    std::string operator()(const ServeMirror& effect) const {
        return "ServeMirror " + std::to_string(effect.epoch.value) + ":" + brief(effect.decision) +
               " term " + brief(effect.term) + (effect.peer_member ? " with peer" : " alone");
    }
    std::string operator()(const FollowMirror& effect) const {
        return "FollowMirror " + std::to_string(effect.epoch.value) + " term " +
               brief(effect.term) + (effect.resync ? " resync" : "");
    }
    std::string operator()(const StartResync&) const { return "StartResync"; }
    std::string operator()(const StopResync&) const { return "StopResync"; }
    std::string operator()(const TellIn& effect) const {
        return "TellIn " + describe(effect.decision);
    }
    std::string operator()(const SealMirror& effect) const {
        return "SealMirror " + std::to_string(effect.epoch.value);
    }
    std::string operator()(const MakeDurable& effect) const {
        return "MakeDurable " + std::to_string(effect.token) + (effect.hold ? " hold" : "");
    }
    std::string operator()(const DrainMirror&) const { return "DrainMirror"; }
    std::string operator()(const ResumeMirror&) const { return "ResumeMirror"; }
    std::string operator()(const AllowAcknowledge& effect) const {
        return "AllowAcknowledge " + brief(effect.decision);
    }
    std::string operator()(const FailHeld&) const { return "FailHeld"; }
    std::string operator()(const HoldMirror&) const { return "HoldMirror"; }
    std::string operator()(const CloseMirror&) const { return "CloseMirror"; }
    std::string operator()(const HoldAddresses&) const { return "HoldAddresses"; }
    std::string operator()(const DropAddresses&) const { return "DropAddresses"; }
    std::string operator()(const ProbeAddresses&) const { return "ProbeAddresses"; }
    std::string operator()(const StartUnits&) const { return "StartUnits"; }
    std::string operator()(const StopUnits&) const { return "StopUnits"; }
    std::string operator()(const KillUnits&) const { return "KillUnits"; }
    std::string operator()(const Refuse& effect) const { return "Refuse " + effect.code; }
    std::string operator()(const Tell& effect) const {
        return "Tell " + effect.code + ": " + effect.text;
    }
};

}  // namespace

std::string describe(const Decision& decision) {
    std::string members = decision.in_sync.first ? "A" : "";
    if (decision.in_sync.second) members += "B";
    return std::to_string(decision.number.value) + ":" + brief(decision.id) + "(" +
           name(decision.cause) + " " + (decision.primary == Node::First ? "A" : "B") + " {" +
           members + "})";
}

std::string describe(const Event& event) {
    std::string detail = std::visit(EventDetail{}, event);
    return name(event) + (detail.empty() ? "" : " " + detail);
}

std::string describe(const Effect& effect) {
    return std::visit(EffectText{}, effect);
}

}  // namespace ha::sim
