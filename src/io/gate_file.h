#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

// The gate files: which units belong to which module, compiled from the module's configuration by
// `apply` and read by hamirror-generator before anything of the system runs. A unit that has ever
// been gated must not lose its gate because a file is damaged: the application would start on both
// nodes. So three copies lie in the directory, each a durable file (docs/formats.md) of one text:
//
//   MODULE.gate       the units of the module now
//   MODULE.gate.last  the same, written after it: the last good one
//   MODULE.ever       every unit the module has had since it was defined
//
// and while MODULE.gate cannot be read, whatever can be learned from any of them is gated. Too many
// gated units can be mended with `apply`; too few cannot.

namespace ha::io {

inline constexpr const char* kGateDirectory = "/etc/hamirror/gate.d";

struct Gate {
    std::string module;
    std::vector<std::string> units;  // full names with suffix, no two equal
    /// The mirrored directories, absolute: where systemd sees our mounts. Only the order of
    /// stopping comes from them, so a damaged file may lose them.
    std::vector<std::string> paths{};

    bool operator==(const Gate&) const = default;
};

/// Fit for a file name and for the instance of a unit: letters, digits, '_', '-' and '.', not at
/// the beginning '.' or '-', at most 64 bytes.
bool is_module_name(std::string_view name);
/// systemd.unit(5), "unit names": a name that may be started, its suffix included.
bool is_unit_name(std::string_view name);

/// Absolute, and without control characters.
bool is_mount_path(std::string_view path);

/// The text in the files.
std::string format_gate(const Gate& gate);
/// The inverse, and nothing else: an unknown line, a bad name or a missing end is an error.
Result<Gate> parse_gate(std::string_view text);
/// The valid "unit" lines of a text that parse_gate() or the checksum refused.
std::vector<std::string> salvage_units(std::string_view text);

/// Durable when it returns success; after a failure the units of the old and of the new gate are
/// all still gated at the next boot. systemd sees the change after a daemon-reload.
Result<> write_gate(const Gate& gate, const std::string& directory = kGateDirectory);
/// Takes the module's gate away. After a failure or a crash it may be there still.
Result<> remove_gate(const std::string& module, const std::string& directory = kGateDirectory);

struct GateFinding {
    Gate gate;
    std::string warning;  // empty: read from a sound MODULE.gate
};
/// Every module that has any of the three files, by name. No directory: none. An error only when
/// the directory itself cannot be listed.
Result<std::vector<GateFinding>> read_gates(const std::string& directory = kGateDirectory);

}  // namespace ha::io
