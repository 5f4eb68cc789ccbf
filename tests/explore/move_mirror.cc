// ha-replicatord: its orders and the follower's side, as in tests/sim/mirror_model.

#include <algorithm>
#include <utility>

#include "describe.h"
#include "move.h"

namespace ha::explore {

using namespace cluster;

void Move::order(Node node, const Effect& effect) {
    std::visit(
        [this, node](const auto& one) {
            if constexpr (requires { this->carry(node, one); }) this->carry(node, one);
        },
        effect);
}

void Move::flush(Node node) {
    Copy& copy = state_.change(node).copy;
    if (!copy.frozen) copy.disk = copy.kernel;
}

/// What waited for the disk is made durable, and said to be.
void Move::thaw(Node node) {
    Side& side = state_.change(node);
    side.copy.frozen = false;
    const auto& operations = side.mirror.operations;
    const bool waits = std::any_of(operations.begin(), operations.end(), [](const auto& one) {
        return !one.done && one.kind != Operation::Kind::Write;
    });
    if (waits || side.flushing) flush(node);
    if (side.flushing) fact(node, MadeDurable{*std::exchange(side.flushing, std::nullopt)});
    settle(node);
}

void Move::carry(Node node, const OpenMirror&) {
    Mirror& mirror = state_.change(node).mirror;
    if (mirror.role == Role::Closed) mirror.role = Role::Hold;
    MirrorOpened opened;
    opened.compared = true;  // nobody edits a stopped tree here
    const bool unmarked = state_.at(node).record.chain.empty();
    opened.marker_absent = opened.never_stamped = unmarked;
    opened.marker_valid = !unmarked;
    opened.serving = mirror.role == Role::Serving && !mirror.failing;
    opened.following = mirror.role == Role::Following && !mirror.resync_target;
    opened.term = mirror.term;
    fact(node, opened);
}

void Move::carry(Node node, const FollowMirror& order) {
    const Mirror& before = state_.at(node).mirror;
    if (before.role != Role::Following || before.term != order.term) {
        leave_role(node);
    } else if (order.resync && !before.resync_target) {
        close_stream(node);
    }
    Side& side = state_.change(node);
    side.mirror.role = Role::Following;
    side.mirror.term = order.term;
    side.mirror.epoch = order.epoch;
    side.mirror.resync_target = order.resync;
    if (order.resync && side.copy.sealed >= order.epoch) {
        side.copy.sealed = Epoch{order.epoch.value - 1};
    }
}

void Move::carry(Node node, const SealMirror& order) {
    const bool follows = state_.at(node).mirror.role == Role::Following;
    if (follows && !is(Mutant::NoSeal) && !is(Mutant::AcceptOldDecisions)) close_stream(node);
    Copy& copy = state_.change(node).copy;
    if (!is(Mutant::NoSeal)) copy.sealed = std::max(copy.sealed, order.epoch);
    fact(node, Sealed{order.epoch});
}

void Move::carry(Node node, const MakeDurable& order) {
    Mirror& mirror = state_.change(node).mirror;
    if (order.hold && mirror.role == Role::Serving) mirror.hold = true;
    if (!is(Mutant::NoFlush)) {
        flush(node);
        if (state_.at(node).copy.frozen) {
            state_.change(node).flushing = order.token;
            return;
        }
    }
    fact(node, MadeDurable{order.token});
}

void Move::carry(Node node, const HoldMirror&) {
    if (state_.at(node).mirror.role == Role::Closed) return;
    leave_role(node);
    state_.change(node).mirror.role = Role::Hold;
}

void Move::carry(Node node, const CloseMirror&) {
    leave_role(node);
    state_.change(node).mirror.role = Role::Closed;
    flush(node);
    // On a frozen disk it may be said late, or so; the second shows more.
    fact(node, MirrorClosed{!state_.at(node).copy.frozen});
}

void Move::leave_role(Node node) {
    close_stream(node);
    Mirror& mirror = state_.change(node).mirror;
    const Role role = mirror.role;
    mirror = Mirror{};
    mirror.role = role;
}

// ---- the stream

void Move::close_stream(Node node) {
    if (state_.stream.open[index_of(node)]) end_lost(node);
}

/// This end of it is no more. What was sent from here still arrives, if the other end is open.
void Move::end_lost(Node node) {
    Stream& stream = state_.stream;
    stream.open[index_of(node)] = false;
    if (node != stream.primary) stream.frames.clear();
    const Mirror& mirror = state_.at(node).mirror;
    const Id128 term = mirror.term;
    if (mirror.role == Role::Serving && mirror.rebuild && !mirror.join_ready) drop_joiner(node);
    if (mirror.role != Role::Closed) fact(node, StreamDown{term});
    if (is(Mutant::LocalAcknowledge)) settle(node);
}

bool willing(const State& state, Node primary, Mutant mutant) {
    const Mirror& from = state.at(primary).mirror;
    const Side& follower = state.at(other(primary));
    const Mirror& to = follower.mirror;
    if (state.stream.open[0] || state.stream.open[1] || !follower.powered) return false;
    if (from.role != Role::Serving || from.failing || to.role != Role::Following) return false;
    if (from.term != to.term) return false;
    const bool current = from.epoch >= to.epoch && from.epoch > follower.copy.sealed;
    if (!current && mutant != Mutant::AcceptOldDecisions) return false;
    return to.resync_target ? from.rebuild && !from.join_ready : from.member;
}

/// Both ends, at once: the follower's hello and what the primary makes of it.
void Move::connect(Node primary) {
    state_.stream = Stream{{true, true}, primary, {}};
    for (Node node : kNodes) evidence(node);
    const Mirror& to = state_.at(other(primary)).mirror;
    if (!to.resync_target) {
        return resume(primary);
    }
    Mirror& from = state_.change(primary).mirror;
    if (is(Mutant::AddedBeforeSynced)) {
        from.join_ready = true;
        return fact(primary, JoinReady{from.resync_token});
    }
    from.mirrored = !is(Mutant::JoinWithoutOverlap);
    Frame frame;
    frame.kind = Frame::Kind::Zone;
    frame.data = state_.at(primary).copy.kernel;
    send(primary, frame);
}

void Move::resume(Node primary) {
    const std::uint32_t last = state_.at(other(primary)).mirror.last;
    const auto& operations = state_.at(primary).mirror.operations;
    Writes unsent = 0;
    for (std::uint32_t i = 0; i < operations.size(); ++i) {
        const bool write = operations[i].kind == Operation::Kind::Write;
        if (write && i >= last) unsent |= operations[i].covers;
        if (i >= last || (!write && !operations[i].done)) send_operation(primary, i + 1);
    }
    invariants_.resumed(other(primary), unsent);
}

void Move::frame() {
    Stream& stream = state_.stream;
    const Node follower = other(stream.primary);
    evidence(follower);
    const Frame frame = stream.frames.front();
    stream.frames.erase(stream.frames.begin());
    const Side& side = state_.at(follower);
    const bool old = !is(Mutant::AcceptOldDecisions) &&
                     (frame.epoch < side.mirror.epoch || frame.epoch <= side.copy.sealed);
    if (side.mirror.role == Role::Following && !old) return apply(follower, frame);
    if (side.mirror.role == Role::Following) close_stream(follower);
}

void Move::apply(Node follower, const Frame& frame) {
    Side& side = state_.change(follower);
    const Node primary = other(follower);
    const bool answered = state_.stream.open[index_of(primary)];
    switch (frame.kind) {
        case Frame::Kind::TellIn:
            side.mirror.resync_target = false;
            return fact(follower, ToldIn{frame.decision});
        case Frame::Kind::Zone:
            side.copy.kernel = frame.data;
            if (answered) copied(primary);
            return;
        case Frame::Kind::Operation:
            break;
    }
    side.copy.kernel |= frame.data;
    if (frame.sync) flush(follower);
    side.mirror.last = std::max(side.mirror.last, frame.sequence);
    if (!answered) return;
    Mirror& mirror = state_.change(primary).mirror;
    if (mirror.role != Role::Serving) return;
    mirror.peer_accepted = std::max(mirror.peer_accepted, frame.sequence);
    if (frame.sync) mirror.peer_durable = std::max(mirror.peer_durable, frame.sequence);
    settle(primary);
}

}  // namespace ha::explore
