#include "beginning.h"

#include <algorithm>

#include "base/assert.h"

namespace ha::explore {

using cluster::Node;
using cluster::StartRequested;

namespace {

/// The network works and nothing goes wrong.
bool is_healthy(What what) {
    return what == What::Report || what == What::Arrives || what == What::Read ||
           what == What::Connect || what == What::Frame;
}

/// Until it comes to rest, or `enough`.
template <typename Enough>
void let_it_work(State& state, const Setup& setup, Enough enough) {
    for (int moves = 0; moves < 1000; ++moves) {
        const auto actions = enabled(state, setup.bounds, setup.mutant);
        const auto good = std::find_if(actions.begin(), actions.end(), [](const Action& action) {
            return is_healthy(action.what);
        });
        if (good == actions.end() || enough()) return;
        Move(state, setup).carry_out(*good);
    }
    HA_ASSERT(false);  // it never comes to rest
}

void let_it_work(State& state, const Setup& setup) {
    let_it_work(state, setup, [] { return false; });
}

void carry_out(State& state, const Setup& setup, What what) {
    Action action;
    action.what = what;
    Move(state, setup).carry_out(action);
    let_it_work(state, setup);
}

void command(State& state, const Setup& setup, Node node, bool as_source) {
    Move move(state, setup);
    move.command(node, StartRequested{as_source});
    move.settle_down(Action::kToTheEnd);
}

/// A no longer hears B.
void leave_alone(State& state, const Setup& setup) {
    Action silence;
    silence.what = What::Silent;
    Move(state, setup).carry_out(silence);
    Action arrives;
    arrives.what = What::Arrives;
    if (!state.asked.empty()) Move(state, setup).carry_out(arrives);
    HA_ASSERT(state.at(Node::First).machine->status().state == cluster::State::Alone);
}

void join(State& state, const Setup& setup) {
    auto joins = [&state] {
        const cluster::Record& record = state.at(Node::First).machine->record();
        const bool asked =
            record.exchange && record.exchange->decision.cause == cluster::Cause::Join;
        return asked || record.chain.head().decision.in_sync == cluster::InSync::both();
    };
    let_it_work(state, setup, joins);
    HA_ASSERT(joins());
}

void cede(State& state, const Setup& setup) {
    auto cedes = [&state] {
        return state.at(Node::First).machine->phase() == cluster::Phase::Ceding;
    };
    Action swap;
    swap.what = What::Swap;
    state.left.commands = 1;
    Move(state, setup).carry_out(swap);
    let_it_work(state, setup, cedes);
    HA_ASSERT(cedes());
}

Left all_of(const Bounds& bounds) {
    auto small = [](unsigned number) { return static_cast<std::uint8_t>(number); };
    return {small(bounds.writes), small(bounds.fsyncs), small(bounds.crashes),
            small(bounds.breaks), small(bounds.losses), small(bounds.commands),
            small(bounds.stalls), small(bounds.slow)};
}

}  // namespace

State beginning(const Setup& with) {
    Setup setup = with;
    setup.mutant = Mutant::None;
    State state;
    for (Node node : kNodes) {
        Move move(state, setup);
        move.power_on(node);
        move.settle_down(Action::kToTheEnd);
    }
    for (Node node : kNodes) command(state, setup, node, false);
    let_it_work(state, setup);
    const Beginning wanted = setup.bounds.beginning;
    if (wanted == Beginning::Unborn) {
        state.left = all_of(setup.bounds);
        return state;
    }
    command(state, setup, Node::First, true);
    let_it_work(state, setup);
    state.left.writes = state.left.fsyncs = 1;
    carry_out(state, setup, What::Write);
    carry_out(state, setup, What::Fsync);
    auto role = [&state](Node node) { return state.at(node).machine->status().state; };
    HA_ASSERT(role(Node::First) == cluster::State::Primary);
    HA_ASSERT(role(Node::Second) == cluster::State::Secondary);
    if (wanted == Beginning::Ceding) cede(state, setup);
    if (wanted == Beginning::Alone || wanted == Beginning::Joining) leave_alone(state, setup);
    if (wanted == Beginning::Joining) join(state, setup);
    state.left = all_of(setup.bounds);
    return state;
}

}  // namespace ha::explore
