#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace ha::replicatord {

/// For directories that this process does not mirror: removes what an earlier one of ours left
/// mounted over them, and makes durable what it wrote there.
Result<> make_closed_durable(const std::vector<std::string>& paths);

}  // namespace ha::replicatord
