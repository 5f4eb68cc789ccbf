// The register on a third machine, and each node's client of it.

#include <algorithm>
#include <utility>

#include "describe.h"
#include "move.h"

namespace ha::explore {

using namespace cluster;

namespace {

Id128 id_of(const std::shared_ptr<const Registered>& value) {
    return value ? value->decision.id : Id128{};
}

std::optional<Registered> shown(const std::shared_ptr<const Registered>& value) {
    return value ? std::optional<Registered>(*value) : std::nullopt;
}

}  // namespace

void Move::ask(Node node, const AskWitness& order) {
    const bool assumed = is(Mutant::AssumeWon) ||
                         (is(Mutant::BirthOnBoth) && order.value.decision.cause == Cause::Birth);
    if (assumed) fact(node, RegisterShown{order.value});
    if (!state_.at(node).reached) return;
    state_.asked.push_back(
        {node, true, order.expected, std::make_shared<const Registered>(order.value)});
    prune_asked();
}

/// A value never comes back, so what waits for one of before changes nothing any more; nor does the
/// same exchange a second time.
void Move::prune_asked() {
    if (is(Mutant::WitnessForgets)) return;
    std::vector<Asked> kept;
    for (const Asked& asked : state_.asked) {
        const bool gone = std::find(state_.replaced.begin(), state_.replaced.end(),
                                    asked.expected) != state_.replaced.end();
        const bool twice = std::any_of(kept.begin(), kept.end(), [&asked](const Asked& each) {
            return !each.awaited && *each.value == *asked.value && each.expected == asked.expected;
        });
        if (asked.awaited || (!gone && !twice)) kept.push_back(asked);
    }
    state_.asked = std::move(kept);
}

void Move::arrives(const Action& action) {
    const Asked asked = state_.asked[action.detail];
    state_.asked.erase(state_.asked.begin() + action.detail);
    if (id_of(state_.value) == asked.expected) {
        state_.replaced.push_back(asked.expected);
        state_.before = std::exchange(state_.value, asked.value);
        if (say_) say("    the witness: " + sim::describe(asked.value->decision));
    }
    prune_asked();
    if (!asked.awaited) return;
    if (action.what == What::Arrives) return tell_shown(asked.from);
    if (is(Mutant::ServesByReading)) return;
    lose_witness(asked.from);
}

void Move::tell_shown(Node node) {
    Side& side = state_.change(node);
    side.reached = true;
    side.shown = state_.value;
    deliver(node, RegisterShown{shown(state_.value)});
}

void Move::read(Node node) {
    tell_shown(node);
}

void Move::forget_client(Node node) {
    Side& side = state_.change(node);
    side.reached = false;
    side.shown.reset();
    for (Asked& asked : state_.asked) {
        if (asked.from == node) asked.awaited = false;
    }
    prune_asked();
}

/// Mutant JoinAbandoned: the exchange counts as failed, so the joiner counts no more.
void Move::lose_witness(Node node) {
    forget_client(node);
    const auto& machine = state_.at(node).machine;
    const bool joins = machine && machine->record().exchange &&
                       machine->record().exchange->decision.cause == Cause::Join;
    deliver(node, WitnessLost{});
    if (!is(Mutant::JoinAbandoned) || !joins) return;
    Mirror& mirror = state_.change(node).mirror;
    mirror.member = mirror.rebuild = mirror.joining = mirror.mirrored = false;
    settle(node);
}

}  // namespace ha::explore
