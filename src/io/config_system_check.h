#pragma once

#include <vector>

#include "core/config/config.h"

namespace ha::io {

/// What a module's configuration asks for and this node does not have: its directories, its units
/// (asked of systemd over the system bus), interfaces for its virtual IPs. Blocks for at most a few
/// seconds: for hamirrorctl, or a thread. `where` as in config::check().
std::vector<config::Problem> check_system(const config::ModuleConfig& module);

// The parts, for who needs one of them.

std::vector<config::Problem> check_directories(const config::ModuleConfig& module);
std::vector<config::Problem> check_interfaces(const config::ModuleConfig& module);
std::vector<config::Problem> check_units(const config::ModuleConfig& module);

}  // namespace ha::io
