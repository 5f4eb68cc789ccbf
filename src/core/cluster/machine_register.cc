// The machine and the witness's register (2-safety: R3, R4, R6, R7, R8, R10): one exchange at a
// time, recorded before it is sent, pursued under the same id until the register shows what became
// of it.

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "core/cluster/machine.h"

namespace ha::cluster {
namespace {

bool forced_unheard(const Chain& chain) {
    const auto& entries = chain.entries();
    return std::any_of(entries.begin(), entries.end(), [](const ChainEntry& entry) {
        return entry.decision.cause == Cause::Forced &&
               entry.confirmation == Confirmation::Operator;
    });
}

}  // namespace

/// Before any handler: what is shown settles our exchange, or teaches a decision of the peer's.
void Machine::note_register(const RegisterShown& event) {
    witness_reached_ = true;
    shown_ = event.value;
    brought_up_ = Id128{};
    if (pending()) {
        // Somebody decided there after our head: the other node has it in force.
        if (stand() != RegisterStanding::Ahead || record_.chain.empty()) return;
        adopt_witness();
    }
    settle_exchange();
    learn_shown();
    pursue();
    const RegisterStanding now = stand();
    const bool past = now == RegisterStanding::Same || now == RegisterStanding::Ahead;
    if (past && !std::exchange(record_.abandoned, {}).none()) persist();  // it has lost
}

void Machine::settle_exchange() {
    if (!record_.exchange || !shown_) return;
    const Exchange asked = *record_.exchange;
    const Id128& shown = shown_->decision.id;
    // It may still arrive, now or when the register has been brought up to what it replaces.
    if (shown == asked.expected || record_.chain.contains(shown)) return;
    record_.exchange.reset();
    const bool next = record_.chain.empty() || asked.decision.parent == head().id;
    if (shown == asked.decision.id && next) {
        record_.outdated = false;  // it was, if an operator forced this
        if (asked.decision.cause == Cause::Takeover) tell_takeover();
        decide(asked.decision, Confirmation::Register);
        won_ = true;
        return;
    }
    if (record_.chain.empty()) record_.module_id = Id128{};  // the other node's birth won (R10)
    persist();
}

/// A decision this node had no part in, and one it is only told of by the register: R2.
void Machine::learn_shown() {
    if (stand() != RegisterStanding::Ahead || record_.chain.empty()) return;
    if (taken() && phase_ == Phase::Ceding) return;  // the peer says so itself, or falls silent
    const bool had_none = !taken() && !had_part(shown_->decision.id);
    learn_given();
    const Decision& decision = shown_->decision;
    const bool child = decision.parent == head().id;
    if (child && decision.number != head().number.next())
        return;  // no decision of ours or the peer's
    if (!child && record_.outdated) return;
    if (child) {
        record_.chain.append({decision, false, Confirmation::Register});
        moved();
    }
    const bool without_us = !child || !decision.in_sync.has(self()) || had_none;
    if (without_us && !record_.outdated) tell_overtaken();
    if (without_us) {
        record_.outdated = true;
        record_.power_lost = false;
    }
    if (child) record_.ceding.reset();
    record_.stopped_together = Id128{};
    persist();
    // It lived when it decided that, and holds the module: it is waited for as at the beginning.
    if (decision.primary == peer()) {
        boot_wait_over_ = false;
        if (phase_ == Phase::Waiting) deadline_.reset();
    }
}

/// What this node ceded came into force: it is shown, or what its new primary made of it.
bool Machine::taken() const {
    if (!shown_ || !record_.ceding) return false;
    const Decision& given = *record_.ceding;
    const Decision& shown = shown_->decision;
    return shown.id == given.id ||
           (shown.parent == given.id && shown.number == given.number.next());
}

/// Ceded by this node, and the parent of what is shown: so it is the child of our head.
void Machine::learn_given() {
    if (!taken() || shown_->decision.id == record_.ceding->id) return;
    record_.chain.append({*record_.ceding, false, Confirmation::Register});
    record_.ceding.reset();
}

/// Our open exchange is asked for, again.
void Machine::pursue() {
    if (!reached() || !record_.exchange || awaits_consent()) return;
    const Exchange& asked = *record_.exchange;
    const bool expected = shown_ ? shown_->decision.id == asked.expected : asked.expected.none();
    if (expected) emit(AskWitness{asked.expected, to_ask(asked.decision)});
}

/// A head that was decided by agreement (R11) is the register's value before anything else is, also
/// where what this node asked for before it was agreed on has arrived there nevertheless (R6). So
/// is one that goes back to an operator's word given while the witness could not hear it, once both
/// nodes stand by it: then nobody goes by the value it replaces.
void Machine::bring_up() {
    if (!reached()) return;
    const RegisterStanding now = stand();
    const bool chosen =
        now == RegisterStanding::Foreign && shown_->module_id == record_.module_id && contact_ &&
        peer_report_ && !peer_report_->chain.empty() &&
        peer_report_->chain.head().decision.id == head().id && forced_unheard(record_.chain);
    if ((now != RegisterStanding::Behind && !chosen) || brought_up_ == head().id) return;
    brought_up_ = head().id;
    emit(AskWitness{shown_->decision.id, to_ask(head())});
}

/// From now on this node wants this decision and no other, until it is settled: at the register as
/// soon as that is reached, or by the peer's consent if that may give it (R11).
void Machine::ask(const Decision& decision, const Id128& expected) {
    HA_ASSERT(!record_.exchange);
    record_.exchange = Exchange{expected, decision};
    asked_at_ = now_;
    persist();
    pursue();
}

/// The register shows that our exchange was won, and this node does not serve yet. If the other
/// node may lead by that decision, too, it may have seen it before, waited for boot_wait, and asked
/// for a decision of its own that is still on its way: served by what is only read, or answered so
/// late, the module would run on both when that arrives. A child of the decision is asked for then,
/// so that one of the two exchanges fails.
void Machine::lead_by_register() {
    const bool in_time = asked_at_ && now_ < *asked_at_ + settings_.boot_wait;
    if (in_time || !head().in_sync.has(peer())) {
        return promote(head().in_sync.has(peer()), mint_id());
    }
    ask(child(head().in_sync, self(), head().cause), head().id);
    wait_for_witness();
}

/// Both copies are identical: the other node keeps its own only if it agrees before it learns. One
/// that can agree no more is not waited for: it is decided, and that node is rebuilt.
bool Machine::awaits_consent() const {
    const Decision& asked = record_.exchange->decision;
    if (asked.cause != Cause::Election || asked.in_sync != InSync::both()) return false;
    return contact_ && peer_report_ && peer_report_->stopped_together == asked.parent &&
           !peer_report_->outdated && !peer_report_->power_lost && peer_report_->data_ok &&
           peer_report_->activity == Activity::Waiting;
}

/// The peer may settle our exchange by its consent: it makes nobody else primary and takes no
/// hand-over back.
bool Machine::may_agree() const {
    return both_pending() || (head().primary == self() && !record_.ceding);
}

/// A child of our head may be asked for now.
bool Machine::can_ask() const {
    if (!by_witness() || record_.exchange) return false;
    return reached() &&
           stand() == (record_.chain.empty() ? RegisterStanding::Unborn : RegisterStanding::Same);
}

/// The register's value, as it was shown last, and what this node knows.
RegisterStanding Machine::stand() const {
    const bool overruled = shown_ && !record_.chain.empty() &&
                           shown_->module_id == record_.module_id &&
                           shown_->decision.overrides == head().id;
    const bool abandoned =
        shown_ && !record_.abandoned.none() && shown_->decision.id == record_.abandoned;
    if (abandoned) return RegisterStanding::Behind;
    return overruled ? RegisterStanding::Ahead : standing(record_.module_id, record_.chain, shown_);
}

/// What the register is asked to hold for a decision that is our head or asked for as its child.
Registered Machine::to_ask(const Decision& decision) const {
    Chain chain = record_.chain;
    if (chain.empty() || chain.head().decision.id != decision.id) chain.append({decision});
    return registered(record_.module_id, chain, settings_.rules);
}

// ---- by phase
// ------------------------------------------------------------------------------------

void Machine::waiting_register(const Event&) {
    evaluate();
}

void Machine::waiting_witness_lost(const Event&) {
    evaluate();
}

/// A node without a role and what it may do by the register alone; the peer is not seen, or both
/// came to the answer that this node leads.
void Machine::decide_by_witness() {
    if (!flushed_first()) return;
    if (!can_ask()) return wait_for_witness();
    if (record_.power_lost) {
        tell("loss-accepted", "The system here stopped unclean, or its disk failed, and " +
                                  peer_name() +
                                  " is not seen; what was written since the last fsync and only " +
                                  peer_name() + " may still hold is given up.");
    }
    ask(child(InSync::only(self()), self(), Cause::Election), head().id);
    wait_for_witness();
}

void Machine::ask_or_wait(const Decision& decision) {
    if (can_ask()) ask(decision, head().id);
    wait_for_witness();
}

void Machine::wait_for_witness() {
    if (pending() && contact_ && witness_differs()) return block_differing_witness();
    if (pending()) {
        return block("witness-pending",
                     "The witness was changed, and the nodes have not met since: start the module "
                     "on " +
                         peer_name() + ". If that node is lost, here: hamirrorctl start " +
                         settings_.module + (record_.chain.empty() ? " --as-source" : " --force"));
    }
    if (!reached()) return block("witness-unreachable", "The witness is not reached.");
    if (stand() == RegisterStanding::Lost) {
        return block(
            "register-lost",
            "The witness holds nothing of this module: its store was lost or replaced. With "
            "both nodes up: hamirrorctl witness remove, then hamirrorctl witness add.");
    }
    if (stand() == RegisterStanding::Foreign) {
        return block(
            "register-foreign",
            "The witness holds a decision that this node's do not lead to. With both nodes "
            "up: hamirrorctl witness remove, then hamirrorctl witness add.");
    }
    wait_for("witness", "Waiting for the witness to decide.");
}

void Machine::secondary_register(const Event&) {
    if (std::exchange(won_, false)) return lead_by_register();
    if (!record_.outdated || phase_ == Phase::Rebuilding) return;
    if (phase_ == Phase::Leaving) return close_now();
    enter_waiting();
}

void Machine::sealing_register(const Event&) {
    if (std::exchange(won_, false)) return lead_by_register();
    if (record_.exchange) return;
    if (record_.outdated) return enter_waiting();
    if (sealed_durable_) take_over();
}

void Machine::sealing_witness_lost(const Event&) {
    if (sealed_durable_) take_over();
}

void Machine::serving_register(const Event&) {
    if (std::exchange(won_, false)) {
        return head().in_sync == InSync::only(self()) ? apply_shrink() : apply_join();
    }
    if (record_.outdated || head().primary != self()) return demote();
    if (proposal_ && head().id == proposal_->id) return apply_shrink();
    if (record_.exchange) return;
    if (shrink_ == Shrink::Delayed) begin_shrink();
}

/// R8: completed under the same id, or cancelled by a shrink that is seen to win.
void Machine::ceding_register(const Event& event) {
    if (std::exchange(won_, false)) return apply_shrink();
    if (record_.outdated || head().primary != self()) return enter_waiting();
    if (!taken()) return serving_register(event);
    if (contact_) return;  // its report is on its way
    learn_given();
    record_.chain.append({shown_->decision, false, Confirmation::Register});
    moved();
    record_.outdated = !in_sync_self();
    record_.ceding.reset();
    persist();
    boot_wait_over_ = false;
    enter_waiting();
}

void Machine::ceding_silent(const Event& event) {
    if (goal_ == Goal::Stop) return close_now();  // the record says that this node gave it
    if (goal_ == Goal::Reopen && shrink_ == Shrink::None) return ceded();  // nobody can flush
    if (!by_witness()) return;  // whether it took the module it alone knows
    if (taken()) return ceding_register(event);
    if (shrink_ != Shrink::None) return;
    evict_ = true;
    begin_shrink();
}

}  // namespace ha::cluster
