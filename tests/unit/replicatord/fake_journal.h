#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "replicatord/journal.h"

namespace ha::replicatord {

/// A journal without a peer: keeps every operation, completes at once or from a thread of its own,
/// late.
class FakeJournal : public Journal {
  public:
    enum class Completes { kAtOnce, kLater };

    explicit FakeJournal(Completes completes = Completes::kAtOnce, bool keep = true)
        : later_(completes == Completes::kLater), keep_(keep) {
        if (later_) thread_ = std::thread([this] { complete(); });
    }
    ~FakeJournal() override {
        {
            std::scoped_lock lock(mutex_);
            stopping_ = true;
        }
        changed_.notify_all();
        if (thread_.joinable()) thread_.join();
    }

    int admit() override {
        std::unique_lock lock(mutex_);
        ++waiting_to_begin_;
        changed_.notify_all();
        changed_.wait(lock, [this] { return !held_; });
        --waiting_to_begin_;
        if (refuse_ == 0) ++inside_;
        return refuse_;
    }
    void leave() noexcept override {
        std::scoped_lock lock(mutex_);
        --inside_;
    }
    Sequence append(replication::Operation operation) override {
        std::scoped_lock lock(mutex_);
        if (keep_) operations_.push_back(std::move(operation));
        changed_.notify_all();
        return Sequence{++last_};
    }
    void when_accepted(Sequence, Completion done) override { schedule(std::move(done)); }
    void when_durable(Sequence, Completion done) override { schedule(std::move(done)); }

    /// admit() refuses with this errno; 0: it admits.
    void refuse(int error) {
        std::scoped_lock lock(mutex_);
        refuse_ = error;
    }
    /// admit() waits until it is no longer held.
    void hold(bool held) {
        {
            std::scoped_lock lock(mutex_);
            held_ = held;
        }
        changed_.notify_all();
    }
    /// Waits until so many wait in admit().
    void wait_for_held(int count) {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return held_ && waiting_to_begin_ >= count; });
    }
    /// Completions report this error from now on.
    void fail_with(int error) {
        std::scoped_lock lock(mutex_);
        error_ = error;
    }
    [[nodiscard]] int inside() {
        std::scoped_lock lock(mutex_);
        return inside_;
    }
    /// Until an operation of this type is among the kept ones. false: not within 10 s.
    template <typename Body>
    bool wait_for() {
        std::unique_lock lock(mutex_);
        return changed_.wait_for(lock, std::chrono::seconds(10), [this] {
            return std::any_of(operations_.begin(), operations_.end(), [](const auto& operation) {
                return std::holds_alternative<Body>(operation.body);
            });
        });
    }
    std::vector<replication::Operation> take() {
        std::scoped_lock lock(mutex_);
        return std::exchange(operations_, {});
    }

  private:
    void schedule(Completion done) {
        int error = 0;
        {
            std::scoped_lock lock(mutex_);
            error = error_;
            if (later_) waiting_.push_back(std::move(done));
        }
        if (later_)
            changed_.notify_all();
        else
            done(error);
    }
    void complete() {
        std::unique_lock lock(mutex_);
        for (;;) {
            changed_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
            if (waiting_.empty()) return;
            auto batch = std::exchange(waiting_, {});
            const int error = error_;
            lock.unlock();
            for (auto& done : batch) done(error);
            lock.lock();
        }
    }

    const bool later_;
    const bool keep_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<replication::Operation> operations_;
    std::deque<Completion> waiting_;
    std::uint64_t last_ = 0;
    int refuse_ = 0;
    int error_ = 0;
    int inside_ = 0;
    int waiting_to_begin_ = 0;
    bool held_ = false;
    bool stopping_ = false;
    std::thread thread_;
};

}  // namespace ha::replicatord
