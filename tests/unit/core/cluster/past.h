#pragma once

#include <algorithm>
#include <vector>

#include "core/cluster/machine.h"

// Machines with a past, for their tests.

namespace ha::cluster {

inline ChainEntry entry(std::uint64_t number, InSync in_sync, bool used) {
    ChainEntry made;
    made.decision.number = Epoch{number};
    made.decision.id = Id128{number, 9};
    if (number > 1) made.decision.parent = Id128{number - 1, 9};
    made.decision.in_sync = in_sync;
    made.used = used;
    return made;
}

inline Settings settings_of(Node self) {
    Settings settings;
    settings.self = self;
    settings.module = "db";
    return settings;
}

template <typename E>
std::size_t count(const std::vector<Effect>& effects) {
    return static_cast<std::size_t>(
        std::count_if(effects.begin(), effects.end(),
                      [](const Effect& effect) { return std::holds_alternative<E>(effect); }));
}

}  // namespace ha::cluster
