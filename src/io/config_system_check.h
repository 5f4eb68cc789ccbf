#pragma once

#include <vector>

#include "core/config/config.h"

namespace ha::io {

/// What a module's configuration asks for and this node does not have: its directories, its units
/// (asked of systemd over the system bus), interfaces for its virtual IPs; or has and
/// must not: an address that is a ping target. Blocks for at most a few
/// seconds: for hamirrorctl, or a thread. `where` as in config::check(). `node`: this one's name,
/// for the texts, which the other node shows, too.
std::vector<config::Problem> check_system(const config::ModuleConfig& module,
                                          const std::string& node);

// The parts, for who needs one of them.

std::vector<config::Problem> check_directories(const config::ModuleConfig& module,
                                               const std::string& node);
std::vector<config::Problem> check_interfaces(const config::ModuleConfig& module,
                                              const std::string& node);
std::vector<config::Problem> check_units(const config::ModuleConfig& module,
                                         const std::string& node);

}  // namespace ha::io
