#include "invariants.h"

#include "describe.h"
#include "host.h"
#include "world.h"

namespace ha::sim {

using namespace cluster;

namespace {

std::string node_name(Node node) {
    return node == Node::First ? "node A" : "node B";
}

void contained(const WriteSet& wanted, const WriteSet& copy, const char* invariant,
               const std::string& where) {
    auto missing = wanted.first_not_in(copy);
    if (missing) check(false, invariant, where + " lacks write " + std::to_string(*missing));
}

}  // namespace

// ---- records

void Invariants::recorded(Host& host, const Record& record) {
    grows(host, record);
    check(record.failover.number >= host.record.failover.number, "failover-word",
          node_name(host.self) + " forgot an operator's word");
    takes_over_alone(host, record);
    learn(host, record);
    if (record.outdated) host.rolled_back = false;
    if (host.record.outdated && !record.outdated) joined(host, record.chain.head().decision);
    world_.copies_changed = true;
}

/// Nobody does while it is known here that no one may.
void Invariants::takes_over_alone(const Host& host, const Record& record) const {
    if (record.chain.empty() || host.record.chain.empty()) return;
    const Decision& before = host.record.chain.head().decision;
    const auto takes = [&before, &host](const Decision& decision) {
        const bool unasked = decision.cause == Cause::Takeover || decision.cause == Cause::Election;
        return unasked && decision.primary == host.self && before.primary != host.self;
    };
    const ChainEntry& head = record.chain.head();
    const bool decides = head.decision.id != before.id &&
                         head.confirmation == Confirmation::Alone && takes(head.decision);
    const auto& exchange = record.exchange;
    const bool asks = exchange && exchange != host.record.exchange && takes(exchange->decision);
    const FailoverSwitch& word = record.failover;
    const bool automatic = word.number != 0 && word.file == world_.weather.automatic_failover
                               ? word.automatic
                               : world_.weather.automatic_failover;
    check(!(decides || asks) || automatic, "failover-off",
          node_name(host.self) + " takes over although failover is off");
}

/// From now on this node may lead: it answers for all that was promised.
void Invariants::joined(const Host& host, const Decision& decision) {
    auto known = world_.ledger.find(decision.id);
    if (!known || decision.cause == Cause::Forced) return;
    contained(world_.ledger.promised(*known), host.copy.kernel, "joined-complete",
              node_name(host.self) + ", joined by " + describe(decision) + ",");
    world_.ledger.joined(*known, host.self);
}

/// A node's knowledge only moves forward, or over to a branch that stands above its own.
void Invariants::grows(const Host& host, const Record& record) const {
    const Chain& before = host.record.chain;
    check(make_chain(record.chain.entries()).has_value(), "chain",
          node_name(host.self) + ": malformed");
    if (before.empty()) return;
    check(!record.chain.empty(), "chain", node_name(host.self) + " forgot its decisions");
    Relation how = relation(before, record.chain, host.self);
    check(how == Relation::Same || how == Relation::Behind || how == Relation::Yield, "chain",
          node_name(host.self) + " went back from " + describe(before.head().decision) + " to " +
              describe(record.chain.head().decision));
    for (const auto& entry : before.entries()) {
        auto index = record.chain.index_of(entry.decision.id);
        bool kept = !index || !entry.used || record.chain.entries()[*index].used;
        check(kept, "chain", node_name(host.self) + " forgot a used mark");
    }
}

void Invariants::learn(Host& host, const Record& record) {
    const auto& entries = record.chain.entries();
    std::size_t first_new = entries.size();
    while (first_new > 0 && !world_.ledger.find(entries[first_new - 1].decision.id)) --first_new;
    for (std::size_t i = first_new > 0 ? first_new - 1 : 0; i < entries.size(); ++i) {
        bool is_new = i >= first_new;
        auto known = world_.ledger.learn(entries[i].decision, world_.now(), world_.in_silence(6s),
                                         record.witness.none());
        if (!is_new) continue;
        world_.say(host, [&] { return "  = first record of " + describe(entries[i].decision); });
        decided(entries[i].decision, known);
    }
}

/// A decision is durable somewhere for the first time.
void Invariants::decided(const Decision& decision, std::size_t known) {
    const auto& fact = world_.ledger.known(known);
    check(decision.in_sync.has(decision.primary), "chain",
          "a primary outside S: " + describe(decision));
    bool born = fact.parent.has_value();
    if (born && decision.cause != Cause::Forced) {
        const Decision& parent = world_.ledger.known(*fact.parent).decision;
        check(parent.in_sync.has(decision.primary), "outdated-leads",
              describe(decision) + " makes a node primary that " + describe(parent) + " left out");
    }
    count(decision);
    if (born) sealed_before(decision, world_.ledger.known(*fact.parent).decision.primary);
    if (decision.cause == Cause::Forced) {
        world_.forced = true;
        check(world_.host(decision.primary).clusterd.shown().contains(decision.parent),
              "forced-unseen", describe(decision) + " overrules what no operator was shown");
        world_.ledger.give_up(known, world_.host(decision.primary).copy.kernel);
        return;
    }
    if (decision.in_sync != InSync::both()) only_member(decision, known);
}

/// With a ping target: nobody goes on alone in a silence that may be the fault of its own links.
void Invariants::decides(const Host& host, const Record& record) const {
    const auto& since = host.clusterd.silent_since();
    if (world_.witnesses != Witnesses::PingTarget || !since || record.chain.empty()) return;
    const Decision& decision = record.chain.head().decision;
    const bool alone = decision.cause == Cause::Shrink || decision.cause == Cause::Takeover;
    if (!alone || host.clusterd.peer_gave_up() || decision.primary != host.self ||
        host.record.chain.contains(decision.id))
        return;
    check(world_.network.target_reached(host.self) >= *since, "ping-target",
          describe(decision) + " by a node that reached no ping target");
}

/// R12: who takes over has refused the frames of the decisions before, durably. One that asks anew
/// for what it only read that it won took over then.
void Invariants::sealed_before(const Decision& decision, Node before) {
    if (before == decision.primary) return;
    bool takes = decision.cause == Cause::Takeover || decision.cause == Cause::Swap ||
                 decision.cause == Cause::HandOver;
    bool sealed = world_.host(decision.primary).copy.sealed.next() >= decision.number;
    check(!takes || sealed, "seal-first", describe(decision) + " without a seal");
}

/// Flush first (R3, R4, R11).
void Invariants::only_member(const Decision& decision, std::size_t known) {
    Host& member = world_.host(decision.primary);
    // R7, loss accepted: what was promised short of an fsync and the other may still hold.
    if (!member.record.witness.none() && member.record.power_lost) {
        // Where an operator forced the other one meanwhile, under another witness: that, too.
        if (!world_.forced)
            contained(world_.ledger.durable(known), member.copy.disk, "loss-accepted",
                      "the disk of the only member of " + describe(decision));
        world_.ledger.give_up(known, member.copy.disk);
    }
    contained(world_.ledger.promised(known), member.copy.disk, "flush-first",
              "the disk of the only member of " + describe(decision));
    world_.ledger.only_member(known);
}

void Invariants::count(const Decision& decision) {
    Totals& totals = world_.totals;
    totals.failovers += decision.cause == Cause::Takeover ? 1 : 0;
    totals.joins += decision.cause == Cause::Join ? 1 : 0;
    totals.swaps += decision.cause == Cause::Swap || decision.cause == Cause::HandOver ? 1 : 0;
    totals.shrinks += decision.cause == Cause::Shrink ? 1 : 0;
    totals.elections += decision.cause == Cause::Election ? 1 : 0;
}

void Invariants::reported(Host& host, const Report& report) {
    if (world_.ledger.trust_ids) return;
    bool durable = report.chain == host.record.chain && report.outdated == host.record.outdated &&
                   report.power_lost == host.record.power_lost &&
                   report.failover == host.record.failover &&
                   (report.chain.empty() || report.witness == host.record.witness) &&
                   report.stopped_together == host.record.stopped_together &&
                   (report.chain.empty() || report.witness_configured == report.witness ||
                    host.record.witness_open) &&
                   (!report.ceding || report.ceding == host.record.ceding);
    check(durable, "told-before-durable",
          node_name(host.self) + " reports what it has not recorded");
}

// ---- orders

/// This node may serve, by its own durable record.
void Invariants::may_lead(const Host& host, const char* what) const {
    const Record& record = host.record;
    bool leads = !record.chain.empty() && record.chain.head().decision.primary == host.self;
    check(leads, "order-before-durable",
          node_name(host.self) + ": " + what + " without a decision");
    check(!record.outdated, "outdated-leads",
          node_name(host.self) + ": " + what + " while outdated");
    check(!record.ceding, "ceding-serves", node_name(host.self) + ": " + what + " while ceding");
}

void Invariants::ordered(Host& host, const Effect& effect) {
    const Record& record = host.record;
    const std::string who = node_name(host.self);
    if (const auto* serve = std::get_if<ServeMirror>(&effect)) {
        may_lead(host, "ServeMirror");
        const Decision& head = record.chain.head().decision;
        check(head.id == serve->decision && head.number == serve->epoch, "order-before-durable",
              who + " serves under a decision that is not its recorded head");
        // Stricter while an exchange that names it is open.
        check(serve->peer_member || !head.in_sync.has(other(host.self)), "membership",
              who + " serves with another membership than " + describe(head));
        check(!record.power_lost, "power-victim-serves", who + " serves though power was lost");
        addresses_asked(host);
    }
    if (std::holds_alternative<StartUnits>(effect)) may_lead(host, "StartUnits");
    if (std::holds_alternative<HoldAddresses>(effect)) may_lead(host, "HoldAddresses");
    if (const auto* allow = std::get_if<AllowAcknowledge>(&effect)) {
        auto index = record.chain.index_of(allow->decision);
        check(index && record.chain.entries()[*index].used, "used-mark",
              who + " may acknowledge before the mark is durable");
    }
    if (const auto* tell = std::get_if<TellIn>(&effect)) {
        check(record.chain.contains(tell->decision.id), "order-before-durable",
              who + " tells the joiner before the decision is durable");
    }
    if (const auto* follow = std::get_if<FollowMirror>(&effect); follow && !follow->resync) {
        bool member = !record.outdated && record.chain.head().decision.in_sync.has(host.self);
        check(member, "membership", who + " follows as a member and is none");
    }
    if (const auto* follow = std::get_if<FollowMirror>(&effect); follow && !follow->resync) {
        check(follow->epoch > host.copy.sealed, "sealed-follows",
              who + " follows under a decision it sealed");
    }
}

void Invariants::serve_begins(Host& host, Epoch epoch) {
    check(host.copy.sealed < epoch, "sealed-serves",
          node_name(host.self) + " serves under a decision it sealed");
}

// ---- the mirror

void Invariants::frame_accepted(Host& host, Epoch epoch) {
    check(epoch > host.copy.sealed, "old-frame", node_name(host.self) + " accepts what it sealed");
    if (host.record.chain.empty()) return;
    const Decision& head = host.record.chain.head().decision;
    check(head.primary != host.self || epoch > head.number, "old-frame",
          node_name(host.self) + " accepts a frame of decision " + std::to_string(epoch.value) +
              " although it leads by " + describe(head));
}

void Invariants::resumed(Host& follower, const WriteSet& expected, std::uint64_t last) {
    const WriteSet& have = follower.copy.kernel;
    contained(expected, have, "equal-copies",
              node_name(follower.self) + " continues at " + std::to_string(last) + " and");
    contained(have, expected, "equal-copies",
              "what " + node_name(follower.self) + " should equal at " + std::to_string(last));
}

void Invariants::told_in(Host& follower, const Decision& decision) {
    auto known = world_.ledger.find(decision.id);
    check(known.has_value(), "order-before-durable", "told in by a decision nobody recorded");
    contained(world_.ledger.promised(*known), follower.copy.kernel, "joined-complete",
              "the joiner of " + describe(decision));
}

void Invariants::acknowledged(Host& host, const Id128& decision, std::uint32_t write,
                              Duration issued) {
    auto known = world_.ledger.find(decision);
    auto index = host.record.chain.index_of(decision);
    check(known.has_value(), "used-mark", "acknowledged under a decision that is not recorded");
    // One that just learned that its branch is given up acknowledges until its mirror is stopped.
    bool used = index ? host.record.chain.entries()[*index].used : fork_known(host, *known);
    check(used, "used-mark", node_name(host.self) + " acknowledged before the mark was durable");
    std::array<bool, 2> holders{};
    for (Node node : {Node::First, Node::Second}) {
        if (!world_.ledger.known(*known).decision.in_sync.has(node)) continue;
        const Host& member = world_.host(node);
        if (member.last_loss() >= issued) continue;
        holders[index_of(node)] = true;
        check(member.copy.kernel.has(write), "acknowledge",
              node_name(node) + " of " + describe(world_.ledger.known(*known).decision) +
                  " has not accepted write " + std::to_string(write));
    }
    world_.say(host, [&] { return "  ack " + std::to_string(write); });
    one_branch(host, *known);
    world_.ledger.acknowledge(*known, host.self, write, holders);
    world_.copies_changed = true;
}

bool Invariants::fork_known(const Host& host, std::size_t decision) const {
    auto head = world_.ledger.find(host.record.chain.head().decision.id);
    return head && !world_.ledger.descends(*head, decision);
}

void Invariants::acknowledged_durable(Host& host, const Id128& decision, const WriteSet& covered) {
    auto known = world_.ledger.find(decision);
    check(known.has_value(), "used-mark",
          "fsync acknowledged under a decision that is not recorded");
    WriteSet wanted = world_.ledger.promised(*known);
    wanted.keep(covered);
    for (Node node : {Node::First, Node::Second}) {
        if (!world_.ledger.known(*known).decision.in_sync.has(node)) continue;
        contained(wanted, world_.host(node).copy.disk, "acknowledge-durable",
                  "the disk of " + node_name(node));
    }
    world_.say(host, [] { return std::string("  ack fsync"); });
    one_branch(host, *known);
    world_.ledger.acknowledge_durable(*known, host.self, covered);
}

/// Promises are given on one branch only, unless the nodes could not hear each other and the policy
/// lets both go on, or an operator overruled.
void Invariants::one_branch(const Host& host, std::size_t decision) {
    const Ledger& ledger = world_.ledger;
    if (ledger.known(decision).acknowledged[index_of(host.self)]) return;
    for (std::size_t other = 0; other < ledger.decisions(); ++other) {
        const auto& known = ledger.known(other);
        if (!known.acknowledged[0] && !known.acknowledged[1]) continue;
        if (ledger.descends(decision, other) || ledger.descends(other, decision)) continue;
        check(legitimate_fork(decision, other), "two-promise",
              describe(ledger.known(decision).decision) + " and " + describe(known.decision));
        ++world_.totals.divergences;
    }
}

std::size_t Invariants::child_towards(std::size_t ancestor, std::size_t descendant) const {
    std::size_t step = descendant;
    while (world_.ledger.known(step).parent && *world_.ledger.known(step).parent != ancestor) {
        step = *world_.ledger.known(step).parent;
    }
    return step;
}

bool Invariants::legitimate_fork(std::size_t left, std::size_t right) const {
    if (world_.forced) return true;
    if (world_.weather.policy == Policy::Safe) return false;
    const std::size_t fork = world_.ledger.fork(left, right);
    const auto& one = world_.ledger.known(child_towards(fork, left));
    const auto& two = world_.ledger.known(child_towards(fork, right));
    return (one.by_policy || two.by_policy) && one.in_silence && two.in_silence;
}

// ---- at every moment

void Invariants::always(Host& host) {
    legal_state(host);
    single_execution();
    if (!std::exchange(world_.copies_changed, false)) return;
    for (Node node : {Node::First, Node::Second}) {
        serving_copy(world_.host(node));
        in_sync_copies(world_.host(node));
    }
}

void Invariants::legal_state(const Host& host) const {
    const Machine* machine = host.clusterd.machine();
    if (machine == nullptr) return;
    Status now = machine->status();
    bool transient = now.readiness == Readiness::Transient;
    bool blocked = now.readiness == Readiness::Blocked;
    bool illegal = (now.state == State::Stopped && transient) ||
                   (now.state == State::Waiting && now.readiness == Readiness::Ready) ||
                   (blocked && now.state != State::Stopped && now.state != State::Waiting);
    check(!illegal, "legal-state",
          node_name(host.self) + " is " + name(now.state) + "/" + name(now.readiness));
}

void Invariants::serving_copy(const Host& host) {
    if (!host.mirror.serves() || host.mirror.broken()) return;
    auto known = world_.ledger.find(host.mirror.decision());
    if (!known) return;
    contained(world_.ledger.promised(*known), host.copy.kernel, "lost",
              node_name(host.self) + ", which serves,");
}

void Invariants::in_sync_copies(const Host& host) {
    if (host.record.chain.empty() || world_.forced) return;
    const Decision& head = host.record.chain.head().decision;
    const Chain& others = world_.host(other(host.self)).record.chain;
    auto known = world_.ledger.find(head.id);
    bool older = others.contains(head.id) && others.head().decision.id != head.id;
    if (!known || older) return;
    for (Node node : {Node::First, Node::Second}) {
        if (!world_.ledger.known(*known).decision.in_sync.has(node)) continue;
        if (world_.host(node).rolled_back) continue;  // it must not lead: decided(), serving_copy()
        contained(world_.ledger.owed_by(node, *known), world_.host(node).copy.kernel, "in-sync",
                  node_name(node) + ", in S of " + describe(head) + ",");
    }
}

}  // namespace ha::sim
