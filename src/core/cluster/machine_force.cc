// An operator's word for this node's data: the first one that a module gets (R10), and the one that
// overrules what the module knows.

#include "core/cluster/machine.h"

namespace ha::cluster {

bool Machine::says_more(const StartRequested& start) {
    return start.as_source || start.force;
}

void Machine::note_word(const StartRequested& start) {
    word_.reset();
    if (says_more(start)) word_ = start;
}

Knowledge Machine::knowledge() const {
    Knowledge known;
    if (!record_.chain.empty()) known.decision = head().id;
    if (peer_report_ && !peer_report_->chain.empty()) {
        known.peer_decision = peer_report_->chain.head().decision.id;
    }
    known.peer_seen = contact_ && peer_report_;
    return known;
}

/// R10: two births of one name. Neither knows of the other's data, so there is nothing to overrule.
bool Machine::meets_another_module() const {
    if (!contact_ || !peer_report_ || peer_report_->chain.empty()) return false;
    return !record_.chain.empty() && peer_report_->module_id != record_.module_id;
}

/// Why a word cannot be taken, whatever else is so.
std::optional<Reason> Machine::objection(const StartRequested& start) const {
    const std::string command = "hamirrorctl start " + settings_.module;
    if (start.as_source && !record_.chain.empty() && !meets_another_module()) {
        return Reason{"has-data", "Module " + settings_.module + " has data on " + self_name() +
                                      " already; --as-source is for a module that nobody has data "
                                      "of. To overrule what the nodes know of it: " +
                                      command + " --force"};
    }
    if (!start.force) return std::nullopt;
    if (record_.chain.empty()) {
        return Reason{"no-data", self_name() + " has no data of module " + settings_.module +
                                     " that could be forced. If nobody has: " + command +
                                     " --as-source"};
    }
    if (*start.force != knowledge()) {
        return Reason{"view-outdated", "What is known of " + peer_name() +
                                           "'s copy has changed since it was shown; nothing was "
                                           "changed. Look again: " +
                                           command + " --force"};
    }
    return std::nullopt;
}

/// With the mirror open and no role.
void Machine::carry_out(const StartRequested& word) {
    if (record_.exchange && !pending()) {
        return refuse("busy",
                      "The witness has yet to say what became of this node's last decision.");
    }
    if (auto why = objection(word)) return refuse(why->code.c_str(), why->text);
    if (record_.chain.empty()) return birth();
    if (contact_ && peer_report_) {
        Activity doing = peer_report_->activity;
        if (doing != Activity::Stopped && doing != Activity::Waiting) {
            return refuse("peer-has-data", peer_name() + " holds the module's newest data and is " +
                                               peer_report_->state + "; nothing was changed.");
        }
    }
    force(word.force.value_or(knowledge()));
}

/// Where a node with a role has nothing to be told.
void Machine::running_start(const Event& event) {
    const auto& start = std::get<StartRequested>(event);
    if (phase_ == Phase::Sealing && blocked_) {
        return refuse(reason_.code.c_str(),
                      reason_.text + " " + self_name() +
                          " takes the module over when that is mended. Not to wait for it, if " +
                          peer_name() + " is lost: hamirrorctl stop " + settings_.module +
                          ", then hamirrorctl start " + settings_.module + " --force");
    }
    if (!says_more(start)) return;
    if (auto why = objection(start)) return refuse(why->code.c_str(), why->text);
    if (phase_ != Phase::Secondary) return refuse_busy(event);
    refuse("peer-has-data", self_name() + " follows " + peer_name() +
                                "; there is nothing to overrule. To exchange the roles: "
                                "hamirrorctl swap " +
                                settings_.module);
}

/// The operator chooses this side of a divergence.
void Machine::serving_start(const Event& event) {
    const auto& start = std::get<StartRequested>(event);
    if (!says_more(start)) return;
    bool diverged = contact_ && peer_report_ && !peer_report_->chain.empty() &&
                    relation(record_.chain, peer_report_->chain, self()) == Relation::Diverged;
    if (!diverged || peer_ != Peer::Absent) {
        return refuse("already-serving", self_name() + " already serves the module.");
    }
    if (auto why = objection(start)) return refuse(why->code.c_str(), why->text);
    Decision forced = child(InSync::only(self()), self(), Cause::Forced);
    forced.overrides = peer_report_->chain.head().decision.id;
    tell("forced", "An operator chose this node's data; " + peer_name() + "'s is given up.");
    decide(forced, Confirmation::Operator);
    serve();
}

/// R10: minted once, here.
void Machine::birth() {
    if (contact_ && peer_report_ && !peer_report_->chain.empty()) {
        return refuse("already-born", peer_name() + " already has data of this module.");
    }
    // Asked of the witness before: nobody goes by that any more, and nothing was promised.
    if (pending()) record_.exchange.reset();
    if (by_witness() && !can_ask()) {
        return stand() == RegisterStanding::Ahead
                   ? refuse("already-born",
                            "The witness already knows this module's data. If that is of a module "
                            "that is no more, without a witness: hamirrorctl witness remove; start "
                            "the module; hamirrorctl witness add.")
                   : refuse("witness-unreachable", "The witness is not reached.");
    }
    record_.module_id = mint_id();
    record_.witness = settings_.witness;
    Decision first;
    first.number = Epoch{1};
    first.id = mint_id();
    first.primary = self();
    first.in_sync = InSync::only(self());
    if (by_witness()) {
        record_.outdated = false;
        return ask(first, Id128{});
    }
    record_.chain.append({first, false, Confirmation::Birth});
    record_.outdated = false;
    persist();
    tell("birth", "This node's data is the module's from now on.");
    promote(false, mint_id());
}

/// What the old primary sent and this copy has not applied yet must not come after this: sealed and
/// flushed first, as any takeover (R12, R3). What this node itself led is not sealed: it may have
/// to serve under it again.
void Machine::force(const Knowledge& shown) {
    if (head().primary == peer()) {
        seal();
    } else {
        flush(false);
        enter(Phase::Sealing);
        wait_for("agreeing", "The copy is being made durable.");
    }
    forcing_ = shown;
}

void Machine::decide_forced() {
    if (*forcing_ != knowledge()) {
        tell("not-forced", "What is known of " + peer_name() +
                               "'s copy has changed since the operator was shown it; nothing is "
                               "overruled.");
        return enter_waiting();
    }
    Decision forced = child(InSync::only(self()), self(), Cause::Forced);
    if (peer_report_ && !peer_report_->chain.empty() &&
        relation(record_.chain, peer_report_->chain, self()) == Relation::Diverged) {
        forced.overrides = peer_report_->chain.head().decision.id;
    }
    tell("forced", "An operator made this node's data the module's.");
    if (reached() && shown_) {
        const Id128& shown = shown_->decision.id;
        if (!record_.chain.contains(shown)) forced.overrides = shown;
        return ask(forced, shown);
    }
    record_.outdated = false;
    record_.power_lost = false;
    record_.exchange.reset();  // of a witness that is none any more
    decide(forced, Confirmation::Operator);
    promote(false, mint_id());
}

}  // namespace ha::cluster
