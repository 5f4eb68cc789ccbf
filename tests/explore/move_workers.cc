// ha-vipd and ha-watchdog, and the lease that each worker enforces by itself.

#include <algorithm>

#include "base/assert.h"
#include "move.h"

namespace ha::explore {

using namespace cluster;

namespace {

constexpr Instant kNow{2h};

}  // namespace

/// Nothing that was to be held under a lease that has run out is begun.
void Move::workers(Node node, const Effect& effect) {
    Side& side = state_.change(node);
    const bool may = !side.lease.run_out || is(Mutant::LeaseIgnored);
    if (std::holds_alternative<HoldAddresses>(effect) && may) {
        side.addresses = true;
        fact(node, AddressesHeld{});
    } else if (std::holds_alternative<DropAddresses>(effect)) {
        side.addresses = false;
        fact(node, AddressesDropped{});
    } else if (const auto* probe = std::get_if<ProbeAddresses>(&effect)) {
        side.probe = probe->token;
    } else if (std::holds_alternative<StartUnits>(effect) && may) {
        side.units = true;
        fact(node, UnitsStarted{});
    } else if (std::holds_alternative<StopUnits>(effect)) {
        side.units = false;
        fact(node, UnitsStopped{});
    } else if (std::holds_alternative<KillUnits>(effect)) {
        side.units = false;
        fact(node, UnitsGone{});
    }
    if (!side.units && !side.addresses) side.on_its_own = false;
}

/// Each worker lets go, and none waits for another; ha-clusterd sees it later.
void Move::run_out(Node node) {
    Side& side = state_.change(node);
    side.lease.run_out = true;
    if (is(Mutant::LeaseIgnored)) return;
    side.units = side.addresses = side.on_its_own = false;
    fail_held(node);
}

/// This node's monitor does: it is not overdue for take_after.
void Move::counts_from_here(Node node) {
    const Node from = other(node);
    if (!state_.at(from).lease.heard) state_.change(from).lease.heard = true;
}

/// Something of the other node's has been heard, and that one may hear of it.
void Move::evidence(Node node) {
    counts_from_here(node);
    const Node from = other(node);
    auto hears = [this](Node each) {
        const Side& side = state_.at(each);
        return side.machine && side.hearing == Hearing::Hears;
    };
    if (!hears(node) || !hears(from)) return;
    for (Node each : kNodes) {
        if (state_.at(each).lease.stale) state_.change(each).lease.stale = false;
    }
}

/// As ha-clusterd does after each step, before any of its effects, and after the last Persist.
void Move::update_lease(Node node) {
    Side& side = state_.change(node);
    Lease lease;
    if (side.lease.bounded) {
        lease.begin(side.lease.run_out ? kNow - 2 * kBound : kNow - 1ms, kBound);
        if (side.lease.run_out) HA_ASSERT(lease.expired(kNow));
    }
    const bool persists = std::any_of(side.queue.begin(), side.queue.end(), [](const Effect& each) {
        return std::holds_alternative<Persist>(each);
    });
    const bool durable = is(Mutant::LeaseEarly) || (!side.persisting && !persists);
    const bool begun = side.keeper->update(*side.machine, lease, durable, kNow);
    if (begun) {
        const bool now = lease.expiry() == kNow + kBound;
        const bool heard = !now || setup_.bounds.late != 0 || !state_.at(other(node)).machine;
        side.lease.bounded = true;
        side.lease.run_out = !now && side.lease.stale;
        side.lease.heard = side.lease.heard && heard;
        side.lease.stale = side.lease.stale && !now;
        if (say_) say(node, now ? "* a lease begins" : "* a lease of before");
    } else if (side.lease.bounded && !lease.bounded()) {
        side.lease.bounded = side.lease.run_out = false;
        side.on_its_own = side.machine->serving() && side.hearing != Hearing::Hears;
        if (say_) say(node, "* the lease ends");
    }
    if (side.lease.run_out && side.machine->serving()) fact(node, LeaseExpired{});
}

}  // namespace ha::explore
