#pragma once

#include <deque>
#include <vector>

#include "core/cluster/events.h"

namespace ha::cluster {

/// Puts what a step gave to the end of the queue of effects that wait for a Persist before them.
/// The orders of a forced demotion promise nothing and wait for no disk: they are returned instead,
/// to be carried out at once, and the orders to serve that wait in the queue are void.
std::vector<Effect> enqueue(std::deque<Effect>& queue, std::vector<Effect> fresh);

/// Something of the queue waits to become durable.
[[nodiscard]] bool persists(const std::deque<Effect>& queue);

/// Another witness is configured: what waits to be asked is for the one before, and goes nowhere.
void forget_asked(std::deque<Effect>& queue);

}  // namespace ha::cluster
