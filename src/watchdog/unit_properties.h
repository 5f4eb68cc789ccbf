#pragma once

#include <systemd/sd-bus.h>

#include <cstdint>
#include <string>

#include "core/apps/ladder.h"

namespace ha::watchdog {

/// Of org.freedesktop.systemd1(5), interfaces Unit and Service (Socket, Timer, ...).
struct UnitProperties {
    std::string active_state;
    std::string result;  // empty for units that have none
    std::string type;    // of services
    std::uint32_t job = 0;
};

/// From a reply to GetAll; an error or a malformed reply gives an inactive unit.
UnitProperties read_unit_properties(sd_bus_message* reply);

/// A unit with a job is on its way somewhere: `systemctl restart` by hand passes through inactive.
apps::UnitState unit_state(const UnitProperties& properties);

}  // namespace ha::watchdog
