#pragma once

#include "move.h"

namespace ha::explore {

/// The state in which a search begins, reached by the machines themselves. Something was written
/// and synced before.
State beginning(const Setup& setup);

}  // namespace ha::explore
