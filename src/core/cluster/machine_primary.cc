// The machine while it serves: promotion, the peer's membership, planned stops, demotion.

#include "base/assert.h"
#include "core/cluster/machine.h"

namespace ha::cluster {

// ---- promotion: mirror, addresses, units
// ----------------------------------------------------------

/// The head says we lead and it is durable (or about to be: an effect before this one).
void Machine::promote(bool peer_member, Id128 term) {
    HA_ASSERT(in_sync_self() && head().primary == self() && !record_.outdated);
    proposal_.reset();
    ceded_to_us_.reset();
    keeps_copy_ = false;
    if (record_.power_lost || !record_.stopped_together.none()) {
        record_.power_lost = false;
        record_.stopped_together = Id128{};
        persist();
    }
    term_ = term;
    goal_ = Goal::None;
    peer_ = peer_member ? Peer::Member : Peer::Absent;
    shrink_ = Shrink::None;
    evict_ = first_waits_ = false;
    rebuilt_attempt_ = 0;
    won_ = false;
    asked_at_.reset();
    count_against_preferred();
    serve();
    enter(Phase::Promoting);
    wait_for("starting", "The mirror, the addresses and the application are being started.");
    if (record_.exchange && record_.exchange->decision.cause == Cause::Join) {
        peer_ = Peer::Joining;  // of an earlier process: required until it is settled, then out
        evict_ = true;
    }
    if ((peer_member && silent_) || evict_) begin_shrink();
}

/// Under our head; whom it names counts in R1.
void Machine::serve() {
    emit(ServeMirror{head().number, head().id, term_, may_name_peer()});
}

void Machine::mirror_serving(const Event& event) {
    const auto& fact = std::get<MirrorServing>(event);
    if (fact.term == term_ && fact.decision == head().id) emit(HoldAddresses{});
}

void Machine::addresses_held(const Event&) {
    emit(StartUnits{});
}

void Machine::units_started(const Event&) {
    enter(Phase::Serving);
    wait_for("", "");
    consider_peer();
}

void Machine::unit_failed(const Event& event) {
    const auto& fact = std::get<UnitFailed>(event);
    std::string what = fact.unit + " failed (" + fact.result + ")";
    if (record_.restarts < settings_.restart_budget) {
        ++record_.restarts;
        persist();
        tell("restarting", what + "; restarted, " + std::to_string(record_.restarts) + " of " +
                               std::to_string(settings_.restart_budget) + " restarts spent.");
        emit(StartUnits{});
        enter(Phase::Promoting);
        return wait_for("restarting", what + " and is being started again.");
    }
    if (peer_fits() && !peer_report_->restarts_spent && automatic()) {
        tell("handing-over", what + " and the restarts are spent; " + peer_name() + " takes over.");
        return begin_stop(Goal::HandOver);
    }
    stop_reason_ = {"restarts-spent", what +
                                          " and the automatic restarts are spent. Mend it, then: "
                                          "hamirrorctl start " +
                                          settings_.module};
    begin_stop(Goal::Stop);
}

// ---- the peer's membership
// ------------------------------------------------------------------------

/// A member in contact that follows us: what a planned hand-over needs.
bool Machine::peer_fits() const {
    return peer_ == Peer::Member && shrink_ == Shrink::None && contact_ && peer_report_ &&
           peer_report_->activity == Activity::Following && peer_report_->term == term_ &&
           !peer_report_->outdated;
}

void Machine::serving_report(const Event& event) {
    const Report& report = std::get<PeerReported>(event).report;
    if (shrink_ == Shrink::Proposed && proposal_ && report.chain.contains(proposal_->id)) {
        return settle_shrink(Confirmation::PeerConsent);
    }
    if (learn(report)) return demote();
    if (shrink_ == Shrink::Delayed && !record_.exchange) begin_shrink();
    if (first_waits_ && peer_knows()) first_modification(FirstModification{head().id});
    consider_peer();
}

/// After a divergence the side that serves survives; if both do, the one that was primary before.
void Machine::survive_or_demote() {
    const Report& report = *peer_report_;
    if (report.activity != Activity::Serving) return;
    auto prior = common_primary(record_.chain, report.chain);
    if (prior && *prior == self()) return;
    tell("diverged", "Both nodes served independently of each other; this one stops serving.");
    demote();
}

void Machine::consider_peer() {
    if (!contact_ || !peer_report_) return;
    const Chain& theirs = peer_report_->chain;
    if (!theirs.empty() && relation(record_.chain, theirs, self()) == Relation::Diverged) {
        return survive_or_demote();
    }
    if (shrink_ != Shrink::None) return;
    if (peer_ == Peer::Member || peer_ == Peer::Joining) {
        consider_member();
    } else {
        consider_joiner();
    }
}

void Machine::consider_member() {
    const Report& report = *peer_report_;
    bool same_head = !report.chain.empty() && report.chain.head().decision.id == head().id;
    if (peer_ == Peer::Joining && same_head && !report.outdated) peer_ = Peer::Member;
    bool away = report.activity == Activity::Stopped || report.activity == Activity::Opening ||
                report.activity == Activity::Waiting || report.activity == Activity::Leaving;
    bool awaited = report.keeps_copy && report.activity == Activity::Waiting;
    bool outdated = peer_ == Peer::Member && report.outdated;
    // It goes by another witness and is not about to change over: not with this node in S.
    bool strays =
        !pending() && report.witness != witness() && report.witness_configured != witness();
    if ((away && !awaited) || report.leaving || outdated || report_differs() || strays) {
        evict_ = true;
        begin_shrink();
    }
}

void Machine::consider_joiner() {
    const Report& report = *peer_report_;
    bool ready = report.activity == Activity::Rebuilding && report.outdated && report.term == term_;
    if (peer_ == Peer::Rebuilding && !ready) return drop_rebuild();
    bool can_join =
        phase_ == Phase::Serving && head().in_sync == InSync::only(self()) && may_join();
    if (peer_ == Peer::Absent && ready && can_join && report.attempt != rebuilt_attempt_) {
        rebuilt_attempt_ = report.attempt;
        peer_ = Peer::Rebuilding;
        tell("resync", peer_name() + "'s copy is compared with this one and brought up to date.");
        emit(StartResync{++resync_token_});
    }
}

void Machine::drop_rebuild() {
    peer_ = Peer::Absent;
    tell("resync-stopped",
         "The comparison with " + peer_name() +
             "'s copy was given up; it begins anew when that node follows again.");
    emit(StopResync{});
}

void Machine::serving_silent(const Event&) {
    if (peer_ == Peer::Rebuilding) {
        rebuilt_attempt_ = 0;  // it may not have noticed, and waits to be rebuilt
        return drop_rebuild();
    }
    if (peer_ == Peer::Absent) return;
    if (!by_witness() && shrink_ == Shrink::Proposed && may_decide_alone()) {
        return settle_shrink(Confirmation::Alone);
    }
    if (shrink_ == Shrink::None) begin_shrink();
}

/// A shrink waited for it; the same proposal, if there is one: the peer may have consented to it.
void Machine::serving_answered(const Event&) {
    if (by_witness() || !target_answered_) return;
    if (shrink_ == Shrink::Proposed) return settle_shrink(Confirmation::Alone);
    if (shrink_ == Shrink::Delayed) begin_shrink();
}

/// Acknowledgements stalled, or the peer's copy failed: it must leave S though it may be heard
/// (R11).
void Machine::peer_must_leave(const Event& event) {
    const auto* stalled = std::get_if<AcknowledgementsStalled>(&event);
    if (stalled != nullptr && stalled->here) return own_disk_stalled(*stalled);
    if (const auto* failed = std::get_if<PeerCopyFailed>(&event)) {
        tell("peer-copy-failed", peer_name() + "'s copy failed: " + failed->text);
    }
    if (peer_ == Peer::Rebuilding) {
        drop_rebuild();
        if (stalled == nullptr) return;
        rebuilt_attempt_ = 0;  // begun again: it may have been the stall of a membership before
        return consider_peer();
    }
    if (peer_ == Peer::Absent) return;
    evict_ = true;
    if (shrink_ == Shrink::None) begin_shrink();
}

/// R11: our own mirror is the failing one. Somebody who can go on has to be there; else it waits,
/// as an application waits for a local disk.
void Machine::own_disk_stalled(const AcknowledgementsStalled& stalled) {
    if (!peer_fits() || !automatic()) return;
    tell("disk-stalled", stalled.text + " " + peer_name() + " takes over.");
    demote_and_reopen();
}

void Machine::stream_down(const Event& event) {
    if (std::get<StreamDown>(event).term != term_) return;
    if (peer_ == Peer::Rebuilding) {
        // It may be the end of the connection before; asking again changes nothing then.
        peer_ = Peer::Absent;
        rebuilt_attempt_ = 0;
        consider_peer();
    } else if (peer_ == Peer::Joining) {
        evict_ = true;  // it may or may not have been told; it joins again
        if (shrink_ == Shrink::None) begin_shrink();
    }
}

void Machine::join_ready(const Event& event) {
    if (!is_primary(self())) return;  // it is, too, while its units are restarted
    if (peer_ == Peer::Absent) return emit(StopResync{});  // of a clusterd before this one
    // One that was given up may have ended before the mirror was told.
    if (peer_ != Peer::Rebuilding || std::get<JoinReady>(event).token != resync_token_) return;
    // Nothing else is decided before it is settled (R6); and the files may have been changed.
    if (record_.exchange || !may_join()) {
        rebuilt_attempt_ = 0;
        return drop_rebuild();
    }
    Decision decision = child(InSync::both(), self(), Cause::Join);
    peer_ = Peer::Joining;
    if (can_ask()) {
        ask(decision, head().id);
        return serve();  // the stricter of both outcomes while it is open: it counts in R1
    }
    decide(decision, Confirmation::Alone);
    apply_join();
}

void Machine::apply_join() {
    peer_ = Peer::Joining;
    serve();
    // Told on the unbroken stream of its resync, or not at all (R5).
    if (silent_ || evict_ || shrink_ != Shrink::None) {
        evict_ = true;  // heard again meanwhile it would not be told by anybody
        return begin_shrink();
    }
    emit(TellIn{head()});
}

// ---- shrink (R3, R11)
// -----------------------------------------------------------------------------

void Machine::begin_shrink() {
    shrink_ = Shrink::Flushing;
    flush(true);
}

void Machine::flushed(const Event& event) {
    if (std::get<MadeDurable>(event).token != flush_token_) return;
    if (shrink_ == Shrink::Proposed && !proposal_due_) {
        proposal_due_ = now_ + settings_.proposal_bound;  // it is recorded, and said, only now
    }
    if (shrink_ != Shrink::Flushing) return;
    if (!silent_ && !evict_) {
        shrink_ = Shrink::None;  // it was only a moment of silence: nothing was decided
        emit(ResumeMirror{});
        bool drains =
            phase_ == Phase::Draining || phase_ == Phase::Withdrawing || phase_ == Phase::Together;
        if (drains) emit(DrainMirror{});  // resuming ended that too
        return settled();
    }
    // With a witness: not before an earlier exchange is settled, and not while nobody can answer;
    // the peer may be back first, and nothing was decided then.
    const bool nobody = !can_ask() && (silent_ || phase_ == Phase::Ceding);
    const bool by_register = by_witness() && !both_pending();
    if (by_register && (record_.exchange || nobody)) {
        shrink_ = Shrink::Delayed;
        return;
    }
    if (!by_witness() && phase_ != Phase::Ceding && !may_decide_alone()) {
        shrink_ = Shrink::Delayed;  // serving_answered() goes on, or the lease runs out
        return;
    }
    proposal_ = child(InSync::only(self()), self(), Cause::Shrink);
    proposal_due_.reset();
    shrink_ = Shrink::Proposed;
    if (by_register) return ask(*proposal_, head().id);
    // Never a ceding by silence: the peer may have taken it (R8).
    if (silent_ && phase_ != Phase::Ceding) return settle_shrink(Confirmation::Alone);
    record_.proposed = true;
    persist();
    flush(true);  // its answer comes after the record is durable
}

/// A peer that is heard and answers no proposal cannot answer for this module (its disk, a control
/// connection that does not pass): as a silent one.
void Machine::serving_deadline(const Event&) {
    const bool proposed = !by_witness() && shrink_ == Shrink::Proposed && may_decide_alone();
    if (proposed && proposal_due_ && now_ >= *proposal_due_) {
        if (!asks_targets() || target_answered_) return settle_shrink(Confirmation::Alone);
        doubted_since_ = now_;  // serving_answered() goes on, or the lease runs out
    }
    if (!deadline_ || now_ < *deadline_) return;
    goal_ = Goal::Stop;
    demote();
}

/// The workers have begun to let go. With a witness this node may have it back at once, if that
/// says so; without one the other node may have it, and says so when it is met.
void Machine::lease_expired(const Event&) {
    tell("isolated", peer_name() + " has not confirmed in time that it hears this node" +
                         (by_witness() ? ", and the witness has not said that it may go on alone."
                          : may_decide_alone() ? "."
                                               : ", and no ping target answers."));
    boot_wait_over_ = boot_wait_over_ || by_witness();
    demote();
}

/// The peer serves by now, or nobody does: no promise is given here any more. Alone in S it is
/// another branch, and which one stays is decided when its report is here.
void Machine::overtaken_primary(const Event&) {
    if (head().in_sync == InSync::only(self())) return;
    tell("overtaken", peer_name() + " has decided without this node.");
    demote();
}

void Machine::settle_shrink(Confirmation confirmation) {
    HA_ASSERT(proposal_.has_value());
    record_.power_lost = false;  // a loss while ceding; nobody else is to hold anything now
    if (head().id != proposal_->id) decide(*proposal_, confirmation);
    apply_shrink();
}

void Machine::apply_shrink() {
    proposal_.reset();
    shrink_ = Shrink::None;
    evict_ = false;
    peer_ = Peer::Absent;
    serve();
    settled();
}

/// A shrink ended one way or the other: what was waiting for that goes on.
void Machine::settled() {
    if (phase_ == Phase::Withdrawing && addresses_gone_) return withdrawn();
    if (phase_ == Phase::Together && peer_ == Peer::Absent) return close_now();
    if (phase_ == Phase::Ceding && goal_ == Goal::Reopen) return ceded();
    if (phase_ == Phase::Ceding) return goal_ == Goal::Stop ? close_now() : resume();
    consider_peer();
}

// ---- planned stop and swap (R8, R13)
// --------------------------------------------------------------

void Machine::serving_stop(const Event& event) {
    const auto& stop = std::get<StopRequested>(event);
    wanted_again_ = stop.shutdown;
    Goal goal = stop.all ? Goal::StopTogether : Goal::Stop;
    if (is_primary(self())) return begin_stop(goal);
    stop_reason_ = {};  // it is an order now
    goal_ = goal;
    if (wanted_again_ && phase_ == Phase::StoppingUnits) {
        deadline_ = now_ + settings_.shutdown_bound;
    }
}

void Machine::serving_swap(const Event& event) {
    if (already_primary(event)) return;
    if (too_late(std::get<SwapRequested>(event).before)) return;
    if (!peer_fits()) {
        return refuse("peer-not-ready", peer_name() +
                                            " has no copy that is in sync and ready; the "
                                            "roles stay as they are.");
    }
    begin_stop(Goal::Swap);
}

void Machine::begin_stop(Goal goal) {
    goal_ = goal;
    addresses_gone_ = false;
    if (goal == Goal::Swap) tell("swap", "Exchanging the roles with " + peer_name() + ".");
    if (peer_ == Peer::Rebuilding) drop_rebuild();
    emit(StopUnits{});
    enter(Phase::StoppingUnits);
    if (wanted_again_) deadline_ = now_ + settings_.shutdown_bound;
    wait_for("stopping", "The application is being stopped.");
}

// ---- restart of the application
// --------------------------------------------------------------

/// Nothing else changes: the mirror, the addresses and the peer's part, a resync included, go on.
void Machine::serving_restart(const Event& event) {
    if (too_late(std::get<RestartRequested>(event).before)) return;
    record_.restarts = 0;
    persist();
    tell("restart", "The application is restarted by an operator's order.");
    goal_ = Goal::Restart;
    emit(StopUnits{});
    enter(Phase::StoppingUnits);
    wait_for("restarting", "The application is being restarted.");
}

/// Taken, if it is what is being done.
void Machine::stopping_restart(const Event& event) {
    if (goal_ != Goal::Restart) refuse_busy(event);
}

void Machine::units_stopped(const Event&) {
    if (goal_ == Goal::Restart) {
        goal_ = Goal::None;
        emit(StartUnits{});
        enter(Phase::Promoting);
        return wait_for("restarting", "The application is being started again.");
    }
    emit(DrainMirror{});
    enter(Phase::Draining);
    wait_for("draining", "The last changes are being made durable on both nodes.");
}

void Machine::drained(const Event&) {
    emit(DropAddresses{});
    enter(Phase::Withdrawing);
    wait_for("withdrawing", "The addresses are being removed.");
}

void Machine::addresses_dropped(const Event&) {
    addresses_gone_ = true;
    withdrawn();
}

/// R8, the point up to which an abort means "resume": application stopped, mirror drained.
void Machine::withdrawn() {
    if (shrink_ != Shrink::None) return;  // settled() comes back here
    bool fits = peer_fits();
    if (peer_ != Peer::Absent && !fits) {
        evict_ = true;
        return begin_shrink();
    }
    // Only the register can decide that the peer leads (R11).
    if (by_witness() && !can_ask() && goal_ != Goal::StopTogether) fits = false;
    switch (goal_) {
        case Goal::Swap:
        case Goal::HandOver:
            return fits ? cede(InSync::both(), goal_ == Goal::Swap ? Cause::Swap : Cause::HandOver)
                        : resume();
        case Goal::Stop: {
            const bool ordered = stop_reason_.code.empty();
            if (!ordered && !automatic()) fits = false;
            return fits ? cede(InSync::only(peer()), Cause::HandOver) : close_now();
        }
        case Goal::StopTogether:
            if (!fits) return close_now();
            enter(Phase::Together);
            wait_for("stopping", "Waiting for " + peer_name() + " to note that both stop.");
            // It may have noted it for an earlier stop, and would not say so again.
            return together_report(PeerReported{*peer_report_});
        case Goal::None:
        case Goal::Reopen:
        case Goal::Restart:
            return resume();
    }
}

void Machine::resume() {
    if (goal_ == Goal::Swap || goal_ == Goal::HandOver) {
        tell("swap-aborted", peer_name() + " cannot take the module; it goes on here.");
    }
    emit(ResumeMirror{});
    promote(peer_ == Peer::Member, term_);
}

void Machine::cede(InSync in_sync, Cause cause) {
    record_.ceding = child(in_sync, peer(), cause);
    persist();
    enter(Phase::Ceding);
    wait_for("ceding", "Handed over to " + peer_name() + "; waiting for it to take the module.");
    // What it said last may already mean that it cannot; it would not say so again.
    if (contact_ && peer_report_) ceding_report(PeerReported{*peer_report_});
}

void Machine::ceding_report(const Event& event) {
    const Report& report = std::get<PeerReported>(event).report;
    if (record_.ceding && report.chain.contains(record_.ceding->id)) {
        if (report.activity == Activity::Sealing) return;  // it takes it anew (lead_by_register)
        learn(report);
        return ceded();
    }
    if (shrink_ == Shrink::Proposed && proposal_ && report.chain.contains(proposal_->id)) {
        return settle_shrink(Confirmation::PeerConsent);
    }
    if (learn(report) || !record_.ceding) return enter_waiting();
    bool taking = report.activity == Activity::Following || report.activity == Activity::Sealing;
    if (taking) return;
    if (shrink_ == Shrink::Delayed && !record_.exchange) return begin_shrink();  // as serving
    if (shrink_ != Shrink::None) return;
    if (goal_ == Goal::Reopen) return ceded();
    // It never recorded it and says so: cancelled by agreement, never by silence.
    evict_ = true;
    begin_shrink();
}

/// The peer has taken the module (or, with our mirror gone, could not: then both elect).
void Machine::ceded() {
    peer_ = Peer::Absent;
    shrink_ = Shrink::None;
    proposal_.reset();
    if (goal_ == Goal::Stop || goal_ == Goal::StopTogether) return close_now();
    if (goal_ == Goal::Reopen) {
        goal_ = Goal::None;
        emit(OpenMirror{record_.module_id});
        enter(Phase::Opening);
        return wait_for("opening", "The mirror is being mounted again.");
    }
    if (goal_ == Goal::Swap) tell("swap-done", peer_name() + " has taken the module.");
    goal_ = Goal::None;
    bool keeps = in_sync_self() && !record_.outdated &&
                 peer_report_->activity == Activity::Serving && !peer_report_->term.none();
    return keeps ? follow(false) : enter_waiting();
}

void Machine::ceding_stop(const Event& event) {
    wanted_again_ = std::get<StopRequested>(event).shutdown;
    goal_ = Goal::Stop;
    if (!contact_) close_now();
}

/// Nobody answers a flush any more. If it is not seen whether the peer takes the module, that is
/// awaited with the mirror open, as after a restart.
void Machine::ceding_mirror_failed(const Event&) {
    if (goal_ == Goal::Stop) return;
    goal_ = Goal::Reopen;
    if (shrink_ == Shrink::Proposed) return;
    shrink_ = Shrink::None;
    if (silent_) ceded();
}

void Machine::together_report(const Event& event) {
    const Report& report = std::get<PeerReported>(event).report;
    if (report.stopped_together == head().id) {
        record_.stopped_together = head().id;  // close_now persists it
        return close_now();
    }
    serving_report(event);
}

// ---- forced demotion
// ------------------------------------------------------------------------------

/// Our own mirror ended: the application's files are gone from under it.
void Machine::serving_mirror_failed(const Event& event) {
    const auto& fact = std::get<MirrorFailed>(event);
    tell("mirror-lost", "The mirror on this node ended while serving: " + fact.text);
    demote_and_reopen();
    held_failed_ = true;
}

void Machine::demote_and_reopen() {
    const bool stopping = goal_ == Goal::Stop || goal_ == Goal::StopTogether;
    goal_ = stopping ? Goal::Stop : Goal::Reopen;
    demote();
}

/// The order is part of the contract (2-safety, "Single execution"): addresses, units, held
/// requests.
void Machine::demote() {
    tell("demotion", "Giving the module up by force: addresses, application, held writes.");
    give_up();
}

void Machine::give_up() {
    shrink_ = Shrink::None;
    proposal_.reset();
    units_gone_ = addresses_gone_ = held_failed_ = false;
    emit(DropAddresses{});
    emit(KillUnits{});
    emit(FailHeld{});
    enter(Phase::Demoting);
    wait_for("demoting", "The application is being ended by force.");
}

void Machine::demoting_units_gone(const Event&) {
    units_gone_ = true;
    demoted();
}

void Machine::demoting_addresses_dropped(const Event&) {
    addresses_gone_ = true;
    demoted();
}

void Machine::demoting_held_failed(const Event&) {
    held_failed_ = true;
    demoted();
}

void Machine::demoting_mirror_failed(const Event&) {
    if (goal_ != Goal::Stop) goal_ = Goal::Reopen;
    held_failed_ = true;
    demoted();
}

/// What an earlier process left here is cleared away so, too, when a module is opened: a start that
/// comes meanwhile is a start. Only what would overrule data waits for what comes of this.
void Machine::demoting_start(const Event& event) {
    const bool overrules = says_more(std::get<StartRequested>(event)) && !record_.chain.empty();
    if (goal_ == Goal::Stop || overrules) return refuse_busy(event);
    opening_start(event);
}

void Machine::demoting_stop(const Event& event) {
    wanted_again_ = std::get<StopRequested>(event).shutdown;
    goal_ = Goal::Stop;
}

/// The workers that would confirm it do not run; whatever ended them took what they held along.
void Machine::demoting_deadline(const Event&) {
    if (deadline_ && now_ >= *deadline_) close_now();
}

void Machine::demoted() {
    if (!units_gone_ || !addresses_gone_ || !held_failed_) return;
    bool peer_has_it = contact_ && peer_ == Peer::Member && !record_.outdated &&
                       head().in_sync == InSync::both() && head().primary == self();
    if (goal_ == Goal::Reopen && peer_has_it && automatic())
        return cede(InSync::only(peer()), Cause::HandOver);
    if (goal_ == Goal::Stop) return close_now();
    if (goal_ == Goal::Reopen) return ceded();
    enter_waiting();
}

}  // namespace ha::cluster
