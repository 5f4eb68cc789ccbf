// The machine and R14: which witness is in force. One that was added, replaced or removed in
// cluster.yaml is pending first. The primary changes over before its secondary does, since what it
// may not decide alone any more is held and not promised; both keep to the witness before until
// then, and if that is none, to the policy.

#include "core/cluster/machine.h"

namespace ha::cluster {

/// In force here. A module without decisions has nothing that another rule could have decided.
Id128 Machine::witness() const {
    return record_.chain.empty() && !record_.exchange ? settings_.witness : record_.witness;
}

/// The two files differ: only one of them has heard of the change yet.
bool Machine::witness_differs() const {
    return peer_report_ && peer_report_->witness_configured != settings_.witness;
}

/// Both are to go by another witness than before, and talk to each other: what they agree on is the
/// decision. What one of them asked of the witness before, it will never hear of. Of one that was
/// removed the other may know already (note_rules() waits until it serves).
bool Machine::both_pending() const {
    return by_witness() && witness() != settings_.witness && contact_ && peer_report_ &&
           !witness_differs() &&
           (settings_.witness.none() || peer_report_->witness != settings_.witness);
}

/// Before the other node hears that another witness is configured here: from then on it may go by
/// that. Durable, because this node's file may be changed back before it has heard so.
void Machine::open_rules() {
    if (record_.chain.empty() || record_.witness == settings_.witness || record_.witness_open)
        return;
    record_.witness_open = true;
    persist();
}

/// The other node decides by what this one does, or will: never both in S otherwise. Of one whose
/// report is not at hand nobody knows.
bool Machine::may_join() const {
    return peer_report_ && !report_differs() && !witness_differs() &&
           (pending() || peer_report_->witness == witness());
}

void Machine::configure_witness(const WitnessConfigured& event) {
    settings_.witness = event.store;
    witness_mark_ = mint_id();
    witness_reached_ = false;
    asked_at_.reset();
    shown_.reset();
    brought_up_ = Id128{};
    probes_ = {};  // it was for a pair without
}

/// The other node goes by the witness that is configured here, too, and has recorded that.
void Machine::note_rules(const Report& report) {
    if (record_.chain.empty() || report.chain.empty() || !pending()) return;
    if (report.module_id != record_.module_id || report.witness != settings_.witness) return;
    // Changed and changed back here: only once the other has heard of the latter, for until then it
    // may change over.
    const bool back = record_.witness == settings_.witness;
    if (back && (witness_differs() || report.witness_heard != witness_mark_)) return;
    // One that was away since before the witness of today says the same.
    const bool removed = report.witness_configured.none() && report.activity == Activity::Serving;
    if (!settings_.witness.none() || removed) adopt_witness();
}

/// The primary installs what is pending: a witness by exchanging an absent value for its head. Only
/// with a member that has it pending, too, or alone under a decision that is confirmed.
void Machine::change_rules() {
    if (both_pending()) agree_instead();
    if (!pending() || phase_ != Phase::Serving || record_.exchange || shrink_ != Shrink::None)
        return;
    const bool agreed = peer_ == Peer::Member && contact_ && peer_knows() && !witness_differs();
    const bool alone = peer_ != Peer::Joining && head().in_sync == InSync::only(self()) &&
                       record_.chain.head().confirmation != Confirmation::Alone;
    if (!agreed && !alone) return;
    const RegisterStanding now = stand();
    const bool installed =
        witness_reached_ && (now == RegisterStanding::Same || now == RegisterStanding::Behind);
    if (settings_.witness.none() || installed) {
        adopt_witness();
        return consider_peer();  // one that has waited for that
    }
    // What is left there of an earlier time is nobody's value if neither node goes by it.
    const bool left_over = now == RegisterStanding::Foreign && agreed &&
                           witness() != settings_.witness &&
                           peer_report_->witness != settings_.witness;
    const bool absent = now == RegisterStanding::Lost || left_over;
    if (!witness_reached_ || !absent || brought_up_ == head().id) return;
    brought_up_ = head().id;
    emit(AskWitness{shown_ ? shown_->decision.id : Id128{}, to_ask(head())});
}

/// What waits for the witness before goes on without it.
void Machine::agree_instead() {
    const bool waits = serving() || phase_ == Phase::Ceding;
    if (waits && shrink_ == Shrink::Delayed) return begin_shrink();
    const bool joins = serving() && peer_ == Peer::Joining && shrink_ == Shrink::None && !evict_ &&
                       record_.exchange && record_.exchange->decision.parent == head().id;
    if (!joins) return;
    decide(Decision(record_.exchange->decision), Confirmation::Alone);
    apply_join();
}

/// What was asked of the witness before and is not settled will not be: nobody goes by it any more.
/// Of the same witness it is asked again, for what it showed meanwhile was not heeded. What the
/// other node was asked to agree to may be agreed to.
void Machine::adopt_witness() {
    if (record_.witness != settings_.witness) {
        record_.proposed = record_.proposed || record_.exchange.has_value();
        record_.exchange.reset();
        record_.abandoned = Id128{};
    }
    record_.witness = settings_.witness;
    record_.witness_open = false;
    persist();
    if (reached() && record_.exchange && !awaits_consent()) {
        emit(AskWitness{record_.exchange->expected, to_ask(record_.exchange->decision)});
    }
    tell("witness", record_.witness.none() ? "No witness decides from now on."
                                           : "The witness decides from now on.");
}

void Machine::sealing_rules(const Event&) {
    enter_waiting();
}

void Machine::serving_rules(const Event&) {
    consider_peer();
}

}  // namespace ha::cluster
