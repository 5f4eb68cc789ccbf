#pragma once

#include <map>
#include <string>
#include <vector>

#include "io/gate_file.h"

namespace ha::generator {

inline constexpr const char* kDropInName = "50-hamirror.conf";

/// What ties `unit` to the modules it belongs to (more than one is a mistake that `apply` refuses;
/// if it happens all of them must be served here). A service asks the gate, which can say why and
/// can tell a boot from a start by hand. Other units cannot run a program before they start: a
/// condition skips them quietly, and `systemctl status` and the journal name the condition.
std::string drop_in(const std::string& unit, const std::vector<std::string>& modules);

/// Unit to drop-in, for all gates together.
std::map<std::string, std::string> drop_ins(const std::vector<io::GateFinding>& gates);

}  // namespace ha::generator
