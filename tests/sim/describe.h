#pragma once

#include <string>

#include "core/cluster/events.h"

namespace ha::sim {

/// For the trace: an event or effect with what matters of it.
std::string describe(const cluster::Event& event);
std::string describe(const cluster::Effect& effect);
std::string describe(const cluster::Decision& decision);

}  // namespace ha::sim
