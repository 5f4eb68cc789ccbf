#include "replicatord/mirror.h"

#include <cerrno>

#include "base/assert.h"
#include "io/clock.h"
#include "replicatord/mirror_pass.h"

// The gate, the queue and the helpers. The orders are in mirror_orders.cc, the stream in
// mirror_link.cc and mirror_ends.cc.

namespace ha::replicatord {

using namespace replication;

namespace {

constexpr Duration kThrottle = 20ms;

bool wants_durable_result(const Operation& operation) {
    const auto* write = std::get_if<Write>(&operation.body);
    return std::holds_alternative<Fsync>(operation.body) || (write != nullptr && write->durable);
}

}  // namespace

Mirror::Mirror(Tree& tree, OrderLocks& locks, Dialer& dialer, Id128 incarnation, Settings settings,
               Report report)
    : tree_(tree),
      locks_(locks),
      dialer_(dialer),
      incarnation_(incarnation),
      settings_(settings),
      report_(std::move(report)),
      receiver_(incarnation),
      alone_(settings_.alone),
      abort_requests_(settings_.abort_requests) {
    applier_ = std::make_unique<Applier>(
        tree_, [this] { return sync_trees(true); }, listener());
    if (settings_.probe_disks) disk_probe_.emplace(settings_.probe_disks);
    threads_.emplace_back([this] { link_loop(); });
    threads_.emplace_back([this] { tick_loop(); });
    threads_.emplace_back([this] { job_loop(); });
}

Mirror::~Mirror() {
    Later later;
    {
        std::scoped_lock lock(mutex_);
        stopping_ = true;
        leave_serving(later);
        break_stream("this node is closing");
        change_role(Mode::Failed, later);
        jobs_changed_.notify_all();
    }
    run(std::move(later));
    for (auto& thread : threads_) thread.join();
    applier_.reset();
}

void Mirror::Later::complete(std::vector<Completion> ready, int error) {
    for (auto& done : ready) completions.emplace_back(std::move(done), error);
}

void Mirror::run(Later later) {
    for (auto& [done, error] : later.completions) done(error);
    for (auto& fact : later.facts) report_(std::move(fact));
}

api::ChangedAlone Mirror::changed_alone() const {
    std::scoped_lock lock(mutex_);
    return alone_.now();
}

bool Mirror::connected() const {
    std::scoped_lock lock(mutex_);
    return up_;
}

/// What modifications are answered with now; 0: not yet known, or none.
int Mirror::refusal() const {
    if (stopping_ || mode_ == Mode::Failed) return EIO;
    return mode_ == Mode::Follow || mode_ == Mode::Withdrawn ? EROFS : 0;
}

int Mirror::admit() {
    std::unique_lock lock(mutex_);
    const auto came = withdrawals_;
    for (bool throttled = false;;) {
        if (came != withdrawals_) return EIO;  // it was meant for the role before
        if (int error = refusal()) return error;
        const bool full = sender_.full();
        if (mode_ == Mode::Serving && !draining_ && !(sender_.required() && full)) {
            // A target that is behind slows the application down, but never holds it up.
            if (sender_.peer() != Peer::Joining || !full || throttled) break;
            throttled = true;
            gate_.wait_for(lock, kThrottle);
        } else {
            gate_.wait(lock);
        }
    }
    if (++inside_ == 1) moved_ = io::boot_now();
    return 0;
}

void Mirror::leave() noexcept {
    Later later;
    {
        std::scoped_lock lock(mutex_);
        HA_ASSERT(inside_ > 0);
        --inside_;
        moved_ = io::boot_now();
        if (inside_ == 0) gate_.notify_all();
        if (!draining_) return;
        pump(later);
    }
    run(std::move(later));
}

// The operation is encoded and hashed without the lock; what is sent may have begun anew meanwhile,
// and then the copy has yet to read what this operation did.
Sequence Mirror::append(Operation operation) {
    std::unique_lock lock(mutex_);
    ++appended_;
    const auto bytes = weight(operation);
    std::optional<Sequence> waits;
    const bool sends = sender_.peer() != Peer::Absent;
    const auto epoch = sending_epoch_;
    auto pass = pass_;
    if (sends) {
        lock.unlock();
        const bool durable = wants_durable_result(operation);
        std::vector<FrameBuilder> frames;
        if (pass) {
            frames = pass->source.translate(std::move(operation));
        } else {
            frames.push_back(frame_of(operation));
        }
        lock.lock();
        if (epoch == sending_epoch_) {
            if (!sender_.outstanding()) progress_ = durable_progress_ = io::boot_now();
            for (auto& frame : frames) sender_.push(std::move(frame), durable);
            if (sender_.required()) waits = sender_.last();
            sending_.notify_all();
        }
        if (sender_.peer() == Peer::Joining && sender_.queued_bytes() > kMaxResyncBytes) {
            break_stream("the target cannot keep up", Break::Failed);
        }
    }
    if (bytes) alone_.made(*bytes, waits);
    const Sequence sequence{base_ + sender_.last().value};
    lock.unlock();
    return sequence;
}

void Mirror::when_accepted(Sequence sequence, Completion done) {
    wait_for(sequence, std::move(done), false);
}

void Mirror::when_durable(Sequence sequence, Completion done) {
    wait_for(sequence, std::move(done), true);
}

void Mirror::wait_for(Sequence sequence, Completion done, bool durable) {
    Later later;
    {
        std::scoped_lock lock(mutex_);
        const bool earlier = sequence.value < base_;
        const Sequence number{earlier ? 0 : sequence.value - base_};
        if (refusal() != 0 || (earlier && sender_.required())) {
            later.completions.emplace_back(std::move(done), EIO);
        } else if (may_acknowledge() && !sender_.required()) {
            later.completions.emplace_back(std::move(done), 0);
        } else if (earlier) {
            carried_.push_back(std::move(done));
        } else if (durable) {
            sender_.when_durable(number, std::move(done));
        } else {
            sender_.when_accepted(number, std::move(done));
        }
        pump(later);
    }
    run(std::move(later));
}

bool Mirror::may_acknowledge() const {
    return mode_ == Mode::Serving && !acknowledgements_held_ && decision_ == allowed_;
}

void Mirror::pump(Later& later) {
    alone_.accepted(sender_.accepted());
    pump_acknowledgements(later);
    pump_drain(later);
    pump_join(later);
    pump_seal(later);
    gate_.notify_all();
}

// Asked for whoever waits, however he came to: his operation may have begun under the decision
// before, and nobody else may come.
void Mirror::pump_acknowledgements(Later& later) {
    const bool somebody = sender_.anyone_waits() || !carried_.empty();
    if (somebody && mode_ == Mode::Serving && decision_ != allowed_ && asked_ != decision_) {
        asked_ = decision_;
        later.facts.emplace_back(api::FirstModification{decision_});
    }
    if (!may_acknowledge()) return;
    later.complete(std::exchange(carried_, {}), 0);
    later.complete(sender_.take_ready(), 0);
}

/// True: both copies are durable up to the barrier. Drives it there.
bool Mirror::flush(const std::shared_ptr<Flush>& flush) {
    if (!flush->barrier) {
        flush->barrier = sender_.last();
        if (sender_.required()) {
            flush->barrier = sender_.push(frame_of(CopyRecord{Barrier{}, {}}), true);
        }
        sending_.notify_all();
    }
    if (!flush->asked_here) {
        flush->asked_here = true;
        submit([this, flush] {
            auto synced = sync_trees(true);
            if (!synced) return local_failure(synced.error());
            Later later;
            {
                std::scoped_lock lock(mutex_);
                flush->here = true;
                pump(later);
            }
            run(std::move(later));
        });
    }
    return flush->here && (!sender_.required() || sender_.durable(*flush->barrier));
}

void Mirror::pump_drain(Later& later) {
    if (!drain_ || drain_->told || mode_ != Mode::Serving || inside_ > 0) return;
    if (!drain_->barrier && sender_.outstanding()) return;
    if (!flush(drain_)) return;
    drain_->told = true;
    later.facts.emplace_back(api::Drained{sender_.last()});
}

void Mirror::pump_join(Later& later) {
    // Each has heard how far the other's copy has come, and both note it with what makes them
    // durable here: what was noted of a copy before it was rebuilt is no more.
    if (!join_ || join_->told || !progress_exchanged_ || !flush(join_)) return;
    join_->told = true;
    later.facts.emplace_back(api::JoinReady{resync_token_, counters_.files_done,
                                            counters_.bytes_examined, counters_.bytes_sent});
}

void Mirror::pump_seal(Later& later) {
    if (!sealing_) return;
    // Less was received than applied: a resync was ordered and has not begun.
    if (applied_term_ == receiver_.term() && applied_ < receiver_.received() &&
        !receiver_.failed()) {
        return;
    }
    later.facts.emplace_back(api::Sealed{*sealing_, receiver_.term(), applied_});
    sealing_.reset();
}

void Mirror::submit(std::function<void()> job) {
    jobs_.push_back(std::move(job));
    jobs_changed_.notify_all();
}

void Mirror::job_loop() {
    std::unique_lock lock(mutex_);
    for (;;) {
        jobs_changed_.wait(lock, [&] { return stopping_ || !jobs_.empty(); });
        if (jobs_.empty()) return;
        auto job = std::move(jobs_.front());
        jobs_.pop_front();
        job_since_ = io::boot_now();
        lock.unlock();
        job();
        job = nullptr;
        lock.lock();
        job_since_.reset();
    }
}

/// Nothing is confirmed here any more: a later sync would say that all is well.
void Mirror::local_failure(const Error& error) {
    const std::string code = error.code == ENOSPC ? "disk-full" : "io-error";
    std::unique_lock lock(mutex_);
    acknowledgements_held_ = true;
    const bool follows = mode_ == Mode::Follow;
    lock.unlock();
    if (follows) return copy_failed({code, error.text}, std::nullopt);
    run({{}, {api::LocalCopyFailed{code, error.text, true}}});
}

}  // namespace ha::replicatord
