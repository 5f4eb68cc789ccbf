#pragma once

// HA_ASSERT: a broken invariant ends the process, in every build. systemd restarts the daemon and
// the peer covers; going on with a broken invariant is how acknowledged data gets lost.

namespace ha {

[[noreturn]] void assertion_failed(const char* expression, const char* file, int line) noexcept;

}  // namespace ha

#define HA_ASSERT(expression) \
    ((expression) ? static_cast<void>(0) : ::ha::assertion_failed(#expression, __FILE__, __LINE__))
