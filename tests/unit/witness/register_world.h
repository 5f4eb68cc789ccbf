#pragma once

#include <functional>
#include <memory>
#include <string>

#include "core/ports/register.h"
#include "io/clock.h"
#include "io/loop.h"

namespace ha::witness {

/// One register service and what can happen to it; the contract test runs against each kind there
/// is. Two nodes of one pair have access; time is real.
class RegisterWorld {
  public:
    virtual ~RegisterWorld() = default;

    /// A node's own access, connecting already. `node`: 0 or 1.
    virtual std::unique_ptr<ports::Register> open(io::Loop& loop, int node) = 0;

    /// Ends it as a power loss does: between any two instructions.
    virtual void crash() = 0;
    virtual void start() = 0;
    /// It stands still, as on a disk or machine that hangs, and goes on.
    virtual void freeze() = 0;
    virtual void thaw() = 0;

    // While it is down.
    virtual void back_up() = 0;
    virtual void restore() = 0;
    virtual void wipe() = 0;
    virtual void damage() = 0;
};

/// A memory that lasts: the core's registers without a disk or network. What clusterd's tests and
/// the simulator may stand on.
std::unique_ptr<RegisterWorld> memory_world();
/// The real hamirror-witness in a process of its own, over TLS, with files in a directory that goes
/// with the world.
std::unique_ptr<RegisterWorld> witness_world();
/// The real etcd, one member, over TLS with authentication.
std::unique_ptr<RegisterWorld> etcd_world();

}  // namespace ha::witness
