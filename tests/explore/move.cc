#include "move.h"

#include <utility>

#include "base/assert.h"

namespace ha::explore {

using namespace cluster;

void Move::carry_out(const Action& action, const Pause& pause) {
    if (state_.busy() && action.what != What::Crash && action.what != What::CrashDurable &&
        action.what != What::PowerOff && action.what != What::PowerOffDurable) {
        --state_.left.slow;
    }
    begin(action);
    settle_down(action.stop, pause);
    for (Node node : kNodes) trim(node);
}

void Move::settle_down(std::uint8_t stop, const Pause& pause) {
    for (std::uint8_t steps = 0; steps != stop; ++steps) {
        invariants_.always();
        HA_ASSERT(steps + 1 < Action::kToTheEnd);
        const bool first = state_.at(Node::First).busy();
        if (!first && !state_.at(Node::Second).busy()) return;
        if (pause) pause(steps);
        if (!go_on(first ? Node::First : Node::Second)) return;
    }
}

void Move::begin(const Action& action) {
    if (say_) say(describe(action));
    switch (action.what) {
        case What::Report:
        case What::Newest:
        case What::Silent:
        case What::Overdue:
        case What::Heard:
        case What::Ahead:
        case What::Answered:
        case What::Probed:
        case What::Deadline:
        case What::Expired:
            return begin_at_clusterd(action);
        case What::Stop:
        case What::StopAll:
        case What::Swap:
        case What::Restart:
        case What::Start:
        case What::Source:
            return begin_command(action);
        case What::Crash:
        case What::CrashDurable:
        case What::Begin:
        case What::RunsOut:
        case What::PowerOff:
        case What::PowerOffDurable:
        case What::PowerOn:
        case What::Blink:
            return begin_at_server(action);
        case What::Arrives:
        case What::Unanswered:
        case What::Read:
        case What::Lost:
        case What::Forgets:
            return begin_at_witness(action);
        case What::Write:
        case What::Fsync:
        case What::Connect:
        case What::Frame:
        case What::Breaks:
        case What::Notices:
        case What::Stalled:
        case What::StalledHere:
        case What::Thaws:
            return begin_at_mirror(action);
    }
}

void Move::begin_at_clusterd(const Action& action) {
    const Node node = action.node;
    Side& side = state_.change(node);
    if (action.what == What::Report || action.what == What::Newest) {
        const bool newest = action.what == What::Newest;
        const SharedReport report = newest ? side.mail.back() : side.mail.front();
        newest ? side.mail.clear() : void(side.mail.erase(side.mail.begin()));
        return receive(node, report);
    }
    if (action.what == What::Silent) {
        side.hearing = Hearing::Silent;
        side.answered = false;
        deliver(node, PeerSilent{});
        const bool before = is(Mutant::TargetOfBefore) && state_.reached[index_of(node)];
        return before ? deliver(node, TargetAnswered{}) : void();
    }
    if (action.what == What::Overdue) {
        side.hearing = Hearing::Overdue;
        state_.change(other(node)).lease.stale = setup_.bounds.late == 0;
        return deliver(node, PeerOverdue{});
    }
    if (action.what == What::Deadline) {
        return step(node, *side.machine->next_deadline(), DeadlinePassed{});
    }
    if (action.what == What::Answered) {
        side.answered = state_.reached[index_of(node)] = true;
        return deliver(node, TargetAnswered{});
    }
    if (action.what == What::Probed) {
        const auto probe = static_cast<Probe>(action.detail);
        const std::uint64_t token = *std::exchange(side.probe, std::nullopt);
        const char* taken = probe == Probe::Taken ? "192.0.2.10" : "";
        return deliver(node, AddressesProbed{token, taken, "", probe != Probe::NotAsked, ""});
    }
    if (action.what == What::Expired) return deliver(node, LeaseExpired{});
    side.hearing = Hearing::Hears;
    side.answered = false;
    evidence(node);
    if (action.what == What::Heard) return deliver(node, PeerReported{*side.heard});
    side.peer_ahead = true;
    deliver(node, PeerAhead{});
}

void Move::begin_command(const Action& action) {
    --state_.left.commands;
    const bool source = action.what == What::Source;
    if (source || action.what == What::Start) return deliver(action.node, StartRequested{source});
    if (action.what == What::Swap) return deliver(action.node, SwapRequested{});
    if (action.what == What::Restart) return deliver(action.node, RestartRequested{});
    deliver(action.node, StopRequested{action.what == What::StopAll, false});
}

void Move::begin_at_server(const Action& action) {
    const Node node = action.node;
    if (action.what == What::Begin) return start(node);
    if (action.what == What::PowerOn) return power_on(node);
    if (action.what == What::RunsOut) return run_out(node);
    --state_.left.crashes;
    if (action.what == What::Blink) return blink(node, action.detail);
    if (action.what == What::Crash) return crash(node, false);
    if (action.what == What::CrashDurable) return crash(node, true);
    power_off(node, action.detail, action.what == What::PowerOffDurable);
}

void Move::begin_at_witness(const Action& action) {
    if (action.what == What::Read) return read(action.node);
    if (action.what != What::Arrives) --state_.left.losses;
    if (action.what == What::Lost) return lose_witness(action.node);
    if (action.what == What::Forgets) {
        state_.value = std::move(state_.before);
        return;
    }
    arrives(action);
}

void Move::begin_at_mirror(const Action& action) {
    const Node node = action.node;
    if (action.what == What::Connect) return connect(node);
    if (action.what == What::Frame) return frame();
    if (action.what == What::Notices) return end_lost(node);
    if (action.what == What::Breaks) {
        --state_.left.breaks;
        return end_lost(node);
    }
    if (action.what == What::Stalled || action.what == What::StalledHere) {
        --state_.left.stalls;
        const bool here = action.what == What::StalledHere;
        if (here) state_.change(node).copy.frozen = true;
        return fact(node, AcknowledgementsStalled{here, ""});
    }
    if (action.what == What::Thaws) return thaw(node);
    action.what == What::Write ? --state_.left.writes : --state_.left.fsyncs;
    modify(node, action.what == What::Fsync);
}

}  // namespace ha::explore
