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
/// decision. What one of them asked of the witness before, it will never hear of.
bool Machine::both_pending() const {
    return by_witness() && pending() && contact_ && peer_report_ && !witness_differs() &&
           peer_report_->witness != settings_.witness;
}

void Machine::configure_witness(const WitnessConfigured& event) {
    settings_.witness = event.store;
    witness_reached_ = false;
    shown_.reset();
    brought_up_ = Id128{};
}

/// The other node goes by the witness that is configured here, too, and has recorded that.
void Machine::note_rules(const Report& report) {
    if (record_.chain.empty() || report.chain.empty() || !pending()) return;
    if (report.module_id != record_.module_id || report.witness != settings_.witness) return;
    // One that was away since before the witness of today says the same.
    const bool removed = report.witness_configured.none() && report.activity == Activity::Serving;
    if (!settings_.witness.none() || removed) adopt_witness();
}

/// The primary installs what is pending: a witness by exchanging an absent value for its head. Only
/// with a member that has it pending, too, or alone under a decision that is confirmed.
void Machine::change_rules() {
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
    if (!witness_reached_ || now != RegisterStanding::Lost || brought_up_ == head().id) return;
    brought_up_ = head().id;
    emit(AskWitness{Id128{}, to_ask(head())});
}

/// What was asked of the witness before and is not settled will not be: nobody goes by it any more.
void Machine::adopt_witness() {
    record_.witness = settings_.witness;
    record_.exchange.reset();
    persist();
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
