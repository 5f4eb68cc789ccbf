#pragma once

#include "base/time.h"

namespace ha::io {

/// CLOCK_BOOTTIME now (clock_gettime(2)).
Instant boot_now() noexcept;

}  // namespace ha::io
