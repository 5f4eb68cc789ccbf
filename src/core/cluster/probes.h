#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "base/time.h"

namespace ha::cluster {

/// What was sent when: each heartbeat, and each keep-alive of a mirror stream, carries a number
/// that the other node says back with whatever it sends next. That number proves that it has heard
/// us since we sent it, however long either message was on its way. Numbers say nothing but to whom
/// they came from, so they must not begin where an earlier process of this boot began.
class Probes {
  public:
    explicit Probes(std::uint64_t before_the_first) : last_(before_the_first) {}

    /// The number to send with what leaves now.
    std::uint64_t send(Instant now) {
        ++last_;
        sent_[last_ % kRemembered] = now;
        if (count_ < kRemembered) ++count_;
        return last_;
    }
    /// When that was sent; nothing: not by us, or too long ago to matter.
    [[nodiscard]] std::optional<Instant> echoed(std::uint64_t number) const {
        if (last_ - number >= count_) return std::nullopt;  // unsigned: also if it is ahead
        return sent_[number % kRemembered];
    }

  private:
    /// More than any lease lasts, at any heartbeat.
    static constexpr std::size_t kRemembered = 256;

    std::array<Instant, kRemembered> sent_{};
    std::size_t count_ = 0;
    std::uint64_t last_;
};

}  // namespace ha::cluster
