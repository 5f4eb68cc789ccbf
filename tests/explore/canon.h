#pragma once

#include <cstdint>

#include "state.h"

namespace ha::explore {

struct Digest {
    std::uint64_t high = 0;
    std::uint64_t low = 0;
    bool operator==(const Digest&) const = default;
};

/// Equal for states that behave alike: random ids and tokens count by the order in which they are
/// met, instants by their order in time, texts for people not at all.
Digest digest(const State& state);

/// Equal for sides that are the same in everything, ids to come included.
Digest identity(const Side& side);

}  // namespace ha::explore
