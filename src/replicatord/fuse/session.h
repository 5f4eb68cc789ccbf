#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "io/fd.h"
#include "replicatord/fuse/memory.h"
#include "replicatord/fuse/mounts.h"
#include "replicatord/fuse/request.h"

// The one face of the FUSE layer: our own, over /dev/fuse (fuse(4), Linux's fuse.h). Requests are
// read straight into slots in shared memory, W workers handle them, replies are written by whoever
// has the answer.

namespace ha::replicatord::fuse {

/// What a session calls; from its workers, several at once.
class Handler {
  public:
    virtual ~Handler() = default;
    /// At the start of each worker thread, before its first request.
    virtual void worker_started() {}
    /// Ends the request by one of its reply functions, now or later. Must not wait for another
    /// request of the same mount.
    virtual void handle(Request& request) noexcept = 0;
    /// May handling this take long (it may wait for a role change, for the peer, for a disk)? Such
    /// requests never occupy all the workers.
    [[nodiscard]] virtual bool may_wait(std::uint32_t opcode) const noexcept = 0;
    /// The reply that gave out a reference or an open file never arrived (values 0: none).
    virtual void reply_lost(FileId referred, std::uint64_t opened) noexcept = 0;
};

struct SessionOptions {
    std::string point;                // absolute; the directory to mount over
    std::string source = "hamirror";  // what df shows
    unsigned long mount_flags = 0;    // MS_NOSUID, ... as the lower mount has them
    unsigned root_mode = 0040755;
    unsigned workers = 0;  // 0: twice the cores, between 4 and 16
    unsigned slots = 256;  // requests in flight; more wait in the kernel
};

class Session {
  public:
    /// Mounts, and negotiates. Old mounts of ours must be cleared before (clear_old_mounts).
    static Result<std::unique_ptr<Session>> mount(const SessionOptions& options, Handler& handler);
    /// Aborts what is still there. No request may be unanswered any more: answering one later
    /// would touch what is gone.
    ~Session();
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;

    void start();

    /// Unmounts within about `bound`: cleanly if nobody holds it; else lazily, and the connection
    /// is aborted. The processes that held it are returned. Not from a worker.
    Result<std::vector<Holder>> unmount(Duration bound);
    /// Ends the service and leaves the mount where it is, dead: whoever uses its path gets errors
    /// and never the directory below. clear_old_mounts() of the next process takes it away. The
    /// workers are joined, as by unmount().
    Result<> leave();
    /// Every request of the application fails from now on.
    Result<> abort() { return aborter_.abort(); }

    // Notifications to the kernel. Never from a worker, nor from a thread that replies are waiting
    // for: they take the kernel's locks of pages and inodes, which requests hold.
    /// Forget the attributes and the data of these inodes. The kernel waits here for every request
    /// that holds one of their pages, killable by nothing: when it has waited for `patience` the
    /// connection is aborted, and the answer is false.
    bool invalidate_inodes(const std::vector<std::uint64_t>& nodes, Duration patience);
    /// Forget a name.
    void invalidate_entry(std::uint64_t parent, const std::string& name);
    /// Forget every name. false: this kernel cannot.
    bool invalidate_all_entries();

    /// Can this kernel forget all names at once? If not, names must not be cached for long.
    [[nodiscard]] bool can_invalidate_entries() const { return minor_ >= kMinorIncEpoch; }
    [[nodiscard]] unsigned connection() const { return connection_; }
    /// The descriptor and the slots, for the descriptor store.
    [[nodiscard]] int fd() const { return fd_.get(); }
    [[nodiscard]] int slots_fd() const { return memory_.fd(); }

  private:
    friend class Request;

    Session(const SessionOptions& options, Handler& handler, io::Fd fd, SharedMemory memory);
    Result<> negotiate();
    Result<> reply_init(const fuse_in_header& header, const fuse_init_in& in);
    Result<> find_connection();
    void work();
    bool receive(Request& request);
    void dispatch(Request& request);
    /// nullptr: the session ends.
    Request* take_slot();
    void give_slot(Request& request);
    bool unmount_within(Duration bound);
    void invalidate_inode(std::uint64_t node);
    void join();
    /// Writes a reply or a notification. errno, or 0.
    int write_message(std::uint64_t unique, int error, std::span<const std::byte> body) const;
    /// Ends a request; false if nobody waits for it any more.
    bool answer(Request& request, int error, std::span<const std::byte> body);

    const SessionOptions options_;
    Handler& handler_;
    io::Fd fd_;
    SharedMemory memory_;
    std::vector<std::unique_ptr<Request>> requests_;
    unsigned connection_ = 0;
    Aborter aborter_;
    std::uint32_t minor_ = 0;
    bool mounted_ = true;
    std::vector<std::thread> workers_;

    std::mutex slots_mutex_;
    std::condition_variable slot_free_;
    std::vector<Request*> free_slots_;
    bool stopping_ = false;

    // Workers that may wait are at most `workers - 2`; what is beyond waits here, and is bounded by
    // the number of slots.
    std::mutex waiting_mutex_;
    std::deque<Request*> waiting_;
    unsigned may_be_waiting_ = 0;
};

}  // namespace ha::replicatord::fuse
