#pragma once

#include <chrono>
#include <cstdint>

namespace ha {

using Duration = std::chrono::nanoseconds;

/// A point on CLOCK_BOOTTIME (runs on while the machine is suspended; never set by anybody).
/// Meaningful on one node and within one boot only; never stored. The peer may be shown it, to say
/// it back, and compares it with nothing of its own.
struct BootClock {
    using duration = Duration;
    using rep = duration::rep;
    using period = duration::period;
    using time_point = std::chrono::time_point<BootClock>;
    static constexpr bool is_steady = true;
};
using Instant = BootClock::time_point;

using namespace std::chrono_literals;

}  // namespace ha
