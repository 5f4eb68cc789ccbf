#pragma once

#include "base/result.h"
#include "base/time.h"

namespace ha::replicatord {

inline constexpr Duration kForEver = Duration::max();

/// poll(2) on one descriptor. false: nothing happened within `patience` (or a signal came).
Result<bool> wait_for(int fd, short events, Duration patience);

}  // namespace ha::replicatord
