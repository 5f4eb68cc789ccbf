#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "core/cluster/events.h"
#include "core/cluster/probes.h"
#include "network.h"
#include "write_set.h"

namespace ha::sim {

class Host;
class World;

/// What the node's disk and page cache hold of the tree. Outlives every process.
struct Copy {
    WriteSet kernel;  // what a reader sees
    WriteSet disk;    // what a power loss leaves for certain; of the rest it leaves any part
    std::uint64_t version = 0;           // of `kernel`: grows with each change
    std::uint64_t disk_version = 0;      // of `kernel` when `disk` was made from it
    Epoch sealed;                        // refused, up to here
    std::optional<Epoch> sealed_before;  // a power loss may bring it back: that is being written
    /// How far it has come, and what is noted of the other (replicatord/copy_progress).
    cluster::Progress progress;
    cluster::Progress disk_progress;
    Id128 marker;          // whose tree this is
    bool stamped = false;  // and that is durable
};

/// ha-replicatord of one node, by the contract of api/worker.h and replicatord/journal.h. The tree
/// is a set of numbered writes; an operation is a write or an fsync, numbered in its term.
class MirrorModel {
  public:
    explicit MirrorModel(Host& host) : host_(host) {}

    // the process
    void start() { alive_ = true; }
    void crash();
    [[nodiscard]] bool alive() const { return alive_; }
    void order(const cluster::Effect& order, const Id128& module_id);
    /// clusterd has (re)connected: what it cannot know is told again.
    void greet();
    /// The disk answers again: what waited for it goes on, in order.
    void thawed();

    // the application
    [[nodiscard]] bool admits() const;
    void modify(bool fsync);

    // the stream
    [[nodiscard]] bool willing_with(const MirrorModel& follower) const;
    void stream_up();
    void stream_lost();
    void keep_alive();
    void tick();
    /// Before a sync in the background.
    void note_progress();
    /// The secondary's disk is full or broken: it refuses what comes, and says so to both nodes.
    void fail_copy();
    /// What this copy has cannot be made durable.
    void local_failure();
    /// Its process stands still; until it goes on, or is ended.
    void hang();
    void unhang();
    [[nodiscard]] bool hangs() const { return hangs_; }
    /// It sees that by itself, as the other workers do.
    void lease_expired();

    enum class Role : std::uint8_t { Closed, Hold, Serving, Following };
    [[nodiscard]] Role role() const { return role_; }
    [[nodiscard]] bool serves() const { return role_ == Role::Serving && !failing_; }
    /// And said that its copy failed: it is to be given up.
    [[nodiscard]] bool broken() const { return broken_; }
    [[nodiscard]] bool rebuilding() const { return role_ == Role::Following && resync_target_; }
    [[nodiscard]] const Id128& decision() const { return decision_; }
    [[nodiscard]] bool idle() const { return open_ops_ == 0 && stuck_writes_.empty(); }

  private:
    enum class Purpose : std::uint8_t { Write, Fsync, Drain, Join };
    struct Operation {
        std::uint32_t write = 0;
        Purpose purpose = Purpose::Write;
        std::uint64_t rebuild = 0;  // Join: of which
        bool local_durable = false;
        bool done = false;
        Time issued{};
        WriteSet covered;  // Fsync: what it promises
    };
    struct Frame {
        enum class Kind : std::uint8_t { Operation, Zone, TellIn } kind = Kind::Operation;
        Epoch epoch;
        std::uint64_t sequence = 0;
        std::uint32_t write = 0;
        bool sync = false;
        bool joins = false;  // the end of a resync
        std::uint32_t zone = 0;
        WriteSet data;
        cluster::Decision decision;
    };

    /// One after the other; what waits for the disk makes those after it wait.
    [[nodiscard]] bool waits(const cluster::Effect& order) const;
    void go_on();
    void give(const cluster::Effect& order, const Id128& module_id);
    void carry_out(const cluster::OpenMirror& order);
    void carry_out(const cluster::ServeMirror& order);
    void carry_out(const cluster::FollowMirror& order);
    void carry_out(const cluster::StartResync& order);
    void carry_out(const cluster::StopResync& order);
    void carry_out(const cluster::TellIn& order);
    void carry_out(const cluster::SealMirror& order);
    void carry_out(const cluster::MakeDurable& order);
    void carry_out(const cluster::DrainMirror& order);
    void carry_out(const cluster::ResumeMirror& order);
    void carry_out(const cluster::AllowAcknowledge& order);
    void carry_out(const cluster::FailHeld& order);
    void carry_out(const cluster::HoldMirror& order);
    void carry_out(const cluster::CloseMirror& order);

    // primary (mirror_primary.cc)
    void append(Purpose purpose, std::uint32_t write);
    void send_operation(std::uint64_t sequence);
    void peer_accepted(std::uint64_t sequence);
    void peer_durable(std::uint64_t sequence);
    [[nodiscard]] bool peer_needed(std::uint64_t sequence) const;
    [[nodiscard]] bool ready(const Operation& op, std::uint64_t sequence) const;
    void settle();
    bool answer(Operation& op);
    void acknowledge(const Operation& op);
    void drop_operations();
    void begin_rebuild();
    void copy_zone(std::uint32_t zone, std::uint64_t rebuild);
    void drop_joiner();
    void check_stall();
    void check_own_disk();
    [[nodiscard]] bool disk_is_dead() const;
    void write_through();
    void write_into_nothing();
    [[nodiscard]] WriteSet history(std::uint64_t sequence) const;

    // secondary
    void tell_copy_failed();
    void heard(std::uint64_t probe, std::uint64_t echo, std::uint64_t progress);
    void mark_tree();
    [[nodiscard]] bool lacks_room();
    /// Its state cannot be written: the order is not carried out.
    [[nodiscard]] bool lacks_state();
    void receive(const Frame& frame);
    void apply(const Frame& frame);

    void leave_role();
    void close_stream();
    void send(Frame frame);
    void fact(const cluster::Event& event);
    void later(Duration delay, std::function<void()> task);
    void flush(std::function<void()> done);
    void flush(std::function<void()> done, std::function<void()> failed);
    void closed(bool durable);
    void changed();
    Copy& copy();
    World& world();
    MirrorModel& peer();

    Host& host_;
    bool alive_ = false;
    bool hangs_ = false;
    std::uint64_t process_ = 0;
    bool compared_ = false;  // with what a common stop noted: until there is a role
    bool broken_ = false;    // and said so: it has no role until it is given one
    std::deque<std::pair<cluster::Effect, Id128>> orders_;  // that wait for the disk
    bool closing_ = false;
    bool aborted_ = false;  // demoted while the disk was found dead: nothing of it is left then
    Role role_ = Role::Closed;
    Id128 module_id_;
    Id128 term_;
    Epoch epoch_;  // Serving: of decision_; Following: the least accepted
    std::uint64_t role_count_ = 0;
    Time heard_{};
    cluster::Probes probes_{0};
    std::uint64_t probe_heard_ = 0;  // the other end's newest on this stream
    std::optional<std::uint64_t> progress_heard_;
    Instant rebuild_began_{};
    bool progress_exchanged_ = false;  // since then

    // Serving
    Id128 decision_;
    bool stamped_ = false;  // the tree is stamped: modifications may start
    bool peer_member_ = false;
    bool rebuild_ = false;  // StartResync stands
    std::uint64_t resync_token_ = 0;
    bool joining_ = false;     // synchronous overlap
    bool join_ready_ = false;  // and said so: only an order ends it now
    std::array<bool, WriteSet::kZones> mirrored_{};
    std::uint64_t rebuilds_ = 0;
    std::uint64_t overlap_from_ = 0;
    bool hold_ = false;
    bool draining_ = false;
    bool failing_ = false;
    Id128 allowed_;
    bool asked_ = false;
    std::vector<Operation> operations_;
    std::uint64_t first_open_ = 0;
    std::uint64_t open_ops_ = 0;
    std::uint64_t peer_accepted_ = 0;
    std::uint64_t peer_durable_ = 0;
    Time progress_{};
    Time disk_told_{};
    std::vector<std::uint64_t> stuck_writes_;  // calls of the application that do not end: the role
    WriteSet base_;

    // Following
    bool resync_target_ = false;
    bool copy_failed_ = false;
    std::uint64_t last_ = 0;
    std::deque<Frame> stuck_frames_;
};

}  // namespace ha::sim
