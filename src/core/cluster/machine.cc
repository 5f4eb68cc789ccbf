#include "core/cluster/machine.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "core/cluster/machine_table.h"

namespace ha::cluster {

Machine::Machine(Settings settings, Record record, Id128 boot, Id128 seed)
    : settings_(std::move(settings)),
      record_(std::move(record)),
      boot_(boot),
      random_{seed.high, seed.low | 1},
      flush_token_(seed.low >> 1),
      resync_token_(seed.low >> 2),
      probe_token_(seed.low >> 3),
      attempt_(seed.high >> 1) {}

void Machine::begin(Instant now, std::vector<Effect>& effects) {
    now_ = now;
    effects_ = &effects;
    bool unclean = !record_.open_boot.none() && record_.open_boot != boot_;
    if (unclean) {
        // R7: what only the kernel held is gone. It matters while somebody else may hold it.
        if (!record_.chain.empty() && in_sync_self() && head().in_sync.has(peer())) {
            record_.power_lost = true;
        }
        record_.open_boot = Id128{};
        persist();
    }
    abandon_exchange();  // an earlier version kept it
    was_open_ = !record_.open_boot.none();
    note_boot();
    note_file();
    witness_mark_ = mint_id();
    withdrawn_ = mint_id();
    open_rules();
    if (record_.wanted) {
        // Not "stopped": the application may run all the while, and the peer would take over.
        awaiting_workers_ = true;
        enter(Phase::Opening);
        wait_for("opening", "Waiting for the workers of " + self_name() + ".");
    }
    report_if_changed();
    effects_ = nullptr;
}

void Machine::workers_ready(Instant now, std::vector<Effect>& effects) {
    now_ = now;
    effects_ = &effects;
    if (std::exchange(awaiting_workers_, false) && phase_ == Phase::Opening) open_now();
    report_if_changed();
    effects_ = nullptr;
}

void Machine::step(Instant now, const Event& event, std::vector<Effect>& effects) {
    now_ = now;
    effects_ = &effects;
    if (const auto* reported = std::get_if<PeerReported>(&event)) {
        contact_ = true;
        silent_ = overdue_ = target_answered_ = false;
        doubted_since_.reset();
        peer_report_ = reported->report;
    } else if (std::holds_alternative<PeerSilent>(event)) {
        contact_ = target_answered_ = false;
        silent_ = true;
        doubted_since_ = now_;
    } else if (std::holds_alternative<PeerOverdue>(event)) {
        overdue_ = true;
    } else if (const auto* target = std::get_if<TargetAnswered>(&event)) {
        if (doubted_since_ && target->sent >= *doubted_since_) target_answered_ = true;
    } else if (std::holds_alternative<PeerAhead>(event)) {
        contact_ = false;  // what it said last holds no more
        peer_report_.reset();
    } else if (const auto* shown = std::get_if<RegisterShown>(&event)) {
        note_register(*shown);
    } else if (std::holds_alternative<WitnessLost>(event)) {
        witness_reached_ = false;
        asked_at_.reset();
    } else if (const auto* configured = std::get_if<WitnessConfigured>(&event)) {
        configure_witness(*configured);
    }
    if (contact_ && peer_report_) note_rules(*peer_report_);
    Handler handler = Table::kHandlers[static_cast<std::size_t>(phase_)][event.index()];
    (this->*handler)(event);
    change_rules();
    bring_up();
    open_rules();
    forget_proposal();
    note_failover();
    consider_preferred();
    report_if_changed();
    effects_ = nullptr;
}

// ---- what every phase shares
// ----------------------------------------------------------------------

void Machine::ignore(const Event&) {}

void Machine::refuse_busy(const Event&) {
    refuse("busy", "Module " + settings_.module + " is " + name(phase_) + " on " + self_name() +
                       "; try again when it has settled.");
}

void Machine::stopped_stop(const Event&) {
    record_.wanted = false;
    record_.restarts = 0;
    persist();
    blocked_ = false;
    reason_ = {};
}

/// A mirror is open although the module is stopped: clusterd ended before it saw it closed.
void Machine::stray_mirror(const Event&) {
    emit(CloseMirror{});
}

void Machine::opening_start(const Event& event) {
    const auto& start = std::get<StartRequested>(event);
    if (auto why = objection(start)) return refuse(why->code.c_str(), why->text);
    if (says_more(start)) note_word(start);
}

/// Known to serve now, the application being started included.
bool Machine::is_primary(Node node) const {
    const bool restarts = phase_ == Phase::StoppingUnits && goal_ == Goal::Restart;
    if (node == self()) return phase_ == Phase::Serving || phase_ == Phase::Promoting || restarts;
    return !serving() && contact_ && peer_report_ && peer_report_->activity == Activity::Serving;
}

void Machine::not_served(const Event&) {
    refuse("not-serving", "Module " + settings_.module + " is not served by " + self_name() +
                              "; there is nothing to restart." +
                              (reason_.text.empty() ? "" : " " + reason_.text));
}

bool Machine::gives_swap_on(const SwapRequested& swap) const {
    return phase_ == Phase::Secondary && swap.to != peer() && is_primary(peer());
}

/// What an operator gave on the other node long ago is not what he expects now.
bool Machine::too_late(const std::optional<Instant>& before) {
    if (!before || now_ < *before) return false;
    refuse("too-late", "The order reached " + self_name() + " too late; nothing was changed.");
    return true;
}

/// Refuses a swap whose end is reached. The node that would carry it out looks for itself, so what
/// both nodes are asked for at once is done once.
bool Machine::already_primary(const Event& event) {
    const auto to = std::get<SwapRequested>(event).to;
    if (!to || !is_primary(*to)) return false;
    refuse("already-primary", (*to == self() ? self_name() : peer_name()) +
                                  " is primary already; there is nothing to do.");
    return true;
}

/// Taken, if it is what is being done.
void Machine::busy_swap(const Event& event) {
    const auto to = std::get<SwapRequested>(event).to;
    const bool giving = goal_ == Goal::Swap && to == peer();
    const bool taking = phase_ == Phase::Sealing && ceded_to_us_ && to == self();
    if (!giving && !taking && !already_primary(event)) refuse_busy(event);
}

void Machine::stopped_swap(const Event& event) {
    if (already_primary(event)) return;
    refuse("not-running", "Module " + settings_.module +
                              " has no running secondary here; start it first "
                              "(hamirrorctl start " +
                              settings_.module + ").");
}

void Machine::note_report(const Event& event) {
    const Report& report = std::get<PeerReported>(event).report;
    if (!learn(report)) consent(report);
}

void Machine::open(const Event& event) {
    const auto& start = std::get<StartRequested>(event);
    if (auto why = objection(start)) return refuse(why->code.c_str(), why->text);
    note_word(start);
    record_.restarts = 0;
    open_now();
}

void Machine::open_now() {
    record_.wanted = true;
    record_.open_boot = record_.last_boot = boot_;
    persist();
    goal_ = Goal::None;
    stops_together_ = false;
    boot_wait_over_ = false;
    won_ = false;
    emit(OpenMirror{record_.module_id});
    enter(Phase::Opening);
    wait_for("opening", "The mirror is being mounted.");
}

/// A node that heard of the module before its own tree was ever part of it: an unmarked tree is
/// what it must have, and may become a resync target.
bool Machine::never_held_data() const {
    const auto& entries = record_.chain.entries();
    return std::none_of(entries.begin(), entries.end(), [this](const ChainEntry& entry) {
        return entry.decision.in_sync.has(self());
    });
}

/// Born here, and interrupted before the tree was marked and anything was promised: the tree is
/// what the operator named.
bool Machine::birth_unused() const {
    const auto& entries = record_.chain.entries();
    return entries.size() == 1 && entries[0].decision.primary == self() && !entries[0].used;
}

void Machine::opened(const Event& event) {
    if (awaiting_workers_) return;
    was_open_ = true;
    const auto& fact = std::get<MirrorOpened>(event);
    const bool unmarked = never_held_data() || (fact.never_stamped && birth_unused());
    marker_valid_ = fact.marker_valid || (fact.marker_absent && unmarked);
    if (!marker_valid_) {
        word_.reset();
        enter(Phase::Waiting);
        emit(HoldMirror{});
        return block("data-missing",
                     "The mirrored directories do not carry this module's marker: " + fact.detail +
                         ". Nothing is served from them and nothing "
                         "is copied over them.");
    }
    if (!fact.serving && !fact.following) progress_ = fact.progress;  // else it may go on yet
    bool ours = !record_.outdated && in_sync_self() && !record_.ceding;
    const bool follows = fact.following && ours && head().in_sync.has(peer()) &&
                         head().primary == peer();  // else it was given the module meanwhile
    const bool compared = follows || (fact.compared && fact.untouched);
    if (!record_.stopped_together.none() && !compared) {
        record_.stopped_together = Id128{};
        persist();
        tell("touched",
             "The directories may have been changed since both nodes were stopped; the "
             "copies are compared.");
    }
    // What was held for an open exchange or proposal stays held: it is not adopted (R3). A join
    // holds nothing.
    bool settled =
        !record_.proposed && (!record_.exchange || record_.exchange->decision.cause == Cause::Join);
    if (fact.serving && ours && settled && head().primary == self()) {
        emit(ResumeMirror{});  // it may have been drained for a stop that nobody remembers
        return promote(head().in_sync.has(peer()), fact.term);
    }
    if (follows) return adopt_follower(fact.term);
    // Whatever an earlier process of clusterd left running here: it is nobody's now.
    if (fact.serving) return demote();
    if (std::exchange(left_overs_, false)) {
        give_up();
        return wait_for("demoting", "Making sure that nothing of the application runs here.");
    }
    enter_waiting();
}

/// The flag of a common stop was asked for and given: this node was told to stop, too.
void Machine::adopt_follower(Id128 term) {
    term_ = term;
    reason_ = {};
    stops_together_ = record_.stopped_together == head().id;
    enter(Phase::Secondary);
    if (contact_ && peer_report_) return secondary_report(PeerReported{*peer_report_});
    if (silent_) secondary_silent(PeerSilent{});
    if (overdue_ && phase_ == Phase::Secondary) secondary_overdue(PeerOverdue{});
}

void Machine::opening_stop(const Event& event) {
    if (!left_overs_) return close(event);
    wanted_again_ = std::get<StopRequested>(event).shutdown;
    goal_ = Goal::Stop;
    const bool without_workers = std::exchange(awaiting_workers_, false);
    demote();
    if (without_workers) deadline_ = now_ + settings_.workers_bound;
    held_failed_ = true;  // the mirror may not be there to say so; closing it fails them too
}

/// In answer to OpenMirror; any other failure is of a copy or a role.
bool Machine::cannot_open(const MirrorFailed& fact) {
    return fact.code == "data-missing" || fact.code == "in-use" || fact.code == "mount-failed" ||
           fact.code == "start-failed";
}

/// The process ended, or gave its mirror up to a demotion: that says nothing against the copy.
bool Machine::is_gone(const MirrorFailed& fact) {
    return fact.code == "worker-gone" || fact.code == "aborted";
}

void Machine::open_failed(const Event& event) {
    const auto& fact = std::get<MirrorFailed>(event);
    if (is_gone(fact)) return;  // it is started again and given the order again
    if (!cannot_open(fact)) {
        // Of a mirror that runs since before this process began: it has no role now, and says so.
        rebuild_after_ = now_ + settings_.boot_wait;
        return tell("mirror-lost", "The mirror on this node failed: " + fact.text);
    }
    word_.reset();
    if (std::exchange(left_overs_, false)) {  // the application may run all the while
        goal_ = Goal::Stop;
        wanted_again_ = record_.wanted;
        stop_reason_ = {fact.code, fact.text};
        demote();
        held_failed_ = true;  // there is no mirror to say so
        return;
    }
    note_closed(false);
    if (was_open_ && fact.code != "start-failed") emit(CloseMirror{});
    enter(Phase::Stopped);
    block(fact.code.c_str(), fact.text);
}

void Machine::mirror_lost(const Event& event) {
    const auto& fact = std::get<MirrorFailed>(event);
    tell("mirror-lost", "The mirror on this node ended: " + fact.text);
    word_.reset();
    if (!is_gone(fact)) rebuild_after_ = now_ + settings_.boot_wait;
    proposal_.reset();
    keeps_copy_ = false;
    ceded_to_us_.reset();
    emit(OpenMirror{record_.module_id});
    enter(Phase::Opening);
    wait_for("opening", "The mirror is being mounted again: " + fact.text);
}

void Machine::close(const Event& event) {
    const auto* stop = std::get_if<StopRequested>(&event);
    if (stop != nullptr && stop->shutdown) wanted_again_ = true;
    close_now();
}

void Machine::close_now() {
    proposal_.reset();
    shrink_ = Shrink::None;
    peer_ = Peer::Absent;
    keeps_copy_ = false;
    stops_together_ = false;
    record_.wanted = wanted_again_;
    wanted_again_ = false;
    persist();
    emit(CloseMirror{});
    enter(Phase::Closing);
    wait_for("stopping", "The mirror is being closed.");
}

/// Its process cannot be started, so nothing of ours is mounted by it.
void Machine::closing_mirror_failed(const Event& event) {
    if (std::get<MirrorFailed>(event).code == "start-failed") closed(MirrorClosed{false});
}

/// R7: what is not durable goes with the power, and this system stopped unclean then, however
/// orderly the module was stopped. While the boot lasts the page cache has it.
void Machine::note_closed(bool durable) {
    was_open_ = was_open_ && !durable;
    if (!was_open_) record_.open_boot = Id128{};
    persist();
}

/// Of a mirror that was found open, or of one that could not be asked before.
void Machine::closed_late(const Event& event) {
    if (was_open_ && std::get<MirrorClosed>(event).durable) note_closed(true);
}

void Machine::closed(const Event& event) {
    note_closed(std::get<MirrorClosed>(event).durable);
    term_ = Id128{};
    goal_ = Goal::None;
    enter(Phase::Stopped);
    if (stop_reason_.code.empty()) {
        reason_ = {};
        blocked_ = false;
    } else {
        block(stop_reason_.code.c_str(), stop_reason_.text);
        stop_reason_ = {};
    }
}

void Machine::first_modification(const Event& event) {
    const auto& fact = std::get<FirstModification>(event);
    if (record_.chain.empty() || fact.decision != head().id) return;
    // A joiner that has not recorded that it is in would not lead after our power loss, and what
    // only our kernels held would be gone: nothing is promised under the decision before.
    bool named = head().in_sync.has(peer());
    if (named && !peer_knows()) {
        first_waits_ = true;
        return;
    }
    first_waits_ = false;
    if (!record_.chain.head().used) {
        record_.chain.mark_used(fact.decision);
        persist();
    }
    emit(AllowAcknowledge{fact.decision});
}

/// The other node has recorded our head, and that it is in.
bool Machine::peer_knows() const {
    return peer_report_ && !peer_report_->outdated && !peer_report_->chain.empty() &&
           peer_report_->chain.head().decision.id == head().id;
}

// ---- learning from the peer, and consenting
// -------------------------------------------------------

/// Who stays a member has a part in the decision that it recorded before: it proposed it, or cedes
/// by it, or asked a witness for it (and one that it agrees to is recorded at once). A node that
/// had none has forgotten: its disk is an older one, restored from a backup or a snapshot.
bool Machine::remembers(const Chain& newer) const {
    const auto ours = newer.index_of(head().id);
    if (!ours || *ours + 1 == newer.entries().size()) return false;
    const auto first = newer.entries().begin() + static_cast<std::ptrdiff_t>(*ours + 1);
    return had_part(first->decision.id) &&
           std::all_of(first, newer.entries().end(), [this](const ChainEntry& entry) {
               return entry.decision.in_sync.has(self());
           });
}

bool Machine::had_part(const Id128& decision) const {
    const auto is = [&](const auto& one) { return one && one->id == decision; };
    return record_.proposed || is(proposal_) || is(record_.ceding) || is(ceded_to_us_) ||
           (record_.exchange && record_.exchange->decision.id == decision);
}

/// The disk was put back to an earlier moment under the same decision (a snapshot, a backup): the
/// other node has heard of more than there is.
bool Machine::rolled_back(const Report& report) const {
    return progress_ && report.progress && progress_->own < report.progress->peer;
}

/// For the journal, once; the reason says it as long as it stands.
void Machine::note_rolled_back(const Report& report) {
    if (!rolled_back(report) || reason_.code == "rolled-back") return;
    wait_for("rolled-back", "The disk of " + self_name() + " was put back to an earlier moment: " +
                                peer_name() + " knows of more than its copy holds.");
    tell("rolled-back", reason_.text);
}

bool Machine::peer_rolled_back(const Report& report) const {
    return progress_ && report.progress && report.progress->own < progress_->peer;
}

/// Takes over what the peer's chain knows better. True if our chain's head changed.
bool Machine::learn(const Report& report) {
    if (report.chain.empty()) return false;
    Relation how = relation(record_.chain, report.chain, self());
    if (how == Relation::Same) {
        // The other recorded a decision that leaves it out: that is its consent.
        ChainEntry entry = record_.chain.head();
        if (entry.confirmation == Confirmation::Alone) {
            record_.chain.mark_confirmed(entry.decision.id, Confirmation::PeerConsent);
            persist();
        }
        return false;
    }
    if (how != Relation::Behind && how != Relation::Yield) return false;
    bool same_module = record_.module_id.none() || record_.module_id == report.module_id;
    if (!same_module) return false;
    bool abandoned = how == Relation::Yield;
    bool was_member = !record_.chain.empty() && in_sync_self() && !record_.outdated && !abandoned &&
                      remembers(report.chain);
    record_.module_id = report.module_id;
    if (record_.chain.empty()) record_.witness = report.witness;
    record_.chain = merged(record_.chain, report.chain);
    const bool asked = record_.exchange && record_.exchange->decision.id == head().id;
    moved();  // ours was agreed to, or has lost, or an operator overruled it
    if (!was_member || !in_sync_self()) record_.outdated = true;
    if (asked && in_sync_self()) record_.outdated = false;  // it was, if an operator forced this
    if (record_.outdated) record_.power_lost = false;       // nothing here will be trusted any more
    record_.ceding.reset();
    record_.stopped_together = Id128{};
    persist();
    return true;
}

/// What was said and does not stand any more may lie in the other node's queue and be agreed to
/// there. It can be no more once that node has heard so, and shows no sign of having agreed.
bool Machine::withdrawal_heard(const Report& report) const {
    const bool still_said = sent_ && sent_->proposal;
    return !still_said && report.withdrawn_heard == withdrawn_;
}

/// Until then the other node may make us a member by what does not stand here any more.
void Machine::forget_proposal() {
    if (!record_.proposed || proposal_ || !contact_ || !peer_report_) return;
    if (!withdrawal_heard(*peer_report_)) return;
    const Relation how = relation(record_.chain, peer_report_->chain, self());
    if (how == Relation::Behind || how == Relation::Yield) return;  // perhaps by that
    record_.proposed = false;
    persist();
}

/// Our head is another one: what this node wanted instead of it, or as it, is no open question.
void Machine::moved() {
    record_.proposed = false;
    abandon_exchange();
}

/// Nobody asks again for what is no child of our head; it may be on its way all the same (R6).
void Machine::abandon_exchange() {
    if (!record_.exchange || record_.chain.empty()) return;
    const Decision& asked = record_.exchange->decision;
    if (asked.parent == head().id) return;
    const bool came = record_.chain.contains(asked.id);
    if (!came && !asked.parent.none()) record_.abandoned = asked.id;
    record_.exchange.reset();
}

/// R11: the peer proposes a decision. Recording it (and, if it leaves us out, ourselves as
/// outdated) is the consent; the next report carries it. True if it was recorded.
bool Machine::consent(const Report& report) {
    if (!report.proposal || record_.chain.empty()) return false;
    if (record_.exchange && !both_pending()) return false;  // busy: it is settled first (R11)
    // Ours stands and the other may have agreed to it already: never two from one parent.
    if (proposal_ && proposal_->parent == report.proposal->parent) return false;
    if (!withdrawal_heard(report)) return false;
    const Decision& decision = *report.proposal;
    bool child_of_head = decision.parent == head().id && decision.number == head().number.next();
    if (!child_of_head || report.module_id != record_.module_id) return false;
    if (decision.primary != peer() || !decision.in_sync.has(peer())) return false;
    const bool by_register = by_witness() && !both_pending();
    if (by_register && decision.primary != head().primary) return false;
    bool keeps_us = decision.in_sync.has(self());
    // R7: what it lost may be here; the two have met, and this node leads.
    if (!keeps_us && report.power_lost && has_it_all(report)) return false;
    const bool leads_instead = in_sync_self() && !record_.outdated && !rolled_back(report);
    if (peer_rolled_back(report) && leads_instead) return false;
    if (keeps_us) {
        bool identical = record_.stopped_together == head().id && !record_.outdated &&
                         !record_.power_lost && marker_valid_ && phase_ == Phase::Waiting;
        if (!identical || rolled_back(report)) return false;
    }
    note_rolled_back(report);
    record_.chain.append({decision, false, Confirmation::PeerConsent});
    moved();
    record_.outdated = !keeps_us;
    record_.power_lost = false;
    record_.ceding.reset();
    record_.stopped_together = Id128{};
    keeps_copy_ = keeps_us;
    proposal_.reset();
    persist();
    tell("consented",
         "Agreed to decision " + describe(decision, settings_.names[0], settings_.names[1]) + ".");
    return true;
}

// ---- small things
// ---------------------------------------------------------------------------------

void Machine::enter(Phase phase) {
    phase_ = phase;
    deadline_.reset();
    told_.reset();
    forcing_.reset();
    sealed_durable_ = false;
    const bool keeps = phase == Phase::Waiting || phase == Phase::Sealing ||
                       phase == Phase::Demoting || phase == Phase::Closing;
    if (!keeps) progress_.reset();
}

void Machine::persist() {
    emit(Persist{record_});
}

void Machine::decide(const Decision& decision, Confirmation confirmation) {
    record_.chain.append({decision, false, confirmation});
    moved();
    record_.stopped_together = Id128{};
    record_.ceding.reset();
    persist();
    tell("decision", "Decision " + describe(decision, settings_.names[0], settings_.names[1]) +
                         ", " + agreed_by(confirmation) + ".");
}

std::string Machine::agreed_by(Confirmation confirmation) const {
    switch (confirmation) {
        case Confirmation::Alone:
        case Confirmation::Birth:
            return "taken by " + self_name() + " alone";
        case Confirmation::PeerConsent:
            return "agreed with " + peer_name();
        case Confirmation::Register:
            return "agreed with the witness";
        case Confirmation::Operator:
            return "ordered by an operator";
    }
    return "";
}

Decision Machine::child(InSync in_sync, Node primary, Cause cause) {
    Decision decision;
    decision.number = head().number.next();
    decision.id = mint_id();
    decision.parent = head().id;
    decision.primary = primary;
    decision.in_sync = in_sync;
    decision.cause = cause;
    return decision;
}

void Machine::block(const char* code, std::string text) {
    blocked_ = true;
    reason_ = {code, std::move(text)};
}

void Machine::wait_for(const char* code, std::string text) {
    blocked_ = false;
    reason_ = {code, std::move(text)};
}

void Machine::refuse(const char* code, std::string text) {
    emit(Refuse{code, std::move(text)});
}

void Machine::tell(const char* code, std::string text) {
    emit(Tell{code, std::move(text)});
}

void Machine::flush(bool hold) {
    emit(MakeDurable{++flush_token_, hold});
}

bool Machine::in_sync_self() const {
    return !record_.chain.empty() && head().in_sync.has(self());
}

/// xorshift128+ (Vigna 2014): unpredictability comes from the seed, repetition is what must not be.
Id128 Machine::mint_id() {
    auto next = [this] {
        std::uint64_t x = random_[0];
        const std::uint64_t y = random_[1];
        random_[0] = y;
        x ^= x << 23;
        random_[1] = x ^ y ^ (x >> 17) ^ (y >> 26);
        return random_[1] + y;
    };
    Id128 id{next(), next()};
    return id.none() ? mint_id() : id;
}

Activity Machine::activity() const {
    switch (phase_) {
        case Phase::Stopped:
            return Activity::Stopped;
        case Phase::Opening:
            return Activity::Opening;
        case Phase::Waiting:
            return Activity::Waiting;
        case Phase::Rebuilding:
            return Activity::Rebuilding;
        case Phase::Secondary:
            return Activity::Following;
        case Phase::Sealing:
            return Activity::Sealing;
        case Phase::Promoting:
        case Phase::Serving:
        case Phase::StoppingUnits:
        case Phase::Draining:
        case Phase::Withdrawing:
        case Phase::Together:
            return Activity::Serving;
        case Phase::Ceding:
            return Activity::Ceding;
        case Phase::Leaving:
        case Phase::Demoting:
        case Phase::Closing:
            return Activity::Leaving;
    }
    return Activity::Stopped;
}

bool Machine::serving() const {
    return activity() == Activity::Serving;
}

bool Machine::bounded() const {
    if (!serving()) return false;
    const bool both_may = by_witness() || settings_.policy == Policy::Available;
    const bool goes_on = !by_witness() && silent_ && may_decide_alone();
    return both_may && !goes_on && may_name_peer();
}

bool Machine::may_name_peer() const {
    const bool asked_for = record_.exchange && record_.exchange->decision.in_sync.has(peer());
    return asked_for || (!record_.chain.empty() && head().in_sync.has(peer()));
}

/// Without a witness: that the other node is silent is no fault of this one's links, as far as the
/// configuration wants to know.
bool Machine::may_decide_alone() const {
    return !asks_targets() || !doubted_since_ || target_answered_;
}

bool Machine::asks_targets() const {
    return settings_.ping_targets && settings_.policy == Policy::Available && !by_witness();
}

std::optional<Instant> Machine::next_deadline() const {
    std::optional<Instant> next = deadline_;
    const auto also = [&next](const Instant& due) { next = next ? std::min(*next, due) : due; };
    if (prefer_due_) also(*prefer_due_);
    const bool proposed = !by_witness() && shrink_ == Shrink::Proposed && may_decide_alone();
    if (proposed && proposal_due_ && phase_ != Phase::Ceding) also(*proposal_due_);
    return next;
}

bool Machine::overtaken(Epoch newest, const Id128& id) const {
    if (record_.chain.empty() || newest <= head().number) return false;
    bool proposed = proposal_ && proposal_->id == id;
    bool ceded = record_.ceding && record_.ceding->id == id;
    bool asked = record_.exchange && record_.exchange->decision.id == id;
    bool reported = contact_ && peer_report_ && peer_report_->chain.contains(id);
    return !proposed && !ceded && !asked && !reported;
}

bool Machine::peer_required() const {
    return serving() && (peer_ == Peer::Member || peer_ == Peer::Joining);
}

Status Machine::status() const {
    auto by_block = blocked_ ? Readiness::Blocked : Readiness::Transient;
    State as_primary = peer_ == Peer::Member ? State::Primary : State::Alone;
    switch (phase_) {
        case Phase::Stopped:
            return {State::Stopped, blocked_ ? Readiness::Blocked : Readiness::Ready, reason_};
        case Phase::Rebuilding:
            return {State::Secondary, Readiness::Transient, reason_};
        case Phase::Secondary:
            return {State::Secondary, Readiness::Ready, {}};
        case Phase::Leaving:
            return {State::Secondary, Readiness::Transient, reason_};
        case Phase::Sealing:  // it follows nobody any more; blocked: nor can it decide
            return {blocked_ ? State::Waiting : State::Secondary, by_block, reason_};
        case Phase::Promoting:
        case Phase::StoppingUnits:
        case Phase::Draining:
        case Phase::Withdrawing:
        case Phase::Together:
            return {as_primary, Readiness::Transient, reason_};
        case Phase::Serving:
            return {as_primary, Readiness::Ready, {}};
        case Phase::Opening:
        case Phase::Waiting:
        case Phase::Ceding:
        case Phase::Demoting:
        case Phase::Closing:
            return {State::Waiting, by_block, reason_};
    }
    return {};
}

Report Machine::make_report() const {
    Report report;
    report.boot = boot_;
    report.module_id = record_.module_id;
    report.chain = record_.chain;
    report.outdated = record_.outdated;
    report.power_lost = record_.power_lost;
    report.ceding = phase_ == Phase::Ceding ? record_.ceding : std::nullopt;
    report.stopped_together = record_.stopped_together;
    report.activity = activity();
    report.data_ok = marker_valid_ && phase_ != Phase::Stopped && phase_ != Phase::Opening;
    if (report.data_ok) report.progress = progress_;
    report.term = term_;
    report.attempt = attempt_;
    // With a witness a ceding is cancelled by the register alone (R8).
    if (!by_witness() || phase_ != Phase::Ceding || both_pending()) report.proposal = proposal_;
    report.leaving = phase_ == Phase::Leaving;
    if (phase_ == Phase::Together) report.stopping_together = head().id;
    report.keeps_copy = keeps_copy_;
    report.restarts_spent = record_.restarts >= settings_.restart_budget;
    report.failover = record_.failover;
    report.preferred = settings_.preferred;
    report.at_boot = record_.at_boot;
    report.rules = settings_.rules;
    report.witness = witness();
    report.witness_configured = settings_.witness;
    report.witness_mark = witness_mark_;
    if (peer_report_) report.witness_heard = peer_report_->witness_mark;
    report.withdrawn = withdrawn_;
    if (peer_report_) report.withdrawn_heard = peer_report_->withdrawn;
    Status now = status();
    report.state = name(now.state);
    report.readiness = name(now.readiness);
    report.reason_code = now.reason.code;
    report.reason = now.reason.text;
    return report;
}

void Machine::report_if_changed() {
    Report report = make_report();
    if (sent_ && sent_->proposal && sent_->proposal != report.proposal) {
        withdrawn_ = report.withdrawn = mint_id();
    }
    if (sent_) report.serial = sent_->serial;
    if (sent_ && *sent_ == report) return;
    report.serial = ++serial_;
    sent_ = report;
    emit(SendReport{report});
}

}  // namespace ha::cluster
