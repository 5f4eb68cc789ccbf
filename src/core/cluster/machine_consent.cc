#include "core/cluster/machine.h"

#include <algorithm>
#include <utility>

namespace ha::cluster {

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
    if (put_back_) return true;
    return progress_ && report.progress && progress_->own < report.progress->peer;
}

/// For the journal, once; the reason says it as long as it stands.
void Machine::note_rolled_back(const Report& report) {
    if (!rolled_back(report) || reason_.code == "rolled-back") return;
    wait_for("rolled-back", "The disk of " + self_name() + " was put back to an earlier moment: " +
                                peer_name() + " knows of more than its copy holds.");
    tell("rolled-back", reason_.text);
}

/// It stays so whatever becomes of the other node: until this copy gets a role, or is opened anew.
void Machine::note_put_back() {
    if (contact_ && peer_report_ && rolled_back(*peer_report_)) put_back_ = true;
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

}  // namespace ha::cluster
