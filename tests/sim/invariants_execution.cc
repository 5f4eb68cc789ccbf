// Single execution: what one node holds, the other does not; and who may be late.

#include "host.h"
#include "invariants.h"
#include "world.h"

namespace ha::sim {

using namespace cluster;

namespace {

/// A node or a daemon that runs again: its leases are looked at, the address goes, the processes
/// are killed; a reset of the node if they cannot be.
constexpr Duration kDropsWithin = 200ms;
constexpr Duration kEndsWithin = 550ms;
/// A probe of the addresses, and a record on a slow disk after it.
constexpr Duration kAsked = 8s;

const char* node_name(Node node) {
    return node == Node::First ? "node A" : "node B";
}

}  // namespace

void Invariants::single_execution() {
    const Host& first = world_.host(Node::First);
    const Host& second = world_.host(Node::Second);
    const bool processes = first.workers.active() && second.workers.active();
    const bool addresses = first.workers.holds_addresses() && second.workers.holds_addresses();
    if ((!processes && !addresses) || world_.forced) return;
    const bool by_policy =
        world_.witnesses != Witnesses::One && world_.weather.policy == Policy::Available;
    // What a paused node holds it holds until it wakes.
    const bool may_take = by_policy || world_.witnesses != Witnesses::None;
    const bool late = holds_late(first, addresses) || holds_late(second, addresses);
    const bool excused = both_may_by_policy() || (may_take && late);
    check(excused, "single-execution", "application or address on both nodes");
}

/// Each goes on alone, as the policy has it when nobody hears anybody.
bool Invariants::both_may_by_policy() const {
    const bool by_policy =
        world_.witnesses != Witnesses::One && world_.weather.policy == Policy::Available;
    return by_policy && !cut_off(world_.host(Node::First)) && !cut_off(world_.host(Node::Second)) &&
           world_.in_silence(20s);
}

/// It was not able to let go in time: it stood still, or the daemon did that has to.
bool Invariants::holds_late(const Host& host, bool addresses) const {
    const Duration within = addresses ? kDropsWithin : kEndsWithin;
    return world_.paused_lately(within) || host.workers.hung_lately(kEndsWithin);
}

void Invariants::overdue(const Host& host) {
    const Host& holder = host.peer();
    const bool addresses = holder.workers.holds_addresses();
    const bool holds = holder.workers.active() || addresses;
    // It cannot take over before both go by one witness, nor without its ping target.
    const bool may = !cut_off(host) && host.record.witness == holder.record.witness &&
                     !host.record.outdated && !host.record.chain.empty() &&
                     host.record.chain.head().decision.in_sync.has(host.self);
    const bool excused = both_may_by_policy() || holds_late(holder, addresses);
    check(!holds || !may || !holder.lease.bounded() || excused, "let-go",
          std::string(node_name(holder.self)) +
              " holds the module although its lease has run out for " + node_name(host.self));
}

/// What begins to serve under a decision of before its process began, which nobody confirmed, does
/// not do so beside somebody who would have answered.
void Invariants::addresses_asked(const Host& host) const {
    const Record& record = host.record;
    const ChainEntry& head = record.chain.head();
    const bool unconfirmed = record.witness.none() && world_.weather.policy == Policy::Available &&
                             head.confirmation == Confirmation::Alone &&
                             host.clusterd.began_under() == head.decision.id;
    if (!unconfirmed || host.mirror.serves()) return;
    const Host& holder = host.peer();
    const Time before = world_.now() - kAsked;
    const auto meet = world_.network.addresses_meet();
    const bool answers = holder.workers.holds_addresses() &&
                         holder.workers.held_addresses_since() <= before && meet && *meet <= before;
    const bool excused = world_.paused_lately(kAsked) || host.workers.hung_lately(kAsked);
    check(!answers || excused, "address-asked",
          std::string(node_name(host.self)) + " serves although the other holds the addresses");
}

/// Not alone by its own record, and what would allow it to be does not answer.
bool Invariants::cut_off(const Host& host) const {
    const auto& since = host.clusterd.silent_since();
    const bool asks = world_.witnesses == Witnesses::PingTarget && since;
    return asks && world_.network.target_reached(host.self) < *since &&
           host.record.chain.head().decision.in_sync == InSync::both();
}

}  // namespace ha::sim
