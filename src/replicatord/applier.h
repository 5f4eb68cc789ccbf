#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>
#include <variant>
#include <vector>

#include "base/time.h"
#include "core/replication/session.h"
#include "replicatord/apply.h"
#include "replicatord/copy_target.h"

namespace ha::replicatord {

/// The secondary's worker: one thread applies the numbered records in their order; a pool makes
/// files durable beside it. A sync begins when everything before it has been applied, and later
/// records go on meanwhile.
class Applier {
  public:
    static constexpr std::size_t kSyncThreads = 4;
    static constexpr std::size_t kMaxQueuedBytes = 32U << 20;

    /// Called from the applier's threads with no lock held.
    struct Listener {
        std::function<void(Sequence)> applied;
        std::function<void(replication::DurableResult)> durable;
        std::function<void(replication::HashAnswer)> answered;
        std::function<void(replication::TellIn, std::uint64_t role)> told;
        /// Nothing more is applied. `role`: of the record that failed; none if a sync did: what is
        /// lost there was accepted, and matters in whatever role.
        std::function<void(replication::Failure, std::optional<std::uint64_t> role)> failed;
    };

    struct Item {
        Sequence sequence;
        std::variant<replication::Operation, replication::CopyRecord> record;
        std::size_t bytes = 0;
        std::uint64_t role = 0;  // under which it came
    };

    /// `sync_all` makes everything applied durable; called from the sync threads.
    Applier(Tree& tree, std::function<Result<>()> sync_all, Listener listener);
    ~Applier();

    /// Waits while the queue is full. What came under another role than the present one is dropped.
    void enqueue(Item item);
    /// From now on this is the role: nothing that came under an earlier one is begun any more.
    /// Returns the record that is being applied still, if one is.
    std::optional<Sequence> begin_role(std::uint64_t role);
    /// Waits until no record is being applied. False: after `patience` one still is.
    bool wait_until_idle(Duration patience);
    /// Waits until everything queued was applied, or the copy failed.
    void settle();
    /// settle(), then begins afresh after a failure. Of the syncs before it nothing is reported any
    /// more: numbers begin anew, and their results would be taken for others'.
    void restart();

  private:
    void apply_loop();
    void sync_loop();
    Result<> apply(const Item& item);
    struct Sync {
        std::uint64_t generation = 0;
        Sequence sequence;
        std::function<Result<>()> call;
    };
    void sync_later(Sequence sequence, std::function<Result<>()> call);
    void report(Sequence sequence, const Result<>& done);
    void fail_copy(const Error& error, std::optional<std::uint64_t> role);

    Tree& tree_;
    std::function<Result<>()> sync_all_;
    Listener listener_;
    Orphans orphans_;
    Apply apply_;
    CopyTarget target_;

    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<Item> queue_;
    std::size_t queued_bytes_ = 0;
    std::uint64_t role_ = 0;
    std::optional<Sequence> applying_;
    bool failed_ = false;
    bool stopping_ = false;

    std::condition_variable sync_changed_;
    std::deque<Sync> syncs_;
    std::uint64_t generation_ = 0;  // counts restarts
    int reporting_ = 0;             // syncs whose results are on their way to the listener
    std::vector<std::thread> threads_;
};

}  // namespace ha::replicatord
