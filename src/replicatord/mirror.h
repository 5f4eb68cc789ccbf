#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "api/worker.h"
#include "base/id128.h"
#include "base/lease.h"
#include "core/replication/receiver.h"
#include "core/replication/sender.h"
#include "replicatord/alone_count.h"
#include "replicatord/applier.h"
#include "replicatord/copy_progress.h"
#include "replicatord/dialer.h"
#include "replicatord/disk_probe.h"
#include "replicatord/journal.h"
#include "replicatord/order_locks.h"
#include "replicatord/resync_source.h"
#include "replicatord/stream.h"
#include "replicatord/tree.h"

namespace ha::replicatord {

/// The mirror of one module: what the file system's operations go through (Journal), and what
/// clusterd's orders act on. It decides nothing: who serves, who is required and when a wait ends
/// are orders; a silent peer, a broken stream or a time that passed never acknowledge anything.
///
/// Orders never block and may be repeated. Facts are reported from any thread with no lock of ours
/// held, but perhaps under order locks: the callback only passes them on. Completions run with
/// nothing held.
///
/// Lock order: OrderLocks -> Tree's index -> mutex_ -> the applier's own lock. The resync's own is
/// held together with none of these but OrderLocks.
class Mirror final : public Journal {
  public:
    static constexpr Duration kMirrorDead = 3s;
    /// A disk that answers no sync for this long has stalled too: the peer's, or this node's.
    static constexpr Duration kDurableDead = 10s;

    struct Settings {
        Duration heartbeat = 100ms;        // keep-alive of an idle stream
        Duration silent_after = 1s;        // a stream without any frame for this long is broken
        Duration sync_every = 1500ms;      // background sync
        Lease* lease = nullptr;            // told what the secondary confirms; none: nobody is
        CopyProgress* progress = nullptr;  // none: a disk that was put back goes unnoticed
        /// The peer's copy is older than it was when this node heard of it last. From any thread,
        /// under no lock of ours.
        std::function<void()> peer_rolled_back;
        api::ChangedAlone alone;  // as it was kept
        /// Where that is kept in the background; called from a thread that may block.
        std::function<Result<>(const api::ChangedAlone&)> keep_alone;
        /// DiskProbe's, of the tree's disks. None: that this node's disk hangs is not noticed.
        std::function<void()> probe_disks;
        Duration disk_dead = kDurableDead;  // a probe that runs for this long: it hangs
        /// Ends every request of the application, when held ones are failed and the disk hangs:
        /// those that wait for it would keep the application's processes alive. Called under no
        /// lock of ours.
        std::function<void()> abort_requests;
    };
    /// Above this much unacknowledged data a resync gives up: the target is too slow.
    static constexpr std::size_t kMaxResyncBytes = 256U << 20;
    /// What a resync has on its way at most before it reads on.
    static constexpr std::size_t kResyncWindow = 8U << 20;

    using Report = std::function<void(api::Fact)>;

    Mirror(Tree& tree, OrderLocks& locks, Dialer& dialer, Id128 incarnation, Settings settings,
           Report report);
    /// Ends all threads. Held completions run with EIO.
    ~Mirror() override;

    // ---- Journal
    int admit() override;
    void leave() noexcept override;
    Sequence append(replication::Operation operation) override;
    void when_accepted(Sequence sequence, Completion done) override;
    void when_durable(Sequence sequence, Completion done) override;

    // StreamUp and StreamDown are reported as they happen, with two exceptions: a stream that one
    // of these orders ended is no news, and neither is one that a primary alone did not use.
    // ---- orders (api/worker.h). The answers MirrorServing, MirrorFollowing and MirrorClosed are
    // the caller's; all other facts are reported from here.
    void serve(const api::ServeMirror& order);
    void follow(const api::FollowMirror& order);
    void hold();
    /// Before a role of another kind or term: whoever waits is answered with EIO, and until that
    /// role is ordered modifications are refused (EROFS) and nothing waits. What the kernel cached
    /// can be invalidated then: it waits for the pages that unanswered writes hold.
    void withdraw();
    /// After withdraw(): waits until the modifications that were admitted before have left and the
    /// record that was being applied is, so that none of their system calls happens later, unseen
    /// by the peer, or on what the next role has written. False: after `patience` one still does.
    bool wait_until_left(Duration patience);
    void start_resync(const api::StartResync& order);
    void stop_resync();
    void tell_in(const api::TellIn& order);
    /// The caller has made the seal durable.
    void seal(const api::SealMirror& order);
    void make_durable(const api::MakeDurable& order);
    void drain();
    void resume();
    void allow(const api::AllowAcknowledge& order);
    void fail_held();

    /// What this node changed alone, by now.
    [[nodiscard]] api::ChangedAlone changed_alone() const;
    /// To one who may not have heard it.
    void tell_alone_again();
    /// For status pages and tests.
    [[nodiscard]] bool connected() const;

  private:
    enum class Mode : std::uint8_t { Hold, Withdrawn, Serving, Follow, Failed };
    class PrimaryEnd;
    class SecondaryEnd;
    class Pass;

    /// What is done when the lock is released.
    struct Later {
        std::vector<std::pair<Completion, int>> completions;
        std::vector<api::Fact> facts;
        void complete(std::vector<Completion> ready, int error);
    };
    void run(Later later);

    /// Both sides durable up to a barrier (drain, end of a join).
    struct Flush {
        std::optional<Sequence> barrier;
        bool asked_here = false;
        bool here = false;
        bool told = false;
    };

    // All of these under mutex_.
    void pump(Later& later);
    void pump_acknowledgements(Later& later);
    void pump_drain(Later& later);
    void pump_join(Later& later);
    void pump_seal(Later& later);
    bool flush(const std::shared_ptr<Flush>& flush);
    void new_term(const api::ServeMirror& order, Later& later);
    void require(replication::Peer peer);
    void leave_serving(Later& later);
    void begin_pass();
    void end_pass();
    void retire_pass();
    enum class Break : std::uint8_t { Ordered, Failed };
    void break_stream(const std::string& reason, Break why = Break::Ordered);
    void change_role(Mode mode, Later& later);
    [[nodiscard]] bool may_acknowledge() const;
    [[nodiscard]] int refusal() const;
    void check_stall(Instant now, Later& later);
    void check_own_disk(Instant now, Later& later);
    [[nodiscard]] bool own_disk_stalled(Instant now) const;
    void tell_alone(Instant now, Later& later);
    void keep_alone(const api::ChangedAlone& changed);
    void submit(std::function<void()> job);
    void evidence(Later& later, bool probe);

    void wait_for(Sequence sequence, Completion done, bool durable);

    // The link thread.
    void link_loop();
    bool serve_stream(Channel& channel, std::uint64_t generation);
    bool follow_stream(Channel& channel, std::uint64_t generation);
    bool accept_hello(const replication::Frame& frame);
    std::optional<replication::Refusal> answer_hello(Channel& channel,
                                                     const replication::Frame& frame);
    void prepare_applier();
    bool stream_begins(Channel& channel, std::uint64_t generation);
    void stream_up();
    void stream_ends(const std::string& reason);
    void refused(const replication::Refusal& refusal);

    // The applier's threads.
    Applier::Listener listener();
    void told_in(const replication::TellIn& tell, std::uint64_t role);
    void copy_failed(const replication::Failure& failure, std::optional<std::uint64_t> role);
    void forget_after(Sequence last);

    void tick_loop();
    void job_loop();
    void sync_in_background();
    Result<> sync_trees(bool further);
    void heard_progress(std::uint64_t peer);
    [[nodiscard]] std::uint64_t progress_told() const;
    [[nodiscard]] bool progress_stale() const;
    [[nodiscard]] bool has_role() const;
    void local_failure(const Error& error);

    Tree& tree_;
    OrderLocks& locks_;
    Dialer& dialer_;
    const Id128 incarnation_;
    const Settings settings_;
    const Report report_;

    mutable std::mutex mutex_;
    std::condition_variable gate_;     // admit(), and a pass that waits for room
    std::condition_variable sending_;  // the sender thread of a stream
    std::condition_variable link_;     // the link thread, between attempts
    std::condition_variable jobs_changed_;

    Mode mode_ = Mode::Hold;
    bool stopping_ = false;
    bool draining_ = false;
    bool acknowledgements_held_ = false;
    std::uint64_t inside_ = 0;
    Instant moved_{};  // when the last one of these came to an empty place, or left
    std::optional<Instant> job_since_;  // one of jobs_ runs
    std::uint64_t withdrawals_ = 0;     // who came before the last one is not admitted after it

    // The primary. Numbers given out are the sender's plus base_, so that one of an earlier term is
    // never taken for one of this.
    replication::Sender sender_;
    std::uint64_t base_ = 0;
    Id128 term_;
    Id128 decision_;
    Id128 allowed_;
    Id128 asked_;
    std::vector<Completion> carried_;  // of an earlier term, waiting for leave to be acknowledged
    std::shared_ptr<Flush> drain_;
    std::shared_ptr<Flush> join_;
    std::shared_ptr<Pass> pass_;
    bool resync_wanted_ = false;
    std::uint64_t resync_token_ = 0;   // of the last order
    std::uint64_t sending_epoch_ = 0;  // changes whenever what is sent begins anew
    ResyncSource::Counters counters_;
    Instant progress_{};
    Instant durable_progress_{};
    Instant stall_told_{};
    std::optional<replication::RefusalReason> refusal_told_;

    // The secondary.
    replication::Receiver receiver_;
    Id128 applied_term_;
    std::uint64_t applied_role_ = 0;  // the last one that the applier was prepared for
    Sequence applied_;
    std::vector<replication::DurableResult> results_;
    std::vector<replication::HashAnswer> answers_;
    std::optional<replication::Failure> failure_;
    std::optional<Epoch> sealing_;
    bool ack_due_ = false;

    // The stream.
    Channel* channel_ = nullptr;
    bool up_ = false;
    bool progress_exchanged_ = false;  // on this stream; at the primary
    std::uint64_t generation_ = 0;     // of the role; what belongs to an older one is abandoned
    Id128 stream_term_;
    std::string break_reason_;
    bool break_ordered_ = false;
    Instant evidence_told_{};

    AloneCount alone_;
    std::optional<api::ChangedAlone> alone_told_;  // none: it is to be told anew
    Instant alone_told_at_{};
    bool alone_kept_ = true;  // at the last try; of the thread that does the jobs

    Sequence durable_here_;
    bool sync_queued_ = false;
    std::uint64_t appended_ = 0;
    std::uint64_t synced_ = 0;  // of appended_, or of applied_
    std::deque<std::function<void()>> jobs_;
    std::optional<DiskProbe> disk_probe_;
    std::function<void()> abort_requests_;  // none: they are
    Instant disk_asked_{};
    Instant disk_told_{};

    std::unique_ptr<Applier> applier_;
    std::vector<std::thread> threads_;
};

}  // namespace ha::replicatord
