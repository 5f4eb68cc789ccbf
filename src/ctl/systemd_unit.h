#pragma once

#include <string>

#include "base/result.h"
#include "base/time.h"

namespace ha::ctl {

struct UnitState {
    std::string load;    // loaded, not-found, ...
    std::string active;  // active, inactive, failed, ...
};
Result<UnitState> unit_state(const std::string& unit);

/// Starts the unit, or restarts it if it runs, and waits until systemd's job for that is done.
Result<> restart_unit(const std::string& unit, Duration timeout);

}  // namespace ha::ctl
