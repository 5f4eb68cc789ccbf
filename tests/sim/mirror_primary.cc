// The primary's side of the mirror: operations, when they are acknowledged, bringing the peer up.

#include <utility>

#include "host.h"
#include "mirror_model.h"
#include "world.h"

namespace ha::sim {

void MirrorModel::carry_out(const cluster::ServeMirror& order) {
    const bool anew = role_ != Role::Serving || term_ != order.term || decision_ != order.decision;
    if (anew && lacks_state()) return;
    world().invariants.serve_begins(host_, order.epoch);
    broken_ = false;
    if (role_ != Role::Serving || failing_ || term_ != order.term) {
        leave_role();
        role_ = Role::Serving;
        compared_ = false;
        term_ = order.term;
        base_ = copy().kernel;
        operations_.clear();
        first_open_ = open_ops_ = peer_accepted_ = peer_durable_ = 0;
        progress_ = world().now();
    }
    epoch_ = order.epoch;
    if (std::exchange(decision_, order.decision) != order.decision) asked_ = false;
    hold_ = false;
    asked_ = false;
    if (!order.peer_member && peer_member_) close_stream();
    if (!order.peer_member || (joining_ && !join_ready_)) drop_joiner();
    peer_member_ = order.peer_member;
    joining_ = false;
    later(world().random.between(200us, 20ms), [this, order] {
        if (role_ != Role::Serving || term_ != order.term) return;
        copy().marker = module_id_;
        copy().stamped = stamped_ = true;
        fact(cluster::MirrorServing{order.term, order.decision});
    });
    settle();
}

void MirrorModel::carry_out(const cluster::DrainMirror&) {
    if (role_ != Role::Serving) return;
    draining_ = true;
    if (stuck_writes_.empty()) append(Purpose::Drain, 0);  // else when these calls have ended
}

void MirrorModel::carry_out(const cluster::ResumeMirror&) {
    draining_ = hold_ = false;
    settle();
}

void MirrorModel::carry_out(const cluster::AllowAcknowledge& order) {
    if (role_ != Role::Serving || order.decision != decision_) return;
    allowed_ = order.decision;
    settle();
}

void MirrorModel::carry_out(const cluster::FailHeld&) {
    if (role_ == Role::Serving) {
        failing_ = true;
        drop_operations();
        aborted_ = aborted_ || disk_is_dead();
    }
    fact(cluster::HeldFailed{});
}

// ---- operations

bool MirrorModel::admits() const {
    return alive_ && !hangs_ && serves() && stamped_ && !draining_ &&
           open_ops_ + stuck_writes_.size() < 12;
}

void MirrorModel::modify(bool fsync) {
    if (!fsync && lacks_room()) {  // ENOSPC to the application; nothing was changed
        ++world().totals.refused_writes;
        return;
    }
    if (fsync) return append(Purpose::Fsync, 0);
    if (host_.frozen.whole) return stuck_writes_.push_back(role_count_);
    write_through();
}

void MirrorModel::write_through() {
    const std::uint32_t write = world().ledger.new_write();
    copy().kernel.insert(write);
    changed();
    append(Purpose::Write, write);
}

/// Nobody is told of it, and no peer.
void MirrorModel::write_into_nothing() {
    copy().kernel.insert(world().ledger.new_write());
    changed();
}

void MirrorModel::append(Purpose purpose, std::uint32_t write) {
    Operation op;
    op.write = write;
    op.purpose = purpose;
    op.issued = world().now();
    op.rebuild = rebuilds_;
    if (purpose == Purpose::Fsync) op.covered = copy().kernel;
    if (open_ops_ == 0) progress_ = world().now();
    operations_.push_back(std::move(op));
    ++open_ops_;
    std::uint64_t sequence = operations_.size();
    bool to_joiner = mirrored_[write % WriteSet::kZones] || joining_ || purpose != Purpose::Write;
    if (peer_member_ || (rebuild_ && to_joiner)) send_operation(sequence);
    if (purpose == Purpose::Join) note_progress();
    if (purpose != Purpose::Write) {
        flush([this, sequence, role = role_count_] {
            if (role != role_count_) return;
            operations_[sequence - 1].local_durable = true;
            settle();
        });
    }
    settle();
}

void MirrorModel::send_operation(std::uint64_t sequence) {
    const Operation& op = operations_[sequence - 1];
    Frame frame;
    frame.sequence = sequence;
    frame.write = op.write;
    frame.sync = op.purpose != Purpose::Write;
    frame.joins = op.purpose == Purpose::Join;
    send(std::move(frame));
}

void MirrorModel::peer_accepted(std::uint64_t sequence) {
    heard_ = progress_ = world().now();
    host_.clusterd.evidence();
    if (role_ != Role::Serving) return;
    if (sequence > peer_accepted_) peer_accepted_ = sequence;
    settle();
}

void MirrorModel::peer_durable(std::uint64_t sequence) {
    if (role_ != Role::Serving) return;
    if (sequence > peer_durable_) peer_durable_ = sequence;
    settle();
}

bool MirrorModel::peer_needed(std::uint64_t sequence) const {
    if (!peer_member_ && !(joining_ && sequence > overlap_from_)) return false;
    bool cut = host_.world.network.usable(Link::Mirror, host_.self) == nullptr;
    bool patience_over = host_.world.now() - operations_[sequence - 1].issued > 500ms;
    return !(host_.world.mutant == Mutant::LocalAcknowledge && cut && patience_over);
}

bool MirrorModel::ready(const Operation& op, std::uint64_t sequence) const {
    bool needed = peer_needed(sequence);
    if (op.purpose == Purpose::Write) return !needed || peer_accepted_ >= sequence;
    return op.local_durable && (!needed || peer_durable_ >= sequence);
}

void MirrorModel::settle() {
    while (first_open_ < operations_.size() && operations_[first_open_].done) ++first_open_;
    for (std::size_t i = first_open_; i < operations_.size(); ++i) {
        Operation& op = operations_[i];
        if (op.done || !ready(op, i + 1)) continue;
        if (!answer(op)) continue;
        op.done = true;
        --open_ops_;
    }
}

bool MirrorModel::answer(Operation& op) {
    if (op.purpose == Purpose::Drain) {
        bool before = false;
        for (std::size_t i = first_open_; &operations_[i] != &op; ++i)
            before |= !operations_[i].done;
        if (before) return false;
        if (draining_) fact(cluster::Drained{});
        return true;
    }
    if (op.purpose == Purpose::Join) {
        if (!joining_ || op.rebuild != rebuilds_) return true;
        join_ready_ = true;
        fact(cluster::JoinReady{resync_token_});
        return true;
    }
    if (hold_) return false;
    if (allowed_ != decision_) {
        if (!std::exchange(asked_, true)) fact(cluster::FirstModification{decision_});
        if (world().mutant != Mutant::UsedTooLate) return false;
    }
    acknowledge(op);
    return true;
}

void MirrorModel::acknowledge(const Operation& op) {
    if (op.purpose == Purpose::Write) {
        world().invariants.acknowledged(host_, decision_, op.write, op.issued);
    } else {
        world().invariants.acknowledged_durable(host_, decision_, op.covered);
    }
}

/// Answered with an error, or their process is gone: never acknowledged.
void MirrorModel::drop_operations() {
    for (auto& op : operations_) op.done = true;
    open_ops_ = 0;
}

void MirrorModel::check_stall() {
    bool waits = false;
    for (std::size_t i = first_open_; i < operations_.size(); ++i) {
        waits |= !operations_[i].done && peer_needed(i + 1) && peer_accepted_ < i + 1;
    }
    if (waits && world().now() - progress_ > 3s) {
        progress_ = world().now();
        fact(cluster::AcknowledgementsStalled{});
    }
    if (world().mutant == Mutant::LocalAcknowledge) settle();
}

/// As replicatord/disk_probe: asked when a call has not ended for a second, it has not taken the
/// probe for ten.
bool MirrorModel::disk_is_dead() const {
    return host_.frozen.now && host_.world.now() - host_.frozen.since > 11s;
}

void MirrorModel::check_own_disk() {
    const bool asks = peer_member_ && (open_ops_ > 0 || !stuck_writes_.empty());
    if (!asks || !disk_is_dead() || world().now() - disk_told_ < 3s) return;
    disk_told_ = world().now();
    fact(cluster::AcknowledgementsStalled{true, "the disk answers nothing"});
}

WriteSet MirrorModel::history(std::uint64_t sequence) const {
    WriteSet state = base_;
    for (std::uint64_t i = 0; i < sequence && i < operations_.size(); ++i) {
        if (operations_[i].purpose == Purpose::Write) state.insert(operations_[i].write);
    }
    return state;
}

// ---- the peer

bool MirrorModel::willing_with(const MirrorModel& follower) const {
    bool roles = alive_ && follower.alive_ && role_ == Role::Serving && !failing_ && stamped_ &&
                 follower.role_ == Role::Following && term_ == follower.term_;
    bool current = epoch_ >= follower.epoch_ && epoch_ > follower.host_.copy.sealed;
    if (host_.world.mutant == Mutant::AcceptOldDecisions) current = true;
    bool fits = follower.resync_target_ ? rebuild_ && !join_ready_ : peer_member_;
    return roles && current && fits && !follower.copy_failed_ && follower.host_.copy.stamped;
}

/// Both ends, at once: the follower's hello and what the primary makes of it.
void MirrorModel::stream_up() {
    MirrorModel& follower = peer();
    heard_ = follower.heard_ = world().now();
    if (follower.resync_target_) return begin_rebuild();
    world().invariants.resumed(follower.host_, history(follower.last_), follower.last_);
    for (std::uint64_t i = 0; i < operations_.size(); ++i) {
        bool unsure = !operations_[i].done && operations_[i].purpose != Purpose::Write;
        if (i >= follower.last_ || unsure) send_operation(i + 1);
    }
}

void MirrorModel::carry_out(const cluster::StartResync& order) {
    resync_token_ = order.token;
    if (role_ != Role::Serving || peer_member_) return;
    if (join_ready_) return fact(cluster::JoinReady{resync_token_});
    if (std::exchange(rebuild_, true)) return;
    mirrored_ = {};
}

void MirrorModel::carry_out(const cluster::StopResync&) {
    drop_joiner();
}

void MirrorModel::drop_joiner() {
    if (!rebuild_) return;
    rebuild_ = joining_ = join_ready_ = false;
    mirrored_ = {};
    ++rebuilds_;
    if (!peer_member_) close_stream();
    settle();
}

void MirrorModel::begin_rebuild() {
    mirrored_ = {};
    progress_exchanged_ = false;
    rebuild_began_ = host_.clock();
    std::uint64_t rebuild = ++rebuilds_;
    later(world().random.between(1ms, 30ms), [this, rebuild] { copy_zone(0, rebuild); });
}

void MirrorModel::copy_zone(std::uint32_t zone, std::uint64_t rebuild) {
    if (role_ != Role::Serving || rebuild != rebuilds_ || !rebuild_) return;
    bool early = world().mutant == Mutant::TellEarly && zone == WriteSet::kZones / 2;
    if (early) {
        join_ready_ = true;
        return fact(cluster::JoinReady{resync_token_});
    }
    if (zone == WriteSet::kZones && !progress_exchanged_) {
        return later(10ms, [this, zone, rebuild] { copy_zone(zone, rebuild); });
    }
    if (zone == WriteSet::kZones) {
        joining_ = true;
        overlap_from_ = operations_.size();
        peer_accepted_ = peer_durable_ = overlap_from_;
        return append(Purpose::Join, 0);
    }
    world().say(host_, [&] { return "  zone " + std::to_string(zone) + " is copied"; });
    Frame frame;
    frame.kind = Frame::Kind::Zone;
    frame.zone = zone;
    frame.data = copy().kernel;
    send(std::move(frame));
    mirrored_[zone] = true;
    later(world().random.between(1ms, world().weather.zone_time),
          [this, zone, rebuild] { copy_zone(zone + 1, rebuild); });
}

void MirrorModel::carry_out(const cluster::TellIn& order) {
    Frame frame;
    frame.kind = Frame::Kind::TellIn;
    frame.decision = order.decision;
    send(std::move(frame));
    rebuild_ = join_ready_ = false;
}

}  // namespace ha::sim
