#pragma once

#include "base/lease.h"
#include "core/cluster/machine.h"

namespace ha::cluster {

/// When the lease of a module begins and ends: what the machine says of it (Machine::bounded()),
/// through the restarts of ha-clusterd. Call after each step, before any of its effects is carried
/// out, and when the last Persist is durable: a lease begins before anything is held under it, and
/// ends only when what makes it needless is durable.
///
/// A machine that goes on with what an earlier process served goes on under that one's lease, run
/// out or not. All else that begins to serve begins a new one by what was confirmed so far: what
/// the other node agreed by may have been long on its way. So does one that was about to go on
/// alone when it heard of the other node: that may have been long on its way, too, and says nothing
/// of when the other one heard this one. One that serves and lets the other node into S counts from
/// now: the other is told of it later. One that has run out while the machine
/// serves does not end before that is told (LeaseExpired).
class LeaseKeeper {
  public:
    explicit LeaseKeeper(Duration demote_after) : demote_after_(demote_after) {}

    /// True: a lease began; whoever enforces it has to look. `durable`: no Persist waits.
    bool update(const Machine& machine, Lease& lease, bool durable, Instant now);

  private:
    Duration demote_after_;
    bool serving_ = false;
    bool named_ = false;
    Phase phase_ = Phase::Stopped;
};

}  // namespace ha::cluster
