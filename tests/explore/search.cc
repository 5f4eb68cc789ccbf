#include "search.h"

#include <algorithm>

#include "trace.h"

namespace ha::explore {

using namespace cluster;

Search::Result Search::run(std::uint64_t max_states) {
    note(first_, kNobody, {});
    std::vector<Waiting> level;
    while (!next_.empty()) {
        level.swap(next_);
        next_.clear();
        sides_.clear();
        for (Waiting& waiting : level) {
            expand(waiting);
            waiting.state = {};
            const bool full = seen_.size() >= max_states;
            if (!result_.violation.empty() || full) return result_;
        }
        if (!next_.empty()) ++result_.depth;
    }
    result_.complete = true;
    return result_;
}

void Search::expand(const Waiting& waiting) {
    for (const Action& action : enabled(waiting.state, setup_.bounds, setup_.mutant)) {
        State state = waiting.state;
        ++result_.moves;
        from_ = waiting.index;
        action_ = action;
        Move move(state, setup_);
        auto pause = [&](std::uint8_t steps) {
            Action stopped = action;
            stopped.stop = steps;
            const bool crashes = state.left.crashes > 0 && (state.at(Node::First).persisting ||
                                                            state.at(Node::Second).persisting);
            if (crashes || state.left.slow > 0) note(state, waiting.index, stopped);
        };
        try {
            move.carry_out(action, pause);
        } catch (const sim::Violation& violation) {
            result_.violation = violation.what();
            return;
        }
        note(std::move(state), waiting.index, action);
    }
}

void Search::note(State state, std::uint32_t parent, Action action) {
    const auto index = static_cast<std::uint32_t>(seen_.size());
    if (!index_.try_emplace(digest(state), index).second) return;
    seen_.push_back({parent, action.packed()});
    result_.states = seen_.size();
    if (!within(state)) return;
    share(state);
    next_.push_back({std::move(state), index});
}

/// What moves one node often leads to the same there whatever the other is like.
void Search::share(State& state) {
    for (Shared<Side>& side : state.sides) {
        side = sides_.try_emplace(identity(*side), side).first->second;
    }
}

/// Beyond, nothing is explored; the state itself was checked.
bool Search::within(const State& state) const {
    const auto base = first_.truth->decisions.size();
    std::uint64_t newest = 0;
    for (Node node : kNodes) {
        const Chain& chain = state.at(node).record.chain;
        if (!chain.empty()) newest = std::max(newest, chain.head().decision.number.value);
    }
    return newest <= base + setup_.bounds.decisions;
}

std::vector<Action> Search::way_to(std::uint32_t index) const {
    std::vector<Action> actions;
    for (; seen_[index].parent != kNobody; index = seen_[index].parent) {
        actions.push_back(Action::unpack(seen_[index].action));
    }
    std::reverse(actions.begin(), actions.end());
    return actions;
}

std::vector<Action> Search::trying() const {
    if (from_ == kNobody) return {};
    std::vector<Action> actions = way_to(from_);
    actions.push_back(action_);
    return actions;
}

void Search::replay(const std::vector<Action>& actions, const Move::Say& say) const {
    State state = first_;
    std::size_t number = 0;
    for (const Action& action : actions) {
        say(std::to_string(++number) + ".");
        Move(state, setup_, say).carry_out(action);
    }
}

}  // namespace ha::explore
