#include "clusterd/workers_wait.h"

#include <utility>

#include "io/clock.h"

namespace ha::clusterd {

void WorkersWait::hold(Go go) {
    held_.push_back(std::move(go));
    if (!timer_.armed()) timer_.arm(io::boot_now() + bound_, [this] { release(false); });
}

void WorkersWait::release(bool there) {
    timer_.cancel();
    for (auto& go : std::exchange(held_, {})) go(there);
}

}  // namespace ha::clusterd
