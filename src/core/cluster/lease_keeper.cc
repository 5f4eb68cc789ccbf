#include "core/cluster/lease_keeper.h"

#include <utility>

namespace ha::cluster {

bool LeaseKeeper::update(const Machine& machine, Lease& lease, bool durable, Instant now) {
    const Phase phase = machine.phase();
    const bool adopts = std::exchange(phase_, phase) == Phase::Opening;
    const bool served = std::exchange(serving_, machine.serving());
    const bool anew = serving_ && !served && !adopts;
    const bool named = std::exchange(named_, machine.may_name_peer());
    if (machine.bounded()) {
        if (lease.bounded() && !anew) return false;
        const bool let_in = served && !named;
        lease.begin(let_in ? now : Instant{}, demote_after_);
        return true;
    }
    // What an earlier process left is not given up yet.
    const bool held = phase == Phase::Opening || phase == Phase::Demoting;
    // The workers have let go by themselves, and the machine does not know that it serves nothing.
    const bool untold = serving_ && !anew && lease.expired(now);
    if (!held && !untold && durable) lease.end();
    return false;
}

}  // namespace ha::cluster
