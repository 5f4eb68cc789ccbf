#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <thread>
#include <vector>

#include "base/time.h"
#include "core/replication/copy.h"
#include "core/replication/frame.h"
#include "core/resync/filter.h"
#include "replicatord/order_locks.h"
#include "replicatord/tree.h"

namespace ha::replicatord {

/// One pass that rebuilds the peer's copy from ours beside the running application
/// (docs/resync.md). Its own thread walks the tree, compares content by checksum and sends what
/// differs; translate() decides what of the application's operations goes into the same stream.
/// A pass is never resumed: when the stream breaks, the next one is a new object.
///
/// Under OrderLocks; mutex_ is never held while the tree or the mirror is called.
class ResyncSource {
  public:
    struct Counters {
        std::uint64_t files_found = 0;
        std::uint64_t files_done = 0;
        std::uint64_t bytes_examined = 0;
        std::uint64_t bytes_sent = 0;
    };

    /// What the pass needs of the mirror. Called from the pass's thread; send() under order locks.
    class Sink {
      public:
        virtual ~Sink() = default;
        virtual Sequence send(replication::FrameBuilder frame) = 0;
        /// Waits until there is little on its way. False: the pass is over.
        virtual bool wait_for_room() = 0;
        virtual bool wait_accepted(Sequence sequence) = 0;
        virtual void progress(const Counters& counters) = 0;
        /// Everything is mirrored, and the target has tidied up.
        virtual void complete(const Counters& counters) = 0;
        /// Our own tree cannot be read, or not be carried over.
        virtual void failed(const Error& error) = 0;
    };

    /// At most this many files have a hash request on its way.
    static constexpr std::size_t kRequests = 64;
    /// The most that is read and enqueued under one hold of a file's order lock.
    static constexpr std::uint64_t kStep = 1U << 20;

    /// So many answers in a row may come too late before a part of a file is sent uncompared.
    static constexpr int kUselessAnswers = 3;

    /// `begin`: the number of the CopyBegin that the mirror has sent.
    ResyncSource(Tree& tree, OrderLocks& locks, Sink& sink)
        : tree_(tree), locks_(locks), sink_(sink) {}
    ~ResyncSource();
    void start(Sequence begin);
    /// From any thread; start()'s thread ends soon.
    void stop();
    /// After stop(). Not under an order lock: the thread may wait for one.
    void join();

    /// What is sent instead of this operation of the application. Under its order locks.
    std::vector<replication::FrameBuilder> translate(replication::Operation operation);
    void answered(replication::HashAnswer answer);

  private:
    struct Todo {
        FileId id;
        FileId attached_to;  // by an operation, under whose order lock the record is sent
    };

    void run(Sequence begin);
    Result<> walk();
    Result<bool> step();
    Result<> add_roots();
    Result<> process(Todo todo);
    void identify_children(FileId id);
    Result<> list(FileId id, int fd);
    Result<std::vector<replication::CopyEntry>> entries(FileId id, int fd);
    void request(FileId id);
    Result<> copy_zone(const replication::HashAnswer& answer);
    Result<bool> copy_step(const replication::HashAnswer& answer);
    Result<> copy_blocks(int fd, FileId id, const replication::HashAnswer* answer,
                         std::uint64_t begin, std::uint64_t end);
    Result<> finish(FileId id, int fd);
    Result<replication::CopyEntry> describe(FileId id, std::string name);
    Result<replication::CopyRecord> to_record(const resync::Attach& attach);
    void queue(FileId id, FileId attached_to = {});
    void gone(FileId id);
    void tell_progress();
    Sequence send(const replication::CopyRecord& record);
    void send(const replication::Operation& operation);

    Tree& tree_;
    OrderLocks& locks_;
    Sink& sink_;
    std::thread thread_;
    std::map<FileId, int> useless_;  // answers in a row; the thread's

    std::mutex mutex_;
    std::condition_variable changed_;
    resync::Filter filter_;
    std::deque<Todo> todo_;
    std::deque<replication::HashAnswer> answers_;
    std::size_t requests_ = 0;  // on their way
    bool completed_ = false;
    bool stopping_ = false;
    Counters counters_;
    Instant told_{};
};

/// The frame of an operation, without its number.
replication::FrameBuilder frame_of(const replication::Operation& operation);
replication::FrameBuilder frame_of(const replication::CopyRecord& record);

}  // namespace ha::replicatord
