#pragma once

#include <cstdint>

#include "base/id128.h"
#include "base/time.h"

namespace ha::sim {

/// The one source of chance of a run (splitmix64): the same seed, the same run, on any machine.
class Random {
  public:
    explicit Random(std::uint64_t seed)
        : state_(seed * 0x2545f4914f6cdd1dULL + 0x9e3779b97f4a7c15ULL) {}

    std::uint64_t next() {
        state_ += 0x9e3779b97f4a7c15ULL;
        std::uint64_t mixed = state_;
        mixed = (mixed ^ (mixed >> 30U)) * 0xbf58476d1ce4e5b9ULL;
        mixed = (mixed ^ (mixed >> 27U)) * 0x94d049bb133111ebULL;
        return mixed ^ (mixed >> 31U);
    }
    /// 0 .. bound-1.
    std::uint64_t below(std::uint64_t bound) { return next() % bound; }
    bool chance(std::uint64_t per_mille) { return below(1000) < per_mille; }
    Duration between(Duration low, Duration high) {
        auto span = static_cast<std::uint64_t>((high - low).count());
        return low + Duration(static_cast<Duration::rep>(below(span + 1)));
    }
    Id128 id() {
        std::uint64_t high = next();
        return {high, next() | 1U};
    }

  private:
    std::uint64_t state_;
};

}  // namespace ha::sim
