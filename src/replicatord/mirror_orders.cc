#include <cerrno>

#include "base/assert.h"
#include "io/clock.h"
#include "replicatord/mirror.h"
#include "replicatord/mirror_pass.h"

namespace ha::replicatord {

using namespace replication;

/// A new role: the stream of the old one ends, the link thread looks again. Records of the old role
/// that wait to be applied are dropped, lest they change what the next one serves, or speak to it.
/// That loses nothing that was acknowledged, since only what is applied ever is; and if the term
/// goes on, they come again. Within a role nothing is dropped, however often its stream breaks:
/// the primary was told what has been received and does not send it twice. Neither is anything by
/// a seal, which is no role: what was received is still applied.
void Mirror::change_role(Mode mode, Later& later) {
    mode_ = mode;
    ++generation_;
    forget_after(applier_->begin_role(generation_).value_or(applied_));
    pump_seal(later);
    dialer_.interrupt();
    link_.notify_all();
    sending_.notify_all();
    gate_.notify_all();
}

void Mirror::break_stream(const std::string& reason, Break why) {
    if (channel_ == nullptr) return;
    if (break_reason_.empty()) {
        break_reason_ = reason;
        break_ordered_ = why == Break::Ordered;
    }
    channel_->shutdown();
}

void Mirror::require(Peer peer) {
    const bool anew = peer == Peer::Absent || peer == Peer::Joining;
    if (anew && peer != sender_.peer()) ++sending_epoch_;
    sender_.require(peer);
}

void Mirror::serve(const api::ServeMirror& order) {
    Later later;
    {
        std::scoped_lock lock(mutex_);
        const bool member = order.peer == api::ServeMirror::Peer::Member;
        bool anew = mode_ != Mode::Serving;
        if (order.term != term_) {
            new_term(order, later);
            anew = true;
        }
        const bool known = sender_.peer() == (member ? Peer::Member : Peer::Absent);
        const bool building = !member && sender_.peer() == Peer::Joining;
        const bool joined = member && sender_.peer() == Peer::Joiner;
        decision_ = order.decision;
        asked_ = Id128{};
        refusal_told_.reset();
        acknowledgements_held_ = false;
        sender_.decide(order.epoch, order.decision);
        if (joined) {
            retire_pass();  // its work is done; the stream goes on
            join_.reset();
            require(Peer::Member);
        } else if (!known && !building) {
            end_pass();
            require(member ? Peer::Member : Peer::Absent);
            if (!anew) break_stream("the peer's part changed");
        }
        member ? alone_.together() : alone_.alone(order.decision);
        if (anew) {
            receiver_.stop();
            break_stream("this node serves now");
            change_role(Mode::Serving, later);
        }
        pump(later);
    }
    run(std::move(later));
}

/// What was held under the earlier term is done here; alone, it may be acknowledged. A member does
/// not have it and never will under this term: then the copies differ, and nobody is told success.
void Mirror::new_term(const api::ServeMirror& order, Later& later) {
    const bool member = order.peer == api::ServeMirror::Peer::Member;
    const bool unsettled = sender_.outstanding() || sender_.anyone_waits() || !carried_.empty();
    auto held = sender_.take_all();
    for (auto& done : held) carried_.push_back(std::move(done));
    end_pass();
    if (member) alone_.forget();  // and its numbers begin anew
    if (member && unsettled) {
        later.complete(std::exchange(carried_, {}), EIO);
        later.facts.emplace_back(api::LocalCopyFailed{
            "unsettled-operations",
            "Operations of an earlier term were never accepted by the peer; a resync is needed."});
    }
    base_ += sender_.last().value + 1;
    sender_.begin_term(order.module_id, order.term, incarnation_);
    ++sending_epoch_;
    term_ = order.term;
    durable_here_ = Sequence{};
    draining_ = false;
    drain_.reset();
}

/// Nobody who waits will be told success any more.
void Mirror::leave_serving(Later& later) {
    later.complete(sender_.take_all(), EIO);
    later.complete(std::exchange(carried_, {}), EIO);
    end_pass();
}

void Mirror::follow(const api::FollowMirror& order) {
    Later later;
    {
        std::scoped_lock lock(mutex_);
        leave_serving(later);
        alone_.forget();
        // What the peer never accepted of an earlier term is undone by the resync.
        if (order.resync) require(Peer::Absent);
        const bool same = mode_ == Mode::Follow && receiver_.term() == order.term &&
                          receiver_.target() == order.resync && !receiver_.failed();
        receiver_.follow(order.module_id, order.term, order.epoch, order.resync);
        if (!same) {
            break_stream("this node's part changed");
            change_role(Mode::Follow, later);
        }
        pump(later);
    }
    run(std::move(later));
}

void Mirror::hold() {
    Later later;
    {
        std::scoped_lock lock(mutex_);
        if (mode_ == Mode::Hold) return;
        receiver_.stop();
        resync_wanted_ = false;
        break_stream("this node holds");
        change_role(Mode::Hold, later);
    }
    run(std::move(later));
}

void Mirror::withdraw() {
    Later later;
    {
        std::scoped_lock lock(mutex_);
        ++withdrawals_;
        leave_serving(later);
        receiver_.stop();
        break_stream("this node takes another role");
        change_role(Mode::Withdrawn, later);
    }
    run(std::move(later));
}

bool Mirror::wait_until_left(Duration patience) {
    const Instant until = io::boot_now() + patience;
    {
        std::unique_lock lock(mutex_);
        if (!gate_.wait_for(lock, patience, [&] { return inside_ == 0; })) return false;
    }
    return applier_->wait_until_idle(until - io::boot_now());
}

void Mirror::fail_held() {
    Later later;
    std::function<void()> abort;
    {
        std::scoped_lock lock(mutex_);
        leave_serving(later);
        receiver_.stop();
        break_stream("this node was demoted");
        change_role(Mode::Failed, later);
        later.facts.emplace_back(api::HeldFailed{});
        if (own_disk_stalled(io::boot_now())) abort = std::exchange(abort_requests_, nullptr);
    }
    if (abort) abort();  // before it is said: the processes end now
    run(std::move(later));
}

void Mirror::start_resync(const api::StartResync& order) {
    Later later;
    {
        std::scoped_lock lock(mutex_);
        resync_token_ = order.token;
        if (join_) join_->told = false;
        if (mode_ == Mode::Serving && sender_.peer() == Peer::Absent) {
            resync_wanted_ = true;
            // A stream that is being broken carries nothing any more; the next one begins the pass.
            if (up_ && break_reason_.empty()) begin_pass();
        }
        pump(later);
    }
    run(std::move(later));
}

void Mirror::stop_resync() {
    Later later;
    {
        std::scoped_lock lock(mutex_);
        resync_wanted_ = false;
        if (sender_.peer() == Peer::Joining || sender_.peer() == Peer::Joiner) {
            end_pass();
            require(Peer::Absent);
            break_stream("the resync was stopped");
        }
        pump(later);
    }
    run(std::move(later));
}

void Mirror::begin_pass() {
    HA_ASSERT(sender_.peer() == Peer::Absent && !pass_);
    resync_wanted_ = false;
    require(Peer::Joining);
    const Sequence begin = sender_.push(frame_of(CopyRecord{CopyBegin{}, {}}), false);
    pass_ = std::make_shared<Pass>(*this);
    pass_->source.start(begin);
    sending_.notify_all();
}

void Mirror::end_pass() {
    join_.reset();
    resync_wanted_ = false;
    if (!pass_) return;
    pass_->over = true;
    retire_pass();
    gate_.notify_all();
}

/// The thread of the pass may wait for an order lock or for us: it is joined elsewhere.
void Mirror::retire_pass() {
    if (!pass_) return;
    submit([pass = std::move(pass_)] {
        pass->source.stop();
        pass->source.join();
    });
    pass_.reset();
}

void Mirror::tell_in(const api::TellIn& order) {
    std::scoped_lock lock(mutex_);
    if (sender_.peer() != Peer::Member) return;
    TellIn tell{order.decision, order.epoch, order.decision_id};
    sender_.push(frame_of(CopyRecord{std::move(tell), {}}), false);
    sending_.notify_all();
}

void Mirror::seal(const api::SealMirror& order) {
    Later later;
    {
        std::scoped_lock lock(mutex_);
        receiver_.seal(order.epoch);
        sealing_ = order.epoch;
        break_stream("this node sealed the decision");
        pump(later);
    }
    run(std::move(later));
}

void Mirror::make_durable(const api::MakeDurable& order) {
    std::scoped_lock lock(mutex_);
    if (order.hold) acknowledgements_held_ = true;
    submit([this, token = order.token, further = has_role()] {
        auto done = sync_trees(further);
        if (!done) return local_failure(done.error());
        run({{}, {api::MadeDurable{token}}});
    });
}

void Mirror::drain() {
    Later later;
    {
        std::scoped_lock lock(mutex_);
        draining_ = true;
        if (!drain_) drain_ = std::make_shared<Flush>();
        drain_->told = false;
        pump(later);
    }
    run(std::move(later));
}

void Mirror::resume() {
    Later later;
    {
        std::scoped_lock lock(mutex_);
        draining_ = false;
        drain_.reset();
        acknowledgements_held_ = false;
        pump(later);
    }
    run(std::move(later));
}

void Mirror::allow(const api::AllowAcknowledge& order) {
    Later later;
    {
        std::scoped_lock lock(mutex_);
        allowed_ = order.decision;
        pump(later);
    }
    run(std::move(later));
}

// ---- the pass

Sequence Mirror::Pass::send(FrameBuilder frame) {
    std::scoped_lock lock(mirror_.mutex_);
    if (over) return mirror_.sender_.last();
    const Sequence sequence = mirror_.sender_.push(std::move(frame), false);
    mirror_.sending_.notify_all();
    return sequence;
}

bool Mirror::Pass::wait_for_room() {
    std::unique_lock lock(mirror_.mutex_);
    mirror_.gate_.wait(
        lock, [&] { return over || mirror_.sender_.queued_bytes() < Mirror::kResyncWindow; });
    return !over;
}

bool Mirror::Pass::wait_accepted(Sequence sequence) {
    std::unique_lock lock(mirror_.mutex_);
    mirror_.gate_.wait(lock, [&] { return over || mirror_.sender_.accepted() >= sequence; });
    return !over;
}

void Mirror::Pass::progress(const ResyncSource::Counters& counters) {
    mirror_.run({{},
                 {api::ResyncProgress{counters.files_found, counters.files_done,
                                      counters.bytes_examined, counters.bytes_sent}}});
}

// From here on every operation waits for the target too; what was answered before is covered by the
// barrier.
void Mirror::Pass::complete(const ResyncSource::Counters& counters) {
    Later later;
    {
        std::scoped_lock lock(mirror_.mutex_);
        if (over) return;
        mirror_.counters_ = counters;
        mirror_.require(Peer::Joiner);
        mirror_.join_ = std::make_shared<Flush>();
        mirror_.pump(later);
    }
    mirror_.run(std::move(later));
}

void Mirror::Pass::failed(const Error& error) {
    std::scoped_lock lock(mirror_.mutex_);
    if (!over) mirror_.break_stream("the resync failed here: " + error.text, Break::Failed);
}

}  // namespace ha::replicatord
