#pragma once

#include <string>

#include "base/result.h"

// The control group of a systemd unit, found without asking systemd: when a node must give up an
// application within half a second, neither dbus nor PID 1 may stand in the way. cgroup v2 only
// (cgroups(7)); cgroup.kill needs Linux 5.14.

namespace ha::io {

inline constexpr const char* kGroupRoot = "/sys/fs/cgroup";

/// The directory of the unit's control group; empty: it has none, so no process either. Looks
/// through the slices of the system, not into services, scopes or the users' own units.
std::string find_unit_group(const std::string& unit, const std::string& root = kGroupRoot);

/// SIGKILL to every process in it and below, those being forked included. A group that is gone is
/// success.
Result<> kill_group(const std::string& group);

/// Whether any process, zombies not counted, is in it or below. A group that is gone: no.
Result<bool> group_populated(const std::string& group);

}  // namespace ha::io
