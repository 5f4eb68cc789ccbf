#include "clusterd/demotion_bound.h"

#include <utility>

#include "io/clock.h"

namespace ha::clusterd {

void DemotionBound::update(bool demoting) {
    if (std::exchange(demoting_, demoting) == demoting) return;
    demoting ? timer_.arm(io::boot_now() + bound_, [this] { late(); }) : timer_.cancel();
}

void DemotionBound::late() {
    if (!lease_.bounded() || lease_.expired(io::boot_now())) return;
    lease_.revoke();
    revoked_();
}

}  // namespace ha::clusterd
