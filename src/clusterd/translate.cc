#include "clusterd/translate.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/bytes.h"
#include "core/cluster/codec.h"
#include "core/config/values.h"
#include "io/log.h"

namespace ha::clusterd {
namespace {

using api::WorkerKind;

std::string to_hex(const std::vector<std::byte>& bytes) {
    static constexpr char kDigits[] = "0123456789abcdef";
    std::string text;
    for (std::byte b : bytes) {
        text += kDigits[std::to_integer<unsigned>(b) >> 4];
        text += kDigits[std::to_integer<unsigned>(b) & 15];
    }
    return text;
}

std::optional<std::vector<std::byte>> from_hex(const std::string& text) {
    auto digit = [](char c) { return c >= 'a' ? c - 'a' + 10 : c - '0'; };
    if (text.size() % 2 != 0) return std::nullopt;
    std::vector<std::byte> bytes;
    for (std::size_t i = 0; i < text.size(); i += 2) {
        int value = digit(text[i]) * 16 + digit(text[i + 1]);
        if (value < 0 || value > 255) return std::nullopt;
        bytes.push_back(static_cast<std::byte>(value));
    }
    return bytes;
}

/// Turns one effect into one order.
struct ToOrder {
    const config::ModuleConfig& module;
    Id128 module_id;

    using Answer = std::optional<Addressed>;
    static Answer mirror(api::Order order) { return Addressed{WorkerKind::Replicator, order}; }

    Answer operator()(const cluster::ServeMirror& e) const {
        auto peer = e.peer_member ? api::ServeMirror::Peer::Member : api::ServeMirror::Peer::Absent;
        return mirror(api::ServeMirror{module_id, e.epoch, e.decision, e.term, peer});
    }
    Answer operator()(const cluster::FollowMirror& e) const {
        return mirror(api::FollowMirror{module_id, e.epoch, e.term, e.resync});
    }
    Answer operator()(const cluster::StartResync& e) const {
        return mirror(api::StartResync{e.token});
    }
    Answer operator()(const cluster::StopResync&) const { return mirror(api::StopResync{}); }
    Answer operator()(const cluster::TellIn& e) const {
        return mirror(
            api::TellIn{to_hex(cluster::encode(e.decision)), e.decision.number, e.decision.id});
    }
    Answer operator()(const cluster::SealMirror& e) const {
        return mirror(api::SealMirror{e.epoch});
    }
    Answer operator()(const cluster::MakeDurable& e) const {
        return mirror(api::MakeDurable{e.token, e.hold});
    }
    Answer operator()(const cluster::DrainMirror&) const { return mirror(api::DrainMirror{}); }
    Answer operator()(const cluster::ResumeMirror&) const { return mirror(api::ResumeMirror{}); }
    Answer operator()(const cluster::AllowAcknowledge& e) const {
        return mirror(api::AllowAcknowledge{e.decision});
    }
    Answer operator()(const cluster::FailHeld&) const { return mirror(api::FailHeld{}); }
    Answer operator()(const cluster::HoldMirror&) const { return mirror(api::HoldMirror{}); }
    Answer operator()(const cluster::HoldAddresses&) const {
        return Addressed{WorkerKind::Vip, api::HoldAddresses{module.name, module.virtual_ips}};
    }
    Answer operator()(const cluster::DropAddresses&) const {
        return Addressed{WorkerKind::Vip, api::DropAddresses{module.name}};
    }
    Answer operator()(const cluster::ProbeAddresses& e) const {
        return Addressed{WorkerKind::Vip,
                         api::ProbeAddresses{module.name, e.token, module.virtual_ips}};
    }
    Answer operator()(const cluster::StartUnits&) const {
        return Addressed{WorkerKind::Watchdog, api::StartUnits{module.name, module.units}};
    }
    Answer operator()(const cluster::StopUnits&) const {
        return Addressed{WorkerKind::Watchdog, api::StopUnits{module.name, module.units}};
    }
    Answer operator()(const cluster::KillUnits&) const {
        return Addressed{WorkerKind::Watchdog, api::KillUnits{module.name, module.units}};
    }
    template <typename Other>
    Answer operator()(const Other&) const {
        return std::nullopt;  // not one order: module.cc sees to it
    }
};

struct ToEvent {
    using Answer = std::optional<cluster::Event>;

    Answer operator()(const api::MirrorOpened& f) const {
        return cluster::MirrorOpened{f.marker == api::Marker::Valid,
                                     f.marker == api::Marker::Absent,
                                     f.detail,
                                     f.serving,
                                     f.following,
                                     f.term,
                                     f.compared,
                                     f.untouched,
                                     f.never_stamped,
                                     cluster::Progress{f.progress, f.peer_progress}};
    }
    Answer operator()(const api::MirrorFailed& f) const {
        return cluster::MirrorFailed{f.code, f.text};
    }
    Answer operator()(const api::LocalCopyFailed& f) const {
        return cluster::MirrorFailed{f.code, f.text, f.lost};
    }
    Answer operator()(const api::MirrorServing& f) const {
        return cluster::MirrorServing{f.term, f.decision};
    }
    Answer operator()(const api::StreamDown& f) const { return cluster::StreamDown{f.term}; }
    Answer operator()(const api::AcknowledgementsStalled& f) const {
        return cluster::AcknowledgementsStalled{f.here, f.text};
    }
    Answer operator()(const api::PeerCopyFailed& f) const {
        return cluster::PeerCopyFailed{f.text};
    }
    Answer operator()(const api::JoinReady& f) const { return cluster::JoinReady{f.token}; }
    Answer operator()(const api::ToldIn& f) const {
        auto bytes = from_hex(f.decision);
        auto decision = bytes ? cluster::decode_decision(*bytes)
                              : Result<cluster::Decision>(fail("it is not hexadecimal"));
        if (decision) return cluster::ToldIn{*decision};
        io::log(io::Level::Error, "A word of the primary on the mirror stream cannot be read: " +
                                      decision.error().text);
        return std::nullopt;
    }
    Answer operator()(const api::Sealed& f) const { return cluster::Sealed{f.epoch}; }
    Answer operator()(const api::MadeDurable& f) const { return cluster::MadeDurable{f.token}; }
    Answer operator()(const api::Drained&) const { return cluster::Drained{}; }
    Answer operator()(const api::FirstModification& f) const {
        return cluster::FirstModification{f.decision};
    }
    Answer operator()(const api::HeldFailed&) const { return cluster::HeldFailed{}; }
    Answer operator()(const api::MirrorClosed& f) const { return cluster::MirrorClosed{f.durable}; }
    Answer operator()(const api::AddressesHeld&) const { return cluster::AddressesHeld{}; }
    Answer operator()(const api::AddressesDropped&) const { return cluster::AddressesDropped{}; }
    Answer operator()(const api::AddressesProbed& f) const {
        return cluster::AddressesProbed{f.token, f.taken, f.mac, f.asked, f.trouble};
    }
    Answer operator()(const api::UnitsStarted&) const { return cluster::UnitsStarted{}; }
    Answer operator()(const api::UnitsStopped&) const { return cluster::UnitsStopped{}; }
    Answer operator()(const api::UnitsGone&) const { return cluster::UnitsGone{}; }
    Answer operator()(const api::UnitFailed& f) const {
        return cluster::UnitFailed{f.unit, f.result};
    }
    template <typename Other>
    Answer operator()(const Other&) const {
        return std::nullopt;
    }
};

}  // namespace

std::optional<Addressed> translate(const cluster::Effect& effect,
                                   const config::ModuleConfig& module, const Id128& module_id) {
    return std::visit(ToOrder{module, module_id}, effect);
}

std::optional<cluster::Event> to_event(const api::Fact& fact) {
    return std::visit(ToEvent{}, fact);
}

std::string error_name(const std::string& code) {
    std::string name;
    bool upper = true;
    for (char c : code) {
        if (c == '-') {
            upper = true;
            continue;
        }
        bool letter = c >= 'a' && c <= 'z';
        name += upper && letter ? static_cast<char>(c - 'a' + 'A') : c;
        upper = false;
    }
    return name;
}

api::MessageId message_id(const std::string& code) {
    namespace m = api::message;
    static const std::array<std::pair<const char*, api::MessageId>, 27> kIds{{
        {"decision", m::kDecisionRecorded},
        {"birth", m::kDecisionRecorded},
        {"consented", m::kDecisionRecorded},
        {"joined", m::kResyncDone},
        {"restarting", m::kUnitFailed},
        {"restart", m::kRestartOrdered},
        {"failover", m::kFailoverSwitched},
        {"address-free", m::kAddressesAsked},
        {"address-unasked", m::kAddressesAsked},
        {"preferred", m::kPreferredReady},
        {"at-boot", m::kAtBootSwitched},
        {"handing-over", m::kRestartBudgetSpent},
        {"peer-copy-failed", m::kCopyFailed},
        {"mirror-lost", m::kCopyFailed},
        {"disk-stalled", m::kCopyFailed},
        {"diverged", m::kSplitBrain},
        {"forced", m::kOperatorForced},
        {"overtaken", m::kDecisionRecorded},
        {"taking", m::kSwapDone},
        {"takeover", m::kTakeover},
        {"demotion", m::kDemotion},
        {"swap", m::kSwapStarted},
        {"swap-done", m::kSwapDone},
        {"swap-aborted", m::kSwapAborted},
        {"resync", m::kResyncStarted},
        {"resync-stopped", m::kResyncFailed},
        {"rolled-back", m::kRolledBack},
    }};
    for (const auto& [known, id] : kIds) {
        if (code == known) return id;
    }
    return m::kStateChanged;
}

std::string name_of(const cluster::Status& status) {
    return std::string(cluster::name(status.state)) + " (" + cluster::name(status.readiness) + ")";
}

const char* name_of(cluster::AtBoot at_boot) {
    switch (at_boot) {
        case cluster::AtBoot::AsBefore:
            return "as-before";
        case cluster::AtBoot::Never:
            return "never";
        case cluster::AtBoot::Always:
            return "always";
    }
    return "";
}

std::string preference_text(cluster::Preference preference, const config::ModuleConfig& module) {
    const auto& node = module.failover.preferred;
    switch (preference) {
        case cluster::Preference::None:
        case cluster::Preference::Honoured:
            return "";
        case cluster::Preference::Differs:
            return node + "; not followed, for the other node's file names another: apply one file";
        case cluster::Preference::FailoverOff:
            return node + "; not while automatic failover is off";
        case cluster::Preference::SwappedAway:
            return node + "; an operator swapped away from it, and back is: hamirrorctl swap " +
                   module.name + " --to " + node;
        case cluster::Preference::RestartsSpent:
            return node +
                   "; not while the automatic restarts are spent there; there: hamirrorctl "
                   "stop " +
                   module.name + " && hamirrorctl start " + module.name;
        case cluster::Preference::Awaited:
            return node + "; the roles are exchanged once both nodes have been in sync for a while";
    }
    return "";
}

std::string fencing_text(Duration hardware) {
    if (hardware == Duration{}) {
        return "by software: what does not let go is ended by a reset of this node, but a kernel "
               "that hangs resets nothing. For that a hardware watchdog: RuntimeWatchdogSec= in "
               "/etc/systemd/system.conf";
    }
    return "by software, and this machine's watchdog resets it " +
           config::format_duration(hardware) + " after systemd or its kernel hangs";
}

std::string policy_text(const config::ModuleConfig& module, bool witness_decides) {
    const std::string lets_go =
        "lets go within " + config::format_duration(module.timing.demote_after) +
        ", its processes within " + config::format_duration(module.timing.kill_bound) +
        " more or the node resets itself";
    if (witness_decides) {
        return "the witness decides; the policy is for pairs without one. A node that is cut off " +
               lets_go;
    }
    switch (module.policy) {
        case config::Policy::Available:
            if (!module.ping_targets.empty()) {
                return "without a witness: of nodes that cannot see each other each goes on only "
                       "if a ping target answers it; both may, if it answers both, which is "
                       "detected, and one version is given up. A primary that is cut off, not "
                       "heard, or wakes from a pause, " +
                       lets_go;
            }
            return "without a witness: when the nodes cannot see each other both may serve; that "
                   "is "
                   "detected, and one version is given up. A primary that is not heard, or wakes "
                   "from a pause, " +
                   lets_go + "; one that is cut off goes on";
        case config::Policy::Safe:
            return "without a witness: when the primary is lost a person promotes the secondary; "
                   "nothing bounds how long a primary that is cut off goes on";
    }
    return "";
}

std::optional<ChangedAloneView> view_of(const api::ChangedAlone& changed) {
    if (changed.decision.none()) return std::nullopt;
    return ChangedAloneView{changed.operations, changed.bytes, changed.at_least};
}

std::string changed_text(const ChangedAloneView& changed) {
    return std::string(changed.at_least ? "at least " : "") + std::to_string(changed.operations) +
           (changed.operations == 1 ? " operation, " : " operations, ") +
           std::to_string(changed.bytes) + " bytes written";
}

std::string both_changed(const ModuleView& view) {
    const auto on = [](const NodeView& node) {
        return node.node + ": " +
               (node.changed_alone ? changed_text(*node.changed_alone) : "not known");
    };
    if (!view.nodes[0].changed_alone && !view.nodes[1].changed_alone) return "";
    return "Changed alone: " + on(view.nodes[0]) + "; " + on(view.nodes[1]) + ". ";
}

void fill_membership(NodeView& view, const cluster::Chain& chain, bool outdated,
                     cluster::Node node) {
    if (chain.empty()) return;
    view.epoch = chain.head().decision.number.value;
    view.in_sync = chain.head().decision.in_sync.has(node) && !outdated;
    view.ever_in_sync = std::ranges::any_of(
        chain.entries(), [node](const auto& entry) { return entry.decision.in_sync.has(node); });
}

void fill_peer(NodeView& view, const std::optional<cluster::Report>& report, bool silent,
               cluster::Node peer) {
    view.seen = report.has_value() && !silent;
    view.state = "unknown";
    view.readiness = "unknown";
    if (!report) return;
    view.at_boot = name_of(report->at_boot);
    if (view.seen) {
        view.state = report->state;
        view.readiness = report->readiness;
        view.reason_code = report->reason_code;
        view.reason = report->reason;
    }
    fill_membership(view, report->chain, report->outdated, peer);
}

}  // namespace ha::clusterd
