#pragma once

#include <functional>

#include "base/lease.h"
#include "io/loop.h"

namespace ha::clusterd {

/// What is being given up by force is given up within a bound, though the other node waits for this
/// one's word and the lease is confirmed all the while: a process that the kernel cannot end (a
/// disk that hangs) would otherwise keep the module from both nodes. Past the bound the lease is
/// revoked, and what is left then ends by the reset of this node (2-safety, "Single execution").
/// Without a lease nobody else may serve, and there is no hurry. Loop's thread.
class DemotionBound {
  public:
    static constexpr Duration kBound = 5s;

    /// `revoked`: whoever enforces the lease has to look.
    DemotionBound(io::Loop& loop, Lease& lease, std::function<void()> revoked,
                  Duration bound = kBound)
        : lease_(lease), revoked_(std::move(revoked)), bound_(bound), timer_(loop) {}

    /// After each step of the machine.
    void update(bool demoting);

  private:
    void late();

    Lease& lease_;
    std::function<void()> revoked_;
    Duration bound_;
    bool demoting_ = false;
    io::Timer timer_;
};

}  // namespace ha::clusterd
