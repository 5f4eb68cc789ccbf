// Orders, the role, and the secondary's side of the stream.

#include "mirror_model.h"

#include <algorithm>
#include <utility>

#include "host.h"
#include "world.h"

namespace ha::sim {

using cluster::Effect;

Copy& MirrorModel::copy() {
    return host_.copy;
}
World& MirrorModel::world() {
    return host_.world;
}
MirrorModel& MirrorModel::peer() {
    return host_.peer().mirror;
}

void MirrorModel::fact(const cluster::Event& event) {
    host_.clusterd.fact(event);
}

void MirrorModel::later(Duration delay, std::function<void()> task) {
    host_.world.scheduler.after(delay, mirror_of(host_.self),
                                [this, process = process_, task = std::move(task)] {
                                    if (alive_ && process == process_) task();
                                });
}

void MirrorModel::flush(std::function<void()> done, std::function<void()> failed) {
    const auto mine = [this, process = process_] { return alive_ && process == process_; };
    host_.flush(
        [this, mine, done = std::move(done)] {
            if (mine()) later({}, done);
        },
        [this, mine, failed = std::move(failed)] {
            if (mine()) later({}, failed);
        });
}

void MirrorModel::flush(std::function<void()> done) {
    flush(std::move(done), [this] { local_failure(); });
}

void MirrorModel::hang() {
    if (!std::exchange(hangs_, true)) world().scheduler.pause(mirror_of(host_.self));
}

void MirrorModel::unhang() {
    if (std::exchange(hangs_, false)) world().scheduler.resume(mirror_of(host_.self));
}

void MirrorModel::local_failure() {
    if (!alive_ || role_ == Role::Closed) return;
    ++world().totals.copy_failures;
    world().say(host_, [] { return "## its copy cannot be made durable: the disk is full"; });
    broken_ = true;
    host_.lose_pages();
    if (role_ == Role::Serving) hold_ = true;
    if (role_ == Role::Following) tell_copy_failed();
    fact(cluster::MirrorFailed{"disk-full", "no space left", true});
}

/// From here on nothing is taken or confirmed.
void MirrorModel::tell_copy_failed() {
    copy_failed_ = true;
    Stream* stream = world().network.usable(Link::Mirror, host_.self);
    if (stream == nullptr) return;
    stream->send(host_.self,
                 [to = &peer()] { to->fact(cluster::PeerCopyFailed{"no space left"}); });
}

/// Not every write needs room.
bool MirrorModel::lacks_room() {
    return host_.room.data_full && world().random.chance(800);
}

bool MirrorModel::lacks_state() {
    if (!host_.room.state_full) return false;
    world().say(host_, [] { return "## the mirror's state cannot be written: the disk is full"; });
    leave_role();
    if (role_ != Role::Closed) role_ = Role::Hold;
    fact(cluster::MirrorFailed{"io-error", "no space left"});
    return true;
}

void MirrorModel::changed() {
    ++copy().version;
    world().copies_changed = true;
}

void MirrorModel::crash() {
    unhang();
    alive_ = false;
    ++process_;
    progress_heard_.reset();
    leave_role();
    role_ = Role::Closed;
    orders_.clear();
    stuck_writes_.clear();
    closing_ = aborted_ = false;
}

/// In the thread that carries out orders: the trees are marked, synced, looked at.
bool MirrorModel::waits(const Effect& order) const {
    if (closing_ || !orders_.empty()) return true;
    if (!host_.frozen.now) return false;
    const auto* serve = std::get_if<cluster::ServeMirror>(&order);
    const bool stamps =
        serve != nullptr && (term_ != serve->term || decision_ != serve->decision || !serves());
    const bool opens = std::holds_alternative<cluster::OpenMirror>(order) && role_ == Role::Closed;
    return aborted_ || stamps || opens || std::holds_alternative<cluster::FollowMirror>(order);
}

void MirrorModel::order(const Effect& order, const Id128& module_id) {
    // A forced demotion waits for nothing, and what gives a role is void then.
    if (std::holds_alternative<cluster::FailHeld>(order)) {
        std::erase_if(orders_, [](const auto& waiting) {
            return std::holds_alternative<cluster::ServeMirror>(waiting.first) ||
                   std::holds_alternative<cluster::FollowMirror>(waiting.first) ||
                   std::holds_alternative<cluster::HoldMirror>(waiting.first);
        });
    } else if (waits(order)) {
        return orders_.emplace_back(order, module_id), void();
    }
    give(order, module_id);
}

void MirrorModel::go_on() {
    auto waiting = std::exchange(orders_, {});
    while (!waiting.empty()) {
        const auto [next, module_id] = std::move(waiting.front());
        waiting.pop_front();
        order(next, module_id);
    }
}

/// Calls that had not ended end: a role that has gone meanwhile does not hear of them.
void MirrorModel::thawed() {
    if (!alive_) return;
    for (std::uint64_t role : std::exchange(stuck_writes_, {})) {
        role == role_count_&& serves() ? write_through() : write_into_nothing();
    }
    if (draining_ && serves()) append(Purpose::Drain, 0);
    for (const Frame& frame : std::exchange(stuck_frames_, {})) receive(frame);
    if (std::exchange(aborted_, false)) {
        leave_role();
        role_ = Role::Closed;
        fact(cluster::MirrorFailed{"aborted", "its disk hung"});
    }
    go_on();
}

void MirrorModel::give(const Effect& order, const Id128& module_id) {
    const bool there = role_ != Role::Closed ||
                       std::holds_alternative<cluster::OpenMirror>(order) ||
                       std::holds_alternative<cluster::CloseMirror>(order) ||
                       std::holds_alternative<cluster::FailHeld>(order);
    if (!there) {
        return world().say(host_, [] { return "## an order without a mirror is ignored"; });
    }
    module_id_ = module_id;
    std::visit(
        [this](const auto& one) {
            if constexpr (requires { this->carry_out(one); }) this->carry_out(one);
        },
        order);
}

void MirrorModel::greet() {
    if (role_ != Role::Closed) order(cluster::OpenMirror{module_id_}, module_id_);
}

void MirrorModel::carry_out(const cluster::OpenMirror&) {
    if (role_ == Role::Closed) {
        role_ = Role::Hold;
        compared_ = true;  // nobody edits a stopped tree here
    }
    later(world().random.between(1ms, 60ms), [this] {
        if (role_ == Role::Closed) return;
        cluster::MirrorOpened opened;
        opened.compared = compared_;
        opened.marker_absent = copy().marker.none();
        opened.never_stamped = !copy().stamped;
        opened.marker_valid = !copy().marker.none() && copy().marker == module_id_;
        opened.serving = serves() && !broken_;
        opened.following = role_ == Role::Following && !resync_target_ && !broken_;
        opened.term = term_;
        if (world().mutant != Mutant::IgnoreProgress) opened.progress = copy().progress;
        fact(opened);
    });
}

void MirrorModel::carry_out(const cluster::FollowMirror& order) {
    if (lacks_state()) return;
    broken_ = false;
    bool same = role_ == Role::Following && term_ == order.term;
    if (!same) {
        leave_role();
        last_ = 0;
    } else if (order.resync && !resync_target_) {
        close_stream();
    }
    role_ = Role::Following;
    compared_ = false;
    term_ = order.term;
    epoch_ = order.epoch;
    if (order.resync) copy_failed_ = false;
    if (order.resync && copy().sealed >= epoch_) copy().sealed = Epoch{epoch_.value - 1};
    resync_target_ = order.resync;
    if (order.resync) mark_tree();
}

/// As replicatord/marker does: the store knows the stamp before the tree has it.
void MirrorModel::mark_tree() {
    copy().marker = module_id_;
    later(world().random.between(200us, 20ms), [this] { copy().stamped = true; });
}

void MirrorModel::carry_out(const cluster::SealMirror& order) {
    if (lacks_state()) return;
    bool refuses = world().mutant != Mutant::NoSeal && world().mutant != Mutant::AcceptOldDecisions;
    if (refuses && role_ == Role::Following) close_stream();
    Epoch epoch = order.epoch;
    if (world().mutant != Mutant::NoSeal && copy().sealed < epoch) {
        copy().sealed_before = copy().sealed_before.value_or(copy().sealed);
        copy().sealed = epoch;
    }
    later(world().random.between(200us, 10ms), [this, epoch] {
        copy().sealed_before.reset();
        fact(cluster::Sealed{epoch});
    });
}

void MirrorModel::carry_out(const cluster::MakeDurable& order) {
    if (order.hold && role_ == Role::Serving) hold_ = true;
    auto token = order.token;
    if (world().mutant == Mutant::NoFlush) return fact(cluster::MadeDurable{token});
    flush([this, token] { fact(cluster::MadeDurable{token}); });
}

void MirrorModel::carry_out(const cluster::HoldMirror&) {
    if (role_ == Role::Closed) return;
    leave_role();
    role_ = Role::Hold;
}

void MirrorModel::carry_out(const cluster::CloseMirror&) {
    leave_role();
    const bool was_open = std::exchange(role_, Role::Closed) != Role::Closed;
    const bool trusts = world().mutant == Mutant::TrustClosing;
    if (trusts && !was_open) return fact(cluster::MirrorClosed{true});
    closing_ = true;
    flush([this] { closed(true); }, [this, trusts] { closed(trusts); });
}

void MirrorModel::closed(bool durable) {
    closing_ = false;
    fact(cluster::MirrorClosed{durable});
    go_on();
}

void MirrorModel::leave_role() {
    close_stream();
    drop_operations();
    ++role_count_;
    term_ = {};
    decision_ = {};
    stamped_ = peer_member_ = rebuild_ = joining_ = join_ready_ = false;
    hold_ = draining_ = failing_ = asked_ = false;
    allowed_ = {};
    resync_target_ = false;
    last_ = 0;
    stuck_frames_.clear();
}

// ---- the stream

void MirrorModel::close_stream() {
    Stream* stream = world().network.usable(Link::Mirror, host_.self);
    if (stream == nullptr) return;
    stream->close(host_.self);
    stream_lost();
}

void MirrorModel::stream_lost() {
    Id128 term = term_;
    if (role_ == Role::Serving && rebuild_ && !join_ready_) drop_joiner();
    if (alive_ && role_ != Role::Closed) fact(cluster::StreamDown{term});
}

void MirrorModel::send(Frame frame) {
    Stream* stream = world().network.usable(Link::Mirror, host_.self);
    if (stream == nullptr) return;
    frame.epoch = epoch_;
    stream->send(host_.self, [to = &peer(), frame = std::move(frame)] { to->receive(frame); });
}

void MirrorModel::keep_alive() {
    Stream* stream = world().network.usable(Link::Mirror, host_.self);
    if (stream == nullptr) return;
    const std::uint64_t probe = probes_.send(host_.clock());
    const std::uint64_t progress = copy().disk_progress.own;
    stream->send(host_.self, [to = &peer(), probe, echo = probe_heard_, progress] {
        to->heard(probe, echo, progress);
    });
}

void MirrorModel::note_progress() {
    if (!alive_ || (role_ != Role::Serving && role_ != Role::Following)) return;
    ++copy().progress.own;
    copy().progress.peer = progress_heard_.value_or(copy().progress.peer);
}

void MirrorModel::heard(std::uint64_t probe, std::uint64_t echo, std::uint64_t progress) {
    heard_ = world().now();
    probe_heard_ = probe;
    progress_heard_ = progress;
    const auto sent = probes_.echoed(echo);
    if (sent && *sent >= rebuild_began_) progress_exchanged_ = true;
    if (role_ == Role::Serving && sent) host_.lease.confirm(Lease::By::Mirror, *sent);
    host_.clusterd.evidence();
}

void MirrorModel::lease_expired() {
    later({}, [this] {
        if (role_ == Role::Serving) carry_out(cluster::FailHeld{});
    });
}

void MirrorModel::tick() {
    if (!alive_ || hangs_) return;
    keep_alive();
    Stream* stream = world().network.usable(Link::Mirror, host_.self);
    if (stream != nullptr && world().now() - heard_ > 2s) close_stream();
    if (role_ == Role::Serving) check_stall();
    if (serves()) check_own_disk();
}

void MirrorModel::fail_copy() {
    if (role_ != Role::Following || copy_failed_) return;
    if (world().network.usable(Link::Mirror, host_.self) == nullptr) return;
    ++world().totals.copy_failures;
    world().say(host_, [] { return "## its copy fails"; });
    broken_ = true;
    tell_copy_failed();
    fact(cluster::MirrorFailed{"disk-full", "no space left"});
}

void MirrorModel::receive(const Frame& frame) {
    heard_ = world().now();
    host_.clusterd.evidence();
    bool old = frame.epoch < epoch_ || frame.epoch <= copy().sealed;
    if (world().mutant == Mutant::AcceptOldDecisions) old = false;
    if (role_ != Role::Following || old || copy_failed_) {
        if (role_ == Role::Following && old) close_stream();
        return;
    }
    if (host_.frozen.whole) return stuck_frames_.push_back(frame);
    world().invariants.frame_accepted(host_, frame.epoch);
    apply(frame);
}

void MirrorModel::apply(const Frame& frame) {
    Stream* stream = world().network.usable(Link::Mirror, host_.self);
    if (frame.kind == Frame::Kind::TellIn) {
        resync_target_ = false;
        world().invariants.told_in(host_, frame.decision);
        return fact(cluster::ToldIn{frame.decision});
    }
    const bool needs_room = frame.kind == Frame::Kind::Zone || !frame.sync;
    if (needs_room && lacks_room()) return fail_copy();
    if (frame.kind == Frame::Kind::Zone) {
        copy().kernel.copy_zone(frame.data, frame.zone);
        return changed();
    }
    if (!frame.sync) copy().kernel.insert(frame.write);
    changed();
    last_ = std::max(last_, frame.sequence);
    if (stream == nullptr) return;
    auto sequence = frame.sequence;
    stream->send(host_.self, [to = &peer(), sequence] { to->peer_accepted(sequence); });
    if (!frame.sync) return;
    if (frame.joins) note_progress();
    flush([this, sequence, role = role_count_] {
        Stream* now = world().network.usable(Link::Mirror, host_.self);
        if (now == nullptr || role != role_count_) return;
        now->send(host_.self, [to = &peer(), sequence] { to->peer_durable(sequence); });
    });
}

}  // namespace ha::sim
