// The machine as a secondary: being rebuilt, following, leaving, taking over.

#include <utility>

#include "base/assert.h"
#include "core/cluster/machine.h"

namespace ha::cluster {

/// Under the serving peer's term. `resync`: as a target (R5); else this copy is identical.
void Machine::follow(bool resync) {
    HA_ASSERT(peer_report_.has_value());
    term_ = peer_report_->term;
    proposal_.reset();
    keeps_copy_ = false;
    rebuild_after_.reset();
    if (resync) ++attempt_;
    emit(FollowMirror{head().number, term_, resync});
    enter(resync ? Phase::Rebuilding : Phase::Secondary);
    wait_for("resynchronising", "The copy is being compared with " + peer_name() + "'s.");
}

// ---- being rebuilt
// --------------------------------------------------------------------------------

void Machine::rebuilding_report(const Event& event) {
    const Report& report = std::get<PeerReported>(event).report;
    learn(report);
    bool agreed = consent(report);
    bool same_source = report.activity == Activity::Serving && report.term == term_;
    if (agreed || !same_source) return enter_waiting();
    if (told_ && told_->id == head().id) told_in(ToldIn{*told_});
}

void Machine::rebuilding_silent(const Event&) {
    enter_waiting();
}

void Machine::rebuilding_stream_down(const Event& event) {
    if (std::get<StreamDown>(event).term == term_) enter_waiting();
}

/// R5's end: the one way out of being outdated.
void Machine::told_in(const Event& event) {
    const Decision& decision = std::get<ToldIn>(event).decision;
    bool next = decision.parent == head().id && decision.number == head().number.next();
    bool known = decision.id == head().id;
    if (decision.in_sync != InSync::both() || decision.primary != peer()) return;
    if (!next && !known) {  // what was decided before it is in a report that is on its way
        told_ = decision;
        return;
    }
    if (next) {
        record_.chain.append({decision, false, Confirmation::PeerConsent});
        moved();
    }
    record_.outdated = false;
    record_.power_lost = false;
    persist();
    enter(Phase::Secondary);
    tell("joined", "This node's copy is in sync.");
}

// ---- following
// ------------------------------------------------------------------------------------

void Machine::secondary_report(const Event& event) {
    const Report& report = std::get<PeerReported>(event).report;
    bool learned = learn(report);
    if (consent(report) || (learned && record_.outdated)) return enter_waiting();
    if (report.chain.empty() || report.chain.head().decision.id != head().id) return;
    if (report.ceding && report.ceding->parent == head().id && report.ceding->primary == self()) {
        ceded_to_us_ = report.ceding;
        return seal();
    }
    bool flagged = record_.stopped_together == head().id;
    if (report.stopping_together == head().id && !flagged && !stops_together_) {
        stops_together_ = true;
        return flush(false);
    }
    if (stops_together_ && flagged && report.stopped_together == head().id) return close_now();
    bool given_up = report.activity != Activity::Leaving && report.stopping_together.none() &&
                    report.stopped_together.none();
    if (given_up && (flagged || stops_together_)) return together_given_up(report);
    // A primary that says it waits or is stopped cannot begin to serve without our consent. One
    // that is opening can: its clusterd was restarted and may find the application served all the
    // while.
    bool gave_up = report.activity == Activity::Waiting || report.activity == Activity::Stopped;
    if (!gave_up || flagged) return;
    const bool can_decide = !by_witness() || reached();
    if (automatic() && can_decide) return seal();
    enter_waiting();  // both elect: its primary leads again unless power was lost there
}

/// The primary wanted both to stop and was interrupted: what was noted for that holds no more.
void Machine::together_given_up(const Report& report) {
    bool wanted = std::exchange(stops_together_, false);
    record_.stopped_together = Id128{};
    persist();
    if (report.activity == Activity::Serving) return;
    if (wanted) return close_now();
    enter_waiting();
}

void Machine::secondary_durable(const Event& event) {
    if (!stops_together_ || std::get<MadeDurable>(event).token != flush_token_) return;
    record_.stopped_together = head().id;
    persist();
}

void Machine::secondary_silent(const Event&) {
    if (stops_together_) close_now();
}

void Machine::secondary_overdue(const Event&) {
    if (contact_) return;
    const bool may = by_witness() || (settings_.policy == Policy::Available && may_decide_alone());
    if (may && automatic()) return seal();
    boot_wait_over_ = true;
    enter_waiting();
}

void Machine::secondary_stop(const Event& event) {
    const auto& stop = std::get<StopRequested>(event);
    wanted_again_ = stop.shutdown;
    bool primary_decides = contact_ && peer_report_ && peer_report_->activity == Activity::Serving;
    if (stop.all && primary_decides) return;  // it asks for our flag when it has drained
    if (!primary_decides) return close_now();
    enter(Phase::Leaving);
    deadline_ = now_ + settings_.stop_hold;
    wait_for("stopping", "Leaving the in-sync set by agreement with " + peer_name() + ".");
}

/// One that the primary could carry out goes there at once (gives_swap_on()) and leaves nothing
/// here.
void Machine::secondary_swap(const Event& event) {
    if (already_primary(event)) return;
    if (contact_) return refuse_busy(event);
    refuse("peer-silent", peer_name() + " is not seen; nothing to swap with.");
}

void Machine::leaving_report(const Event& event) {
    const Report& report = std::get<PeerReported>(event).report;
    bool learned = learn(report);
    if (consent(report) || learned || report.activity != Activity::Serving) close_now();
}

/// A decision that this node neither agreed to nor was told of leaves it out (R2).
void Machine::overtaken_secondary(const Event&) {
    if (phase_ == Phase::Leaving) return close_now();
    record_.outdated = true;
    persist();
    tell_overtaken();
    enter_waiting();
}

void Machine::tell_overtaken() {
    tell("overtaken", peer_name() + " has decided without this node; its copy counts as outdated.");
}

void Machine::tell_takeover() {
    tell("takeover",
         "Taking over: " + peer_name() + (contact_ ? " does not serve any more." : " is silent."));
}

// ---- taking over
// ----------------------------------------------------------------------------------

void Machine::seal() {
    emit(SealMirror{head().number});
    enter(Phase::Sealing);
    wait_for("taking-over", "Taking over from " + peer_name() + ".");
}

void Machine::sealed(const Event& event) {
    if (std::get<Sealed>(event).epoch >= head().number) flush(false);
}

void Machine::sealing_durable(const Event& event) {
    if (std::get<MadeDurable>(event).token != flush_token_) return;
    sealed_durable_ = true;
    take_over();
}

void Machine::sealing_report(const Event& event) {
    const Report& report = std::get<PeerReported>(event).report;
    if (learn(report)) return enter_waiting();
    if (forcing_) return;
    if (report.ceding && report.ceding->parent == head().id && report.ceding->primary == self()) {
        ceded_to_us_ = report.ceding;
    }
    if (by_witness() && sealed_durable_) take_over();
}

void Machine::take_over() {
    if (record_.exchange && !pending()) return;  // R6: the register shows what becomes of it
    if (forcing_) return decide_forced();
    if (by_witness() && pending()) return enter_waiting();
    // It cedes by a witness that this node does not go by: only there it could be taken.
    const bool elsewhere = contact_ && peer_report_ && peer_report_->witness != witness();
    if (ceded_to_us_ && elsewhere) return enter_waiting();
    if (ceded_to_us_ && ceded_to_us_->parent == head().id) {
        Decision given = *ceded_to_us_;
        if (by_witness()) return ask_or_wait(given);
        ceded_to_us_.reset();
        tell("taking", peer_name() + " hands the module over; this node takes it.");
        decide(given, Confirmation::PeerConsent);
        return promote(given.in_sync.has(peer()), mint_id());
    }
    bool primary_lives =
        contact_ && peer_report_ &&
        (peer_report_->activity == Activity::Serving || peer_report_->activity == Activity::Ceding);
    if (!automatic()) return enter_waiting();  // switched off meanwhile
    if (primary_lives)
        return enter_waiting();  // our copy is sealed: it takes us out and rebuilds us
    if (by_witness()) {
        const RegisterStanding now = stand();
        const bool useless =
            !reached() || now == RegisterStanding::Lost || now == RegisterStanding::Foreign;
        if (contact_ && useless) return enter_waiting();  // the two may agree
        return ask_or_wait(child(InSync::only(self()), self(), Cause::Takeover));
    }
    tell_takeover();
    decide(child(InSync::only(self()), self(), Cause::Takeover), Confirmation::Alone);
    promote(false, mint_id());
}

}  // namespace ha::cluster
