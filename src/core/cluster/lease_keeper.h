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
/// out or not; if that had ended already, by what was confirmed so far. So does one that was handed
/// the module: since it gave it, the other node may have heard nothing more. All else that begins
/// to serve begins a new one.
/// One that has run out while the machine serves does not end before that is told (LeaseExpired).
class LeaseKeeper {
  public:
    explicit LeaseKeeper(Duration demote_after) : demote_after_(demote_after) {}

    /// True: a lease began; whoever enforces it has to look. `durable`: no Persist waits.
    bool update(const Machine& machine, Lease& lease, bool durable, Instant now);

  private:
    Duration demote_after_;
    bool serving_ = false;
    Phase phase_ = Phase::Stopped;
};

}  // namespace ha::cluster
