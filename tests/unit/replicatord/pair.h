#pragma once

#include <sys/socket.h>

#include <atomic>
#include <condition_variable>
#include <deque>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "replicatord/mirror.h"

namespace ha::replicatord::testing_pair {

/// The cable between two mirrors: socket pairs instead of TCP; can be cut.
class Cable {
  public:
    Result<io::Fd> dial() {
        int ends[2];
        if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return fail("no");
        std::scoped_lock lock(mutex_);
        io::Fd mine(ends[0]);
        io::Fd theirs(ends[1]);
        if (!listening_) return fail("nobody listens", ECONNREFUSED);
        live_.emplace_back(::dup(ends[0]));
        while (live_.size() > 2) live_.pop_front();
        waiting_.push_back(std::move(theirs));
        changed_.notify_all();
        return mine;
    }
    Result<io::Fd> accept(const std::atomic<bool>& stop) {
        std::unique_lock lock(mutex_);
        listening_ = true;
        changed_.wait(lock, [&] { return stop || !waiting_.empty(); });
        listening_ = false;
        if (stop) return fail("interrupted", ECANCELED);
        io::Fd socket = std::move(waiting_.front());
        waiting_.clear();
        ++accepted_;
        changed_.notify_all();
        return socket;
    }
    int accepted() {
        std::scoped_lock lock(mutex_);
        return accepted_;
    }
    void wait_for_accepted(int count) {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return accepted_ >= count; });
    }
    void wake() {
        std::scoped_lock lock(mutex_);
        changed_.notify_all();
    }
    void cut() {
        std::scoped_lock lock(mutex_);
        for (auto& socket : live_) ::shutdown(socket.get(), SHUT_RDWR);
    }

  private:
    std::mutex mutex_;
    std::condition_variable changed_;
    bool listening_ = false;
    int accepted_ = 0;
    std::deque<io::Fd> waiting_;
    std::deque<io::Fd> live_;
};

class CableDialer final : public Dialer {
  public:
    explicit CableDialer(Cable& cable) : cable_(cable) {}
    Result<std::unique_ptr<Channel>> connect() override { return wrap(cable_.dial()); }
    Result<std::unique_ptr<Channel>> accept() override { return wrap(cable_.accept(stop_)); }
    void interrupt() noexcept override {
        stop_ = true;
        cable_.wake();
    }
    void reset() noexcept override { stop_ = false; }

  private:
    static Result<std::unique_ptr<Channel>> wrap(Result<io::Fd> socket) {
        if (!socket) return tl::unexpected(socket.error());
        return make_plain_channel(std::move(*socket));
    }

    Cable& cable_;
    std::atomic<bool> stop_ = false;
};

/// One node: a tree in a directory, a mirror, and what clusterd would do at once by itself.
class Node {
  public:
    Node(const std::string& path, std::uint64_t first_id, Cable& cable, Id128 incarnation,
         const api::ChangedAlone& alone = {}, std::function<void()> probe_disks = {})
        : next_id_(first_id), dialer_(cable) {
        std::filesystem::create_directories(path);
        tree = *Tree::open(
            {{path, {}}}, [this] { return FileId{next_id_++}; }, Id128{7, 7});
        progress = std::move(*CopyProgress::open(*tree, Id128{7, 7}));
        Mirror::Settings settings;
        settings.progress = progress.get();
        settings.peer_rolled_back = [this] { ++peer_rolled_back; };
        settings.heartbeat = 20ms;
        settings.silent_after = 10s;  // sanitizers on a busy machine
        settings.sync_every = 200ms;
        settings.alone = alone;
        settings.probe_disks = std::move(probe_disks);
        settings.disk_dead = 300ms;
        settings.abort_requests = [this] { ++aborted; };
        settings.keep_alone = [this](const api::ChangedAlone& changed) {
            std::scoped_lock lock(mutex_);
            kept_ = changed;
            return Result<>{};
        };
        mirror = std::make_unique<Mirror>(*tree, locks, dialer_, incarnation, settings,
                                          [this](api::Fact fact) { post(std::move(fact)); });
        thread_ = std::thread([this] { handle(); });
    }
    ~Node() {
        mirror.reset();
        {
            std::scoped_lock lock(mutex_);
            stopping_ = true;
            changed_.notify_all();
        }
        thread_.join();
    }

    /// The next fact of this kind, within half a minute.
    template <typename Fact>
    std::optional<Fact> wait_for(Duration patience = 60s) {
        std::unique_lock lock(mutex_);
        std::optional<Fact> found;
        changed_.wait_for(lock, patience, [&] {
            for (auto at = seen_.begin(); at != seen_.end(); ++at) {
                if (auto* fact = std::get_if<Fact>(&*at)) {
                    found = std::move(*fact);
                    seen_.erase(at);
                    return true;
                }
            }
            return false;
        });
        return found;
    }
    /// Waits until so many more frames have come from the peer, heartbeats apart.
    void wait_for_frames(int count) {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&, until = evidence_ + count] { return evidence_ >= until; });
    }
    /// Have so many come by now, or within half a minute?
    bool heard(int count) {
        std::unique_lock lock(mutex_);
        return changed_.wait_for(lock, 30s, [&] { return evidence_ >= count; });
    }
    template <typename Fact>
    bool saw() {
        return wait_for<Fact>(0s).has_value();
    }

    /// Of what was changed alone.
    api::ChangedAlone kept() {
        std::scoped_lock lock(mutex_);
        return kept_;
    }

    std::atomic<int> aborted = 0;
    std::atomic<int> peer_rolled_back = 0;
    OrderLocks locks;
    std::unique_ptr<Tree> tree;
    std::unique_ptr<CopyProgress> progress;
    std::unique_ptr<Mirror> mirror;

  private:
    void post(api::Fact fact) {
        std::scoped_lock lock(mutex_);
        posted_.push_back(std::move(fact));
        changed_.notify_all();
    }
    void handle() {
        std::unique_lock lock(mutex_);
        for (;;) {
            changed_.wait(lock, [&] { return stopping_ || !posted_.empty(); });
            if (stopping_) return;
            api::Fact fact = std::move(posted_.front());
            posted_.pop_front();
            const auto* first = std::get_if<api::FirstModification>(&fact);
            if (first != nullptr) {
                const Id128 decision = first->decision;
                lock.unlock();
                mirror->allow({decision});
                lock.lock();
            } else if (std::holds_alternative<api::MirrorEvidence>(fact)) {
                ++evidence_;
                changed_.notify_all();
            } else if (!std::holds_alternative<api::ResyncProgress>(fact)) {
                seen_.push_back(std::move(fact));
                changed_.notify_all();
            }
        }
    }

    std::atomic<std::uint64_t> next_id_;
    CableDialer dialer_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<api::Fact> posted_;
    std::deque<api::Fact> seen_;
    api::ChangedAlone kept_;
    int evidence_ = 0;
    bool stopping_ = false;
    std::thread thread_;
};

inline const Id128 kModule{7, 7};
inline const Id128 kTerm{8, 8};

inline api::ServeMirror serving(std::uint64_t epoch, bool member) {
    using Peer = api::ServeMirror::Peer;
    return {kModule, Epoch{epoch}, Id128{epoch, 1}, kTerm, member ? Peer::Member : Peer::Absent};
}
inline api::FollowMirror following(std::uint64_t epoch, bool resync) {
    return {kModule, Epoch{epoch}, kTerm, resync};
}

}  // namespace ha::replicatord::testing_pair
