// The machine without a role: meeting the peer, the boot table of 2-safety, births.

#include <utility>

#include "base/assert.h"
#include "core/cluster/machine.h"

namespace ha::cluster {

void Machine::enter_waiting() {
    // The mirror ended meanwhile: it is opened first.
    if (phase_ == Phase::Ceding && goal_ == Goal::Reopen) return ceded();
    proposal_.reset();
    ceded_to_us_.reset();
    shrink_ = Shrink::None;
    peer_ = Peer::Absent;
    term_ = Id128{};
    copy_durable_ = copy_flushing_ = false;
    probes_ = {};
    emit(HoldMirror{});
    enter(Phase::Waiting);
    // A proposal that keeps both copies is agreed to here alone, and not said again. Any other was
    // answered when it came.
    const bool stands = contact_ && peer_report_ && peer_report_->proposal;
    if (stands && peer_report_->proposal->in_sync.has(self())) consent(*peer_report_);
    evaluate();
}

void Machine::waiting_start(const Event& event) {
    record_.restarts = 0;
    const auto& start = std::get<StartRequested>(event);
    if (says_more(start) && !marker_valid_) return refuse("data-missing", reason_.text);
    if (auto why = objection(start)) return refuse(why->code.c_str(), why->text);
    note_word(start);
    evaluate();
    // It is running already, so far as it can: what is needed is something else.
    if (says_more(start)) return;
    if (phase_ == Phase::Waiting && blocked_) refuse(reason_.code.c_str(), reason_.text);
}

void Machine::waiting_swap(const Event& event) {
    if (already_primary(event)) return;
    if (!blocked_) return refuse_busy(event);
    refuse(reason_.code.c_str(), "There are no roles to exchange. " + reason_.text);
}

void Machine::waiting_report(const Event& event) {
    const Report& report = std::get<PeerReported>(event).report;
    deadline_.reset();
    probes_ = {};
    bool agreed = proposal_ && report.chain.contains(proposal_->id);
    learn(report);
    if (agreed && head().id == proposal_->id) {
        return promote(head().in_sync.has(peer()), mint_id());
    }
    consent(report);
    pursue();  // it may have come back as one that cannot agree
    evaluate();
}

void Machine::waiting_silent(const Event&) {
    proposal_.reset();
    keeps_copy_ = false;
    evaluate();
}

void Machine::waiting_overdue(const Event&) {
    evaluate();
}

void Machine::waiting_answered(const Event&) {
    evaluate();
}

/// What it said last holds no more, and what it decided is not known here.
void Machine::waiting_ahead(const Event&) {
    evaluate();
}

void Machine::waiting_deadline(const Event&) {
    deadline_.reset();
    if (!contact_) boot_wait_over_ = true;
    evaluate();
}

void Machine::waiting_durable(const Event& event) {
    if (std::get<MadeDurable>(event).token != flush_token_ || !copy_flushing_) return;
    copy_durable_ = true;
    evaluate();
}

/// Decides what a node without a role does, from what it knows now. Runs again after every change.
void Machine::evaluate() {
    if (!marker_valid_) return;
    if (auto word = std::exchange(word_, std::nullopt)) {
        carry_out(*word);
        if (phase_ != Phase::Waiting) return;
    }
    if (std::exchange(won_, false) && head().primary == self()) return lead_by_register();
    if (record_.exchange && !both_pending()) {  // the stricter of both outcomes (R6)
        // R7: a loss that was accepted because the other node was not seen is no agreement.
        const bool met =
            contact_ && peer_report_ && (record_.power_lost || rolled_back(*peer_report_));
        if (met && !record_.chain.empty() && !may_lead(*peer_report_)) {
            proposal_.reset();
        } else if (!record_.chain.empty() && may_agree()) {
            proposal_ = record_.exchange->decision;
        }
        return wait_for_witness();
    }
    if (record_.chain.empty()) {
        return block(
            "nobody-knows",
            "Nobody knows yet whose data is right. On the node that has the good data run: "
            "hamirrorctl start " +
                settings_.module + " --as-source");
    }
    if (!contact_ || !peer_report_) return wait_alone();
    const Report& report = *peer_report_;
    if (report.chain.empty()) {
        return report.activity == Activity::Waiting || report.activity == Activity::Stopped
                   ? elect()
                   : wait_for("meeting", "Waiting for " + peer_name() + ".");
    }
    switch (relation(record_.chain, report.chain, self())) {
        case Relation::Foreign:
            return block("foreign", "The data of " + peer_name() +
                                        " belongs to another module of "
                                        "this name: both were started --as-source on their own.");
        case Relation::Diverged:
            return block("diverged",
                         "Both nodes served independently of each other. On the node "
                         "whose data shall stay run: hamirrorctl start " +
                             settings_.module + " --force");
        case Relation::Behind:
        case Relation::Yield:
            return block("foreign", "The decisions of " + peer_name() + " cannot be followed.");
        case Relation::Ahead:
        case Relation::Prevail:
            return wait_for("meeting", peer_name() + " is learning the newest decision.");
        case Relation::Same:
            break;
    }
    switch (report.activity) {
        case Activity::Serving:
            return evaluate_serving_peer();
        case Activity::Waiting:
        case Activity::Stopped:
            return elect();
        case Activity::Opening:
        case Activity::Rebuilding:
        case Activity::Following:
        case Activity::Sealing:
        case Activity::Ceding:
        case Activity::Leaving:
            return wait_for("meeting", "Waiting for " + peer_name() + " to settle.");
    }
}

/// The other node decides by other rules (R14): never both in S.
bool Machine::report_differs() const {
    return peer_report_ && peer_report_->rules != settings_.rules;
}

void Machine::block_differing_witness() {
    block("configuration-differs",
          "The witness in /etc/hamirror/cluster.yaml on " + self_name() + " is not " + peer_name() +
              "'s. On either node: hamirrorctl witness add HOST (or remove).");
}

void Machine::evaluate_serving_peer() {
    if (keeps_copy_ && !record_.outdated && in_sync_self()) return follow(false);
    if (!record_.outdated) {
        return wait_for("rejoining", peer_name() + " serves and is about to take " + self_name() +
                                         "'s copy out of the in-sync set before it is rebuilt.");
    }
    if (report_differs()) {
        return block("configuration-differs",
                     "The configuration of " + settings_.module + " on " + self_name() +
                         " is not " + peer_name() + "'s. On " + self_name() +
                         ", stop the module, apply the file " + peer_name() +
                         " has (hamirrorctl apply FILE), start it again.");
    }
    if (witness_differs()) {
        return block_differing_witness();
    }
    if (rebuild_after_ && now_ < *rebuild_after_) {
        deadline_ = rebuild_after_;
        return block("copy-failed",
                     "The copy on " + self_name() + " failed; it is rebuilt after a pause.");
    }
    follow(true);
}

// ---- both nodes see each other, neither serves
// ----------------------------------------------------

/// What its kernel held included.
bool Machine::has_it_all(const Report& report) const {
    return in_sync_self() && !record_.outdated && !record_.power_lost && !rolled_back(report);
}

bool Machine::peer_has_it_all(const Report& report) const {
    return head().in_sync.has(peer()) && !report.outdated && !report.power_lost &&
           !peer_rolled_back(report);
}

bool Machine::may_lead(const Report& report) const {
    if (record_.outdated || !in_sync_self() || rolled_back(report)) return false;
    return !record_.power_lost || !peer_has_it_all(report);
}

bool Machine::peer_may_lead(const Report& report) const {
    if (report.outdated || !head().in_sync.has(peer()) || peer_rolled_back(report)) return false;
    return !report.power_lost || !has_it_all(report);
}

void Machine::block_unable(const Report& report) {
    const std::string elsewhere = "start the module on " + peer_name() + ".";
    if (rolled_back(report)) {
        const std::string was =
            "The disk of " + self_name() + " was put back to an earlier moment; ";
        const bool too = peer_rolled_back(report);
        if (!too && !report.outdated) return block("rolled-back", was + elsewhere);
        const std::string theirs = too ? "so was " + peer_name() + "'s. "
                                       : peer_name() + "'s copy is older by its decisions. ";
        return block("rolled-back", was + theirs +
                                        "On the node whose data shall stay run: "
                                        "hamirrorctl start " +
                                        settings_.module + " --force");
    }
    if (record_.power_lost) {
        return block("power-lost-here", "Power was lost on " + self_name() +
                                            ", or its disk failed, while " + peer_name() +
                                            " held the same data; " + elsewhere);
    }
    block("outdated",
          "The data on " + self_name() + " is older than " + peer_name() + "'s; " + elsewhere);
}

/// Who can lead is not seen; the witness knows nothing of copies.
void Machine::block_put_back() {
    block("rolled-back", "The disk of " + self_name() + " was put back to an earlier moment, and " +
                             peer_name() + ", which knows of more, is not seen. If that node is " +
                             "lost, here: hamirrorctl start " + settings_.module + " --force");
}

void Machine::tell_peer_rolled_back() {
    if (!peer_rolled_back(*peer_report_)) return;
    tell("rolled-back", "The copy on " + peer_name() +
                            " is older than what this node knows of it: its disk was put back to "
                            "an earlier moment. " +
                            self_name() + " leads, and it is rebuilt.");
}

/// "Boot" of 2-safety. Both nodes come to the same answer from the same two reports.
void Machine::elect() {
    const Report& report = *peer_report_;
    bool peer_able =
        peer_may_lead(report) && report.activity == Activity::Waiting && report.data_ok;
    bool flagged = record_.stopped_together == head().id;
    if (!may_lead(report)) {
        proposal_.reset();
        note_rolled_back(report);
        if (peer_able && (automatic() || head().primary == peer()))
            return wait_for(rolled_back(report) ? "rolled-back" : "meeting",
                            peer_name() + " leads.");
        return block_unable(report);
    }
    bool peer_first = peer_able && head().primary == peer();
    bool await_primary =
        !peer_able && flagged && head().primary == peer() && report.activity == Activity::Stopped;
    if (peer_first) {
        proposal_.reset();
        return wait_for("meeting", peer_name() + " leads.");
    }
    if (await_primary) {
        return block("peer-first", "Both nodes were stopped together and " + peer_name() +
                                       " was primary; start the module on " + peer_name() + ".");
    }
    if (head().primary == peer() && !automatic()) return block_failover_off();
    lead();
}

void Machine::lead() {
    const Report& report = *peer_report_;
    if (head().in_sync == InSync::only(self())) return promote(false, mint_id());
    bool identical = record_.stopped_together == head().id &&
                     report.stopped_together == head().id && !record_.power_lost &&
                     !report.power_lost && !report.outdated &&
                     report.activity == Activity::Waiting && report.data_ok &&
                     head().in_sync == InSync::both() && !report_differs() && !witness_differs() &&
                     !peer_rolled_back(report) && (!by_witness() || may_agree());
    InSync members = identical ? InSync::both() : InSync::only(self());
    if (!identical && !flushed_first()) return;
    if (by_witness() && !both_pending()) {
        // R11: only the register makes another node primary.
        if (!can_ask() && !may_agree()) return wait_for_witness();
        tell_peer_rolled_back();
        proposal_ = child(members, self(), Cause::Election);
        ask(*proposal_, head().id);
    }
    bool standing = proposal_ && proposal_->parent == head().id && proposal_->in_sync == members;
    if (!standing) {
        tell_peer_rolled_back();
        proposal_ = child(members, self(), Cause::Election);
        record_.proposed = true;
        persist();
    }
    wait_for("agreeing", "Agreeing with " + peer_name() + " that this node leads.");
}

/// Flush first: the mirror may have ended with writes that only the kernel held.
bool Machine::flushed_first() {
    if (copy_durable_) return true;
    if (!std::exchange(copy_flushing_, true)) flush(false);
    wait_for("agreeing", "The copy is being made durable.");
    return false;
}

// ---- the peer cannot be asked
// ---------------------------------------------------------------------

void Machine::wait_alone() {
    proposal_.reset();
    if (boot_wait_over_) return decide_alone();
    if (!deadline_) deadline_ = now_ + settings_.boot_wait;
    wait_for("meeting", "Waiting for " + peer_name() + " to be seen.");
}

void Machine::decide_alone() {
    if (record_.outdated || !in_sync_self()) {
        return block("outdated",
                     "The data on " + self_name() + " is older than " + peer_name() + "'s.");
    }
    if (put_back_) return block_put_back();
    // A primary that lives has until take_after to go on alone (R4).
    if (head().primary == peer() && !overdue_) {
        return wait_for("meeting", "Waiting for " + peer_name() + " to be seen.");
    }
    if (head().primary == peer() && !automatic()) return block_failover_off();
    if (by_witness()) {
        const bool ours = head().in_sync == InSync::only(self()) && reached() &&
                          stand() == RegisterStanding::Same;
        return ours ? promote(false, mint_id()) : decide_by_witness();
    }
    if (record_.ceding) {
        return block("ceding", self_name() + " was handing the module over to " + peer_name() +
                                   ", which alone knows whether it took it.");
    }
    if (head().in_sync == InSync::only(self())) {
        const bool alone = record_.chain.head().confirmation == Confirmation::Alone;
        return alone ? decide_unconfirmed() : promote(false, mint_id());
    }
    if (record_.stopped_together == head().id && !record_.power_lost) {
        if (head().primary == self()) {
            decide(child(InSync::only(self()), self(), Cause::Election), Confirmation::Alone);
            return promote(false, mint_id());
        }
        return block("peer-first",
                     "Both nodes were stopped together and " + peer_name() + " was primary.");
    }
    block("peer-needed", peer_name() + " may hold newer data and is not seen" +
                             (may_decide_alone() ? "." : "; no ping target answers, either."));
}

}  // namespace ha::cluster
