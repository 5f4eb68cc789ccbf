#pragma once

#include <functional>

#include "base/strong.h"
#include "core/replication/operation.h"

namespace ha::replicatord {

/// What the operations of the file system need of the mirror: a place in the order, and word when
/// the promise holds. Implemented by Mirror (mirror.h).
///
/// How a modification uses it, in this order:
///   1. admit()            no lock held; may wait (role change, full queue)
///   2. take the order locks of every inode touched
///   3. the local system call; a failure is the application's error; appended is only what it
///      changed all the same (a time, a size)
///   4. append()           the number is taken, the operation is on its way
///   5. release the locks
///   6. when_accepted() or when_durable(): the completion replies to the kernel
class Journal {
  public:
    /// 0, or the errno to answer with. Called once, from any thread, with no lock held.
    using Completion = std::function<void(int error)>;

    virtual ~Journal() = default;

    /// Waits until modifications may start. 0; EROFS: this node is not the primary; EIO: demoted by
    /// force. Every admit() that returned 0 is followed by one leave(), after append() or without:
    /// a role change waits for those inside.
    virtual int admit() = 0;
    virtual void leave() noexcept = 0;

    /// Under the order locks of every inode the operation touches. Never blocks, never fails.
    virtual Sequence append(replication::Operation operation) = 0;

    /// The completion runs when every member of S (and a joiner) has accepted `sequence` into its
    /// kernel (R1), or with EIO when that will never happen (forced demotion).
    virtual void when_accepted(Sequence sequence, Completion done) = 0;

    /// For an appended Fsync or a durable Write: the completion runs when the *peers'* disks hold
    /// it. The caller makes its own copy durable, in parallel.
    virtual void when_durable(Sequence sequence, Completion done) = 0;
};

}  // namespace ha::replicatord
