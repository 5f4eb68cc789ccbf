#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "io/gate_file.h"

namespace ha::generator {

inline constexpr const char* kDropInName = "50-hamirror.conf";

/// What ties `unit` to the modules it belongs to (more than one is a mistake that `apply` refuses;
/// if it happens all of them must be served here). A service asks the gate, which can say why and
/// can tell a boot from a start by hand. Other units cannot run a program before they start: a
/// condition skips them quietly, and `systemctl status` and the journal name the condition.
std::string drop_in(const std::string& unit, const std::vector<io::Gate>& modules);

/// systemd's name of the mount unit of a directory (systemd-escape --path --suffix=mount).
std::string mount_unit(std::string_view path);

/// Unit to drop-in, for all gates together; the mirrors have one, too, with the order of stopping.
std::map<std::string, std::string> drop_ins(const std::vector<io::GateFinding>& gates);

}  // namespace ha::generator
