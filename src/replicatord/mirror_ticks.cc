#include "io/clock.h"
#include "io/log.h"
#include "replicatord/mirror.h"

// What happens by the clock: background sync, and noticing that acknowledgements do not come. Both
// only report; no time that passes acknowledges anything.

namespace ha::replicatord {

using namespace replication;

namespace {

constexpr Duration kTellAlone = 1s;
/// What the disk has not ended for this long is a reason to ask it.
constexpr Duration kLong = 1s;

}  // namespace

void Mirror::tick_loop() {
    std::unique_lock lock(mutex_);
    Instant synced = io::boot_now();
    while (!stopping_) {
        link_.wait_for(lock, settings_.heartbeat, [&] { return stopping_; });
        if (stopping_) return;
        const Instant now = io::boot_now();
        Later later;
        check_stall(now, later);
        check_own_disk(now, later);
        tell_alone(now, later);
        const bool due = now - synced >= settings_.sync_every && !sync_queued_;
        const std::uint64_t reached = mode_ == Mode::Follow ? applied_.value : appended_;
        if (due && (reached != synced_ || progress_stale())) {
            synced = now;
            sync_queued_ = true;
            submit([this] { sync_in_background(); });
        }
        lock.unlock();
        run(std::move(later));
        lock.lock();
    }
}

void Mirror::check_stall(Instant now, Later& later) {
    const bool waiting = mode_ == Mode::Serving && sender_.outstanding();
    if (!waiting) progress_ = now;
    if (mode_ != Mode::Serving || !sender_.required() || !sender_.awaits_durable()) {
        durable_progress_ = now;
    }
    const bool stalled = now - progress_ >= kMirrorDead || now - durable_progress_ >= kDurableDead;
    if (!stalled || now - stall_told_ < kMirrorDead) return;
    stall_told_ = now;
    io::log(io::Level::Warning,
            "Acknowledgements have stalled: the peer " +
                std::string(sender_.outstanding() ? "does not accept" : "has accepted all") +
                (sender_.awaits_durable() ? ", something waits to be durable" : "") +
                (decision_ != allowed_ ? ", the decision is not allowed yet" : "") +
                (acknowledgements_held_ ? ", acknowledgements are held" : "") + ".");
    later.facts.emplace_back(api::AcknowledgementsStalled{});
}

/// Who counts alone waits for its disk, as without a mirror.
void Mirror::check_own_disk(Instant now, Later& later) {
    if (!disk_probe_ || mode_ != Mode::Serving || sender_.peer() != Peer::Member) return;
    const bool call = inside_ > 0 && now - moved_ >= kLong;
    const bool job = job_since_ && now - *job_since_ >= kLong;
    if ((call || job) && now - disk_asked_ >= kLong) {
        disk_asked_ = now;
        disk_probe_->ask();
    }
    if (!own_disk_stalled(now) || now - disk_told_ < kMirrorDead) return;
    disk_told_ = now;
    const std::string text = "The disk under " + tree_.probed_path() +
                             " has not taken a write for " +
                             std::to_string(settings_.disk_dead / 1s) + " s.";
    io::log(io::Level::Error, text);
    later.facts.emplace_back(api::AcknowledgementsStalled{true, text});
}

bool Mirror::own_disk_stalled(Instant now) const {
    const auto since = disk_probe_ ? disk_probe_->running_since() : std::nullopt;
    return since && now - *since >= settings_.disk_dead;
}

void Mirror::tell_alone(Instant now, Later& later) {
    if (alone_.now() == alone_told_ || now - alone_told_at_ < kTellAlone) return;
    alone_told_ = alone_.now();
    alone_told_at_ = now;
    later.facts.emplace_back(alone_.now());
}

void Mirror::tell_alone_again() {
    std::scoped_lock lock(mutex_);
    alone_told_.reset();
    alone_told_at_ = Instant{};
}

/// What is counted is durable by now, so that after a power loss it is not too much.
void Mirror::keep_alone(const api::ChangedAlone& changed) {
    if (changed.decision.none() || !settings_.keep_alone) return;
    auto kept = settings_.keep_alone(changed);
    if (!kept && alone_kept_) {
        io::log(io::Level::Warning,
                "How much this node changed alone cannot be written down: " + kept.error().text);
    }
    alone_kept_ = kept.has_value();
}

/// What the peer is told of this copy is durable, whatever happens next.
Result<> Mirror::sync_trees(bool further) {
    const auto noted = settings_.progress ? settings_.progress->note(further) : std::nullopt;
    auto done = tree_.sync_all();
    if (done && noted) settings_.progress->synced(*noted);
    return done;
}

void Mirror::heard_progress(std::uint64_t peer) {
    if (settings_.progress == nullptr || settings_.progress->heard(peer)) return;
    if (settings_.peer_rolled_back) settings_.peer_rolled_back();
}

std::uint64_t Mirror::progress_told() const {
    return settings_.progress ? settings_.progress->durable() : 0;
}

/// Before it the trees stay as they were found: a copy that was put back comes no further.
bool Mirror::has_role() const {
    return mode_ == Mode::Serving || mode_ == Mode::Follow;
}

bool Mirror::progress_stale() const {
    return has_role() && settings_.progress != nullptr && settings_.progress->stale();
}

void Mirror::sync_in_background() {
    std::unique_lock lock(mutex_);
    const auto changed = alone_.now();
    const bool follows = mode_ == Mode::Follow;
    const Id128 term = follows ? applied_term_ : term_;
    const Sequence reached = follows ? applied_ : sender_.last();
    const std::uint64_t touched = follows ? applied_.value : appended_;
    const bool further = touched != synced_;
    lock.unlock();
    auto done = sync_trees(further);
    if (done) keep_alone(changed);
    lock.lock();
    sync_queued_ = false;
    if (!done) {
        lock.unlock();
        return local_failure(done.error());
    }
    synced_ = touched;
    const bool same = follows ? (mode_ == Mode::Follow && term == applied_term_)
                              : (mode_ == Mode::Serving && term == term_);
    if (same && reached > durable_here_) durable_here_ = reached;
}

}  // namespace ha::replicatord
