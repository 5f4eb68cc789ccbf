#include "truth.h"

#include <bit>
#include <string>

#include "describe.h"
#include "state.h"
#include "trace.h"

namespace ha::explore {

using namespace cluster;
using sim::check;
using sim::describe;

namespace {

std::string node_name(Node node) {
    return node == Node::First ? "node A" : "node B";
}

void contained(Writes wanted, Writes copy, const char* invariant, const std::string& where) {
    const auto missing = static_cast<Writes>(wanted & ~copy);
    if (missing == 0) return;
    check(false, invariant, where + " lacks write " + std::to_string(std::countr_zero(missing)));
}

}  // namespace

// ---- the truth

std::optional<std::size_t> Truth::find(const Id128& id) const {
    for (std::size_t i = decisions.size(); i-- > 0;) {
        if (decisions[i].decision.id == id) return i;
    }
    return std::nullopt;
}

bool Truth::descends(std::size_t newer, std::size_t older) const {
    for (std::optional<std::size_t> step = newer; step; step = decisions[*step].parent) {
        if (*step == older) return true;
    }
    return false;
}

Writes Truth::promised(std::size_t head) const {
    Writes all = 0;
    for (std::optional<std::size_t> step = head; step; step = decisions[*step].parent) {
        all |= decisions[*step].promised;
    }
    return all;
}

// ---- records

/// Nobody goes on alone in a silence that may be the fault of its own links. What the other node
/// gave up it cannot begin again by itself.
void Invariants::decided(Node node, const ChainEntry& entry) const {
    const Side& side = state_.at(node);
    const Decision& decision = entry.decision;
    const bool goes_on = entry.confirmation == Confirmation::Alone && decision.primary == node &&
                         (decision.cause == Cause::Shrink || decision.cause == Cause::Takeover);
    if (decider_ != Decider::Ping || !goes_on) return;
    const bool given_up = side.heard && (side.heard->activity == Activity::Waiting ||
                                         side.heard->activity == Activity::Stopped);
    check(side.answered || given_up, "ping-target",
          node_name(node) + " takes " + describe(decision) + ", and no target has answered");
}

void Invariants::recorded(Node node, const Record& record) {
    const Chain& before = state_.at(node).record.chain;
    if (!before.empty()) {
        check(!record.chain.empty(), "chain", node_name(node) + " forgot its decisions");
        const Relation how = relation(before, record.chain, node);
        const bool forward =
            how == Relation::Same || how == Relation::Behind || how == Relation::Yield;
        check(forward, "chain",
              node_name(node) + " went back from " + describe(before.head().decision) + " to " +
                  describe(record.chain.head().decision));
    }
    learn(record);
    note_ceding(record);
    if (state_.at(node).record.outdated && !record.outdated) joined(node, record);
}

void Invariants::learn(const Record& record) {
    for (const ChainEntry& entry : record.chain.entries()) {
        const auto known = state_.truth->find(entry.decision.id);
        if (known) {
            check(trust_ids_ || state_.truth->decisions[*known].decision == entry.decision, "chain",
                  "one id stands for two decisions: " + describe(entry.decision));
            continue;
        }
        Truth& truth = state_.truth.change();
        Truth::Known fresh;
        fresh.decision = entry.decision;
        fresh.parent = truth.find(entry.decision.parent);
        fresh.alone = entry.confirmation == Confirmation::Alone;
        check(fresh.parent.has_value() == !entry.decision.parent.none(), "chain",
              "a decision whose parent nobody recorded: " + describe(entry.decision));
        truth.decisions.push_back(fresh);
        accept_loss(entry, truth.decisions.size() - 1);
    }
}

void Invariants::note_ceding(const Record& record) {
    if (!record.ceding) return;
    const auto known = state_.truth->find(record.ceding->parent);
    if (known && !state_.truth->decisions[*known].given) {
        state_.truth.change().decisions[*known].given = true;
    }
}

/// R7, loss accepted, which is the witness's to grant alone: what is not fsynced and only the other
/// node may still hold is given up.
void Invariants::accept_loss(const ChainEntry& entry, std::size_t known) {
    const Node leader = entry.decision.primary;
    const bool granted = entry.confirmation == Confirmation::Register &&
                         entry.decision.in_sync == InSync::only(leader) &&
                         state_.at(leader).record.power_lost;
    if (!granted) return;
    Truth& truth = state_.truth.change();
    const Writes kept = state_.at(leader).copy.kernel | truth.durable;
    for (std::optional<std::size_t> step = known; step; step = truth.decisions[*step].parent) {
        truth.decisions[*step].promised &= kept;
    }
}

/// From now on this node may lead: it answers for all that is promised.
void Invariants::joined(Node node, const Record& record) {
    if (!record.chain.head().decision.in_sync.has(node)) return;
    const auto known = state_.truth->find(record.chain.head().decision.id);
    const Writes promised = state_.truth->promised(*known);
    contained(promised, state_.at(node).copy.kernel, "joined-complete",
              node_name(node) + ", in S by " + describe(record.chain.head().decision) + ",");
    state_.truth.change().holds[index_of(node)] |= promised;
}

// ---- who acts

void Invariants::serves(Node node, const Id128& decision) {
    const auto known = state_.truth->find(decision);
    check(known.has_value(), "order-before-durable",
          node_name(node) + " serves under a decision that is not recorded");
    const Truth& before = *state_.truth;
    check(!before.decisions[*known].given, "served-after-ceding",
          node_name(node) + " serves by " + describe(before.decisions[*known].decision));
    if (before.decisions[*known].served) return;
    const Decision& mine = before.decisions[*known].decision;
    check(mine.primary == node, "one-winner", node_name(node) + " serves by " + describe(mine));
    for (std::size_t i = 0; i < before.decisions.size(); ++i) {
        const Truth::Known& sibling = before.decisions[i];
        if (i == *known || !sibling.served || sibling.decision.parent != mine.parent) continue;
        check(policy_fork(*known, i), "one-winner",
              describe(mine) + " and " + describe(sibling.decision) + " both came into force");
    }
    state_.truth.change().decisions[*known].served = true;
}

void Invariants::used(Node node, std::size_t known) const {
    const Chain& chain = state_.at(node).record.chain;
    const auto index = chain.index_of(state_.truth->decisions[known].decision.id);
    // One that just learned that its branch is given up acknowledges until its mirror is stopped.
    const auto head = state_.truth->find(chain.head().decision.id);
    const bool marked =
        index ? chain.entries()[*index].used : !state_.truth->descends(*head, known);
    check(marked, "used-mark", node_name(node) + " acknowledged before the mark was durable");
}

void Invariants::acknowledged(Node node, const Id128& decision, Writes write,
                              const std::array<bool, 2>& lost) {
    const auto known = state_.truth->find(decision);
    check(known.has_value(), "used-mark", "acknowledged under a decision that is not recorded");
    used(node, *known);
    one_branch(node, *known);
    Truth& truth = state_.truth.change();
    const Decision& rule = truth.decisions[*known].decision;
    for (Node member : kNodes) {
        if (!rule.in_sync.has(member) || lost[index_of(member)]) continue;
        contained(write, state_.at(member).copy.kernel, "acknowledge",
                  node_name(member) + " of " + describe(rule));
        truth.holds[index_of(member)] |= write;
    }
    truth.decisions[*known].promises[index_of(node)] = true;
    truth.decisions[*known].promised |= write;
}

void Invariants::acknowledged_durable(Node node, const Id128& decision, Writes covered) {
    const auto known = state_.truth->find(decision);
    check(known.has_value(), "used-mark",
          "fsync acknowledged under a decision that is not recorded");
    used(node, *known);
    one_branch(node, *known);
    Truth& truth = state_.truth.change();
    const auto wanted = static_cast<Writes>(truth.promised(*known) & covered);
    const Decision& rule = truth.decisions[*known].decision;
    for (Node member : kNodes) {
        if (!rule.in_sync.has(member)) continue;
        contained(wanted, state_.at(member).copy.disk, "acknowledge-durable",
                  "the disk of " + node_name(member) + " of " + describe(rule));
    }
    truth.decisions[*known].promises[index_of(node)] = true;
    truth.durable |= wanted;
}

/// Promises are given on one branch only, unless the policy let both nodes go on alone; and then
/// both chains show it.
void Invariants::one_branch(Node node, std::size_t known) const {
    const Truth& truth = *state_.truth;
    if (truth.decisions[known].promises[index_of(node)]) return;
    for (std::size_t i = 0; i < truth.decisions.size(); ++i) {
        const Truth::Known& other_one = truth.decisions[i];
        if (!other_one.promises[0] && !other_one.promises[1]) continue;
        if (truth.descends(known, i) || truth.descends(i, known)) continue;
        check(policy_fork(known, i), "two-promise",
              describe(truth.decisions[known].decision) + " and " + describe(other_one.decision));
        const Chain& mine = state_.at(node).record.chain;
        const Chain& theirs = state_.at(other(node)).record.chain;
        const bool shown = mine.contains(truth.decisions[known].decision.id) &&
                           theirs.contains(other_one.decision.id);
        check(!shown || relation(mine, theirs, node) == Relation::Diverged, "unseen-divergence",
              describe(truth.decisions[known].decision) + " and " + describe(other_one.decision));
    }
}

/// Both nodes may go on alone at once.
bool Invariants::policy_decides() const {
    const bool both = state_.reached[0] && state_.reached[1];
    return decider_ == Decider::Available || (decider_ == Decider::Ping && both);
}

bool Invariants::policy_fork(std::size_t left, std::size_t right) const {
    if (!policy_decides()) return false;
    const Truth& truth = *state_.truth;
    auto first_of = [&truth](std::size_t branch, std::size_t against) {
        std::size_t step = branch;
        while (truth.decisions[step].parent &&
               !truth.descends(against, *truth.decisions[step].parent)) {
            step = *truth.decisions[step].parent;
        }
        return step;
    };
    return truth.decisions[first_of(left, right)].alone &&
           truth.decisions[first_of(right, left)].alone;
}

// ---- at every moment

void Invariants::power_lost(Node node) {
    Truth& truth = state_.truth.change();
    truth.holds[index_of(node)] = 0;
    const Writes standing = truth.durable | truth.holds[0] | truth.holds[1];
    for (auto& known : truth.decisions) known.promised &= standing;
}

/// A copy that is not compared is the primary's but for what is on its way.
void Invariants::resumed(Node follower, Writes unsent) const {
    const auto wanted = static_cast<Writes>(state_.at(other(follower)).copy.kernel & ~unsent);
    const auto has = static_cast<Writes>(state_.at(follower).copy.kernel & ~unsent);
    contained(wanted, has, "equal-copies", node_name(follower) + ", which is not compared,");
    contained(has, wanted, "equal-copies",
              "what " + node_name(follower) + ", which is not compared, should equal");
}

void Invariants::always() const {
    if (in_time_) single_execution();
    for (Node node : kNodes) {
        served(node);
        serving_copy(node);
        in_sync_copies(node);
    }
}

/// The application, or the addresses, on both: only if nothing but the policy decided that.
void Invariants::single_execution() const {
    const Side& first = state_.at(Node::First);
    const Side& second = state_.at(Node::Second);
    const bool twice = (first.units && second.units) || (first.addresses && second.addresses);
    if (!twice) return;
    const auto one = state_.truth->find(first.record.chain.head().decision.id);
    const auto two = state_.truth->find(second.record.chain.head().decision.id);
    const bool fork = !state_.truth->descends(*one, *two) && !state_.truth->descends(*two, *one);
    const bool by_policy = policy_decides() && (first.on_its_own || second.on_its_own ||
                                                (fork && policy_fork(*one, *two)));
    check(by_policy, "single-execution", "application or address on both nodes");
}

/// A node that says it serves does, or is about to learn that it may not.
void Invariants::served(Node node) const {
    const Side& side = state_.at(node);
    const bool says = side.machine && side.machine->phase() == Phase::Serving && !side.busy();
    if (!says || side.lease.run_out) return;
    const bool does =
        side.units && side.addresses && side.mirror.role == Role::Serving && !side.mirror.failing;
    check(does, "served-by-nobody", node_name(node) + " serves and holds nothing");
}

void Invariants::serving_copy(Node node) const {
    const Side& side = state_.at(node);
    if (side.mirror.role != Role::Serving || side.mirror.failing) return;
    const auto known = state_.truth->find(side.mirror.decision);
    if (!known) return;
    contained(state_.truth->promised(*known), side.copy.kernel, "lost",
              node_name(node) + ", which serves,");
}

/// Of the newest decision that is recorded, each member has what it answers for.
void Invariants::in_sync_copies(Node node) const {
    const Truth& truth = *state_.truth;
    const Chain& chain = state_.at(node).record.chain;
    if (chain.empty()) return;
    const Decision& head = chain.head().decision;
    const Chain& theirs = state_.at(other(node)).record.chain;
    const bool older = theirs.contains(head.id) && theirs.head().decision.id != head.id;
    const auto known = truth.find(head.id);
    if (older || !known) return;
    for (Node member : kNodes) {
        if (!truth.decisions[*known].decision.in_sync.has(member)) continue;
        const auto owed = static_cast<Writes>((truth.holds[index_of(member)] | truth.durable) &
                                              truth.promised(*known));
        contained(owed, state_.at(member).copy.kernel, "in-sync",
                  node_name(member) + ", in S of " + describe(head) + ",");
    }
}

}  // namespace ha::explore
