// The machine and what an operator sets for good: automatic failover, the preferred node, the start
// at boot.

#include <algorithm>
#include <utility>

#include "core/cluster/machine.h"

namespace ha::cluster {
namespace {

/// The later word; of two that were given at once, the one that forbids.
bool newer(const FailoverSwitch& theirs, const FailoverSwitch& ours) {
    if (theirs.number != ours.number) return theirs.number > ours.number;
    return theirs != ours && !theirs.automatic;
}

/// How long a failure of the preferred node is held against it.
constexpr Duration kHeldAgainst = 1h;

}  // namespace

// ---- automatic failover
// --------------------------------------------------------------------------

bool Machine::automatic() const {
    const FailoverSwitch& word = record_.failover;
    const bool holds = word.number != 0 && word.file == settings_.automatic_failover;
    return holds ? word.automatic : settings_.automatic_failover;
}

/// R14: nobody else could take part in a decision.
bool Machine::rules_are_ours() const {
    return !record_.chain.empty() && head().in_sync == InSync::only(self()) && !record_.outdated &&
           record_.chain.head().confirmation != Confirmation::Alone;
}

bool Machine::failover_recorded() const {
    if (!contact_ && rules_are_ours()) return true;
    return peer_report_ ? peer_report_->failover == record_.failover : record_.failover.number == 0;
}

/// The file was changed since the last word: it is the later one, for good.
void Machine::note_file() {
    FailoverSwitch& word = record_.failover;
    const bool file = settings_.automatic_failover;
    if (word.number == 0 || word.file == file) return;
    word = {word.number + 1, file, file};
    persist();
}

/// Given again it is completed, should the other node not have recorded it.
void Machine::set_failover(const Event& event) {
    const bool wanted = std::get<FailoverRequested>(event).automatic;
    if (!contact_ && !rules_are_ours()) {
        return refuse("peer-silent", peer_name() +
                                         " is not seen and both nodes have to record it; nothing "
                                         "was changed.");
    }
    if (contact_ && report_differs()) {
        return refuse("configuration-differs", "The configuration of " + settings_.module + " on " +
                                                   self_name() + " is not " + peer_name() +
                                                   "'s; nothing was changed.");
    }
    if (automatic() == wanted) return;
    record_.failover = {record_.failover.number + 1, wanted, settings_.automatic_failover};
    persist();
    tell_failover();
}

void Machine::tell_failover() {
    tell("failover", automatic() ? "Automatic failover is on."
                                 : "Automatic failover is off: whoever is lost, nobody takes over "
                                   "until a person does.");
}

/// The other node's word, if it is the later one.
void Machine::note_failover() {
    if (!contact_ || !peer_report_ || peer_report_->module_id != record_.module_id) return;
    if (!newer(peer_report_->failover, record_.failover)) return;
    record_.failover = peer_report_->failover;
    persist();
    tell_failover();
}

/// The role is at the other node, which cannot take it up, and this one may not by itself.
void Machine::block_failover_off() {
    proposal_.reset();
    block("failover-off", "Automatic failover is off, and " + peer_name() +
                              " was primary. If that node does not come back, here: hamirrorctl "
                              "start " +
                              settings_.module + " --force");
}

// ---- the preferred node
// --------------------------------------------------------------------------

/// An operator's swap brought the role here. The chain says so, to both nodes and after every
/// restart: it is the decision by which this node became primary last. Of one so long ago that the
/// chain has forgotten it nobody knows, and then nothing is moved unasked.
bool Machine::swapped_here() const {
    const ChainEntry* began = nullptr;
    const auto& entries = record_.chain.entries();
    for (auto entry = entries.rbegin(); entry != entries.rend(); ++entry) {
        if (entry->decision.primary != self()) break;
        began = &*entry;
    }
    if (began == nullptr) return false;
    const bool forgotten = began == &entries.front() && !began->decision.parent.none();
    return forgotten || began->decision.cause == Cause::Swap;
}

Preference Machine::preference() const {
    if (!settings_.preferred) return Preference::None;
    const bool here = serving() && *settings_.preferred == peer();
    if (!here) return Preference::Honoured;
    const bool heard = contact_ && peer_report_;
    if (heard && peer_report_->preferred != settings_.preferred) return Preference::Differs;
    if (!automatic()) return Preference::FailoverOff;
    if (swapped_here()) return Preference::SwappedAway;
    const bool failed = heard && peer_report_->restarts_spent;
    return failed ? Preference::RestartsSpent : Preference::Awaited;
}

/// Each time this node begins to serve in the preferred one's stead that one is given more time to
/// prove itself.
void Machine::count_against_preferred() {
    if (settings_.preferred != peer()) return;
    if (now_ - stood_in_at_ > kHeldAgainst) stood_in_ = 0;
    stood_in_at_ = now_;
    stood_in_ = std::min(stood_in_ + 1, 8U);
}

/// After every event: the role goes to the preferred node by a swap, once the pair has been
/// redundant for a while.
void Machine::consider_preferred() {
    const bool redundant = phase_ == Phase::Serving && peer_fits() && (!by_witness() || can_ask());
    if (!redundant || preference() != Preference::Awaited) return prefer_due_.reset();
    if (!prefer_due_) {
        Duration wait = settings_.preferred_after;
        for (std::uint32_t time = 1; time < stood_in_; ++time) wait *= 8;
        prefer_due_ = now_ + std::min(wait, settings_.preferred_bound);
    }
    if (now_ < *prefer_due_) return;
    prefer_due_.reset();
    tell("preferred", peer_name() + " is the preferred node and ready.");
    begin_stop(Goal::Swap);
}

// ---- the start at boot
// ---------------------------------------------------------------------------

void Machine::set_at_boot(const Event& event) {
    const bool starts = std::get<AtBootRequested>(event).starts;
    record_.at_boot = starts ? AtBoot::Always : AtBoot::Never;
    record_.last_boot = boot_;
    persist();
    if (starts && reason_.code == "not-at-boot") reason_ = {};
    tell("at-boot", starts ? "The module starts on " + self_name() + " when that boots."
                           : "The module does not start on " + self_name() + " when that boots.");
}

/// Whether the module is wanted here is an operator's word from before the boot.
void Machine::note_boot() {
    if (record_.at_boot == AtBoot::AsBefore || record_.last_boot == boot_) return;
    record_.last_boot = boot_;
    record_.wanted = record_.at_boot == AtBoot::Always;
    persist();
    if (record_.wanted) return;
    reason_ = {"not-at-boot", "It does not start on " + self_name() +
                                  " at boot, by an operator's word (hamirrorctl disable)."};
}

}  // namespace ha::cluster
