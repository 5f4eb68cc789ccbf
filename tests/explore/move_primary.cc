// The primary's side of the mirror: operations, when they are acknowledged, bringing the peer up.

#include <algorithm>
#include <utility>

#include "describe.h"
#include "move.h"

namespace ha::explore {

using namespace cluster;

void Move::carry(Node node, const ServeMirror& order) {
    if (state_.at(node).lease.run_out && !is(Mutant::LeaseIgnored)) return fail_held(node);
    const Mirror& before = state_.at(node).mirror;
    if (before.role != Role::Serving || before.term != order.term || before.failing) {
        leave_role(node);
        Mirror& begun = state_.change(node).mirror;
        begun.role = Role::Serving;
        begun.term = order.term;
    }
    Mirror& mirror = state_.change(node).mirror;
    mirror.epoch = order.epoch;
    mirror.decision = order.decision;
    mirror.hold = mirror.asked = false;
    if (!order.peer_member && mirror.member) close_stream(node);
    if (!order.peer_member || (mirror.joining && !mirror.join_ready)) drop_joiner(node);
    mirror.member = order.peer_member;
    mirror.joining = false;
    invariants_.serves(node, order.decision);
    fact(node, MirrorServing{order.term, order.decision});
    settle(node);
}

void Move::carry(Node node, const DrainMirror&) {
    if (state_.at(node).mirror.role != Role::Serving) return;
    state_.change(node).mirror.draining = true;
    if (is(Mutant::SwapWithoutDrain)) return fact(node, Drained{});
    Operation drain;
    drain.kind = Operation::Kind::Drain;
    append(node, drain);
}

void Move::carry(Node node, const ResumeMirror&) {
    Mirror& mirror = state_.change(node).mirror;
    mirror.draining = mirror.hold = false;
    settle(node);
}

void Move::carry(Node node, const AllowAcknowledge& order) {
    Mirror& mirror = state_.change(node).mirror;
    if (mirror.role != Role::Serving || order.decision != mirror.decision) return;
    mirror.allowed = order.decision;
    settle(node);
}

void Move::carry(Node node, const FailHeld&) {
    fail_held(node);
    fact(node, HeldFailed{});
}

void Move::fail_held(Node node) {
    if (state_.at(node).mirror.role != Role::Serving) return;
    state_.change(node).mirror.failing = true;
    drop_operations(node);
}

// ---- operations

void Move::modify(Node node, bool fsync) {
    Operation operation;
    Side& side = state_.change(node);
    if (fsync) {
        operation.kind = Operation::Kind::Fsync;
        operation.covers = side.copy.kernel;
    } else {
        operation.covers = static_cast<Writes>(1U << state_.written++);
        side.copy.kernel |= operation.covers;
        if (say_) say(node, "write " + std::to_string(state_.written - 1));
    }
    append(node, operation);
}

void Move::append(Node node, Operation operation) {
    const bool write = operation.kind == Operation::Kind::Write;
    if (!write) flush(node);
    Mirror& mirror = state_.change(node).mirror;
    mirror.operations.push_back(operation);
    const auto sequence = static_cast<std::uint32_t>(mirror.operations.size());
    const bool to_joiner = mirror.mirrored || mirror.joining || !write;
    if (mirror.member || (mirror.rebuild && to_joiner)) send_operation(node, sequence);
    settle(node);
}

void Move::send(Node node, Frame frame) {
    Stream& stream = state_.stream;
    if (!stream.open[index_of(node)] || stream.primary != node) return;
    if (!stream.open[index_of(other(node))]) return;  // nobody there takes it
    frame.epoch = state_.at(node).mirror.epoch;
    stream.frames.push_back(frame);
}

void Move::send_operation(Node node, std::uint32_t sequence) {
    const Operation& operation = state_.at(node).mirror.operations[sequence - 1];
    Frame frame;
    frame.sequence = sequence;
    frame.sync = operation.kind != Operation::Kind::Write;
    if (!frame.sync) frame.data = operation.covers;
    send(node, frame);
}

bool peer_needed(const Mirror& mirror, std::uint32_t sequence) {
    return mirror.member || (mirror.joining && sequence > mirror.overlap_from);
}

bool stalls(const Side& side) {
    const Mirror& mirror = side.mirror;
    if (mirror.role != Role::Serving) return false;
    for (std::uint32_t i = 0; i < mirror.operations.size(); ++i) {
        const bool waits = !mirror.operations[i].done && mirror.peer_accepted < i + 1;
        if (waits && peer_needed(mirror, i + 1)) return true;
    }
    return false;
}

void Move::settle(Node node) {
    if (state_.at(node).mirror.role != Role::Serving) return;
    for (std::uint32_t i = 0; i < state_.at(node).mirror.operations.size(); ++i) {
        const Mirror& mirror = state_.at(node).mirror;
        Operation operation = mirror.operations[i];
        if (operation.done) continue;
        const bool syncs = operation.kind != Operation::Kind::Write;
        if (syncs && state_.at(node).copy.frozen) continue;
        const bool gone = is(Mutant::LocalAcknowledge) && !state_.stream.open[index_of(node)];
        const std::uint32_t has =
            operation.kind == Operation::Kind::Write ? mirror.peer_accepted : mirror.peer_durable;
        if (peer_needed(mirror, i + 1) && has < i + 1 && !gone) continue;
        if (!answer(node, operation)) continue;
        Operation& answered = state_.change(node).mirror.operations[i];
        answered.done = true;
        answered.lost = {};
    }
}

bool Move::answer(Node node, Operation& operation) {
    Mirror& mirror = state_.change(node).mirror;
    if (operation.kind == Operation::Kind::Drain) {
        for (const Operation& each : mirror.operations) {
            if (!each.done && each.kind != Operation::Kind::Drain) return false;
        }
        if (mirror.draining) fact(node, Drained{});
        return true;
    }
    if (operation.kind == Operation::Kind::Join) {
        if (!mirror.joining) return true;
        mirror.join_ready = true;
        fact(node, JoinReady{mirror.resync_token});
        return true;
    }
    if (mirror.hold) return false;
    if (mirror.allowed != mirror.decision) {
        if (!std::exchange(mirror.asked, true)) fact(node, FirstModification{mirror.decision});
        return false;
    }
    acknowledge(node, operation);
    return true;
}

void Move::acknowledge(Node node, const Operation& operation) {
    const Id128 decision = state_.at(node).mirror.decision;
    if (operation.kind == Operation::Kind::Write) {
        if (say_) say(node, "the write is acknowledged");
        return invariants_.acknowledged(node, decision, operation.covers, operation.lost);
    }
    if (say_) say(node, "the fsync is acknowledged");
    invariants_.acknowledged_durable(node, decision, operation.covers);
}

/// Answered with an error: never acknowledged.
void Move::drop_operations(Node node) {
    for (Operation& operation : state_.change(node).mirror.operations) operation.done = true;
}

/// What is answered and will not be sent again is forgotten, so that one term may last for ever.
void Move::trim(Node node) {
    if (state_.at(node).mirror.operations.empty()) return;
    const Mirror& to = state_.at(other(node)).mirror;
    const Mirror& from = state_.at(node).mirror;
    const bool followed = to.role == Role::Following && to.term == from.term && !to.resync_target;
    if (from.member && !followed) return;
    std::uint32_t gone = 0;
    for (const Operation& each : from.operations) {
        if (!each.done || (followed && to.last <= gone)) break;
        ++gone;
    }
    if (gone == 0) return;
    auto forget = [gone](std::uint32_t& sequence) { sequence -= std::min(gone, sequence); };
    Mirror& mirror = state_.change(node).mirror;
    mirror.operations.erase(mirror.operations.begin(), mirror.operations.begin() + gone);
    forget(mirror.overlap_from);
    forget(mirror.peer_accepted);
    forget(mirror.peer_durable);
    for (Frame& frame : state_.stream.frames) forget(frame.sequence);
    if (followed) forget(state_.change(other(node)).mirror.last);
}

// ---- the peer

void Move::carry(Node node, const StartResync& order) {
    Mirror& mirror = state_.change(node).mirror;
    mirror.resync_token = order.token;
    if (mirror.role != Role::Serving || mirror.member) return;
    if (mirror.join_ready) return fact(node, JoinReady{mirror.resync_token});
    if (std::exchange(mirror.rebuild, true)) return;
    mirror.mirrored = false;
}

void Move::carry(Node node, const StopResync&) {
    drop_joiner(node);
}

void Move::drop_joiner(Node node) {
    Mirror& mirror = state_.change(node).mirror;
    if (!mirror.rebuild) return;
    mirror.rebuild = mirror.joining = mirror.join_ready = mirror.mirrored = false;
    for (Operation& operation : mirror.operations) {
        if (operation.kind == Operation::Kind::Join) operation.done = true;
    }
    if (!mirror.member) close_stream(node);
    settle(node);
}

/// The follower has all that there was when its copy began.
void Move::copied(Node primary) {
    Mirror& mirror = state_.change(primary).mirror;
    if (mirror.role != Role::Serving || !mirror.rebuild) return;
    if (is(Mutant::JoinWithoutOverlap)) {
        mirror.join_ready = true;
        return fact(primary, JoinReady{mirror.resync_token});
    }
    mirror.joining = true;
    mirror.overlap_from = static_cast<std::uint32_t>(mirror.operations.size());
    mirror.peer_accepted = mirror.peer_durable = mirror.overlap_from;
    Operation join;
    join.kind = Operation::Kind::Join;
    append(primary, join);
}

void Move::carry(Node node, const TellIn& order) {
    Frame frame;
    frame.kind = Frame::Kind::TellIn;
    frame.decision = order.decision;
    send(node, frame);
    Mirror& mirror = state_.change(node).mirror;
    mirror.rebuild = mirror.join_ready = false;
}

}  // namespace ha::explore
