#include "io/gate_file.h"

#include <unistd.h>
#include <algorithm>
#include <array>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <set>
#include <span>

#include "io/durable_file.h"

namespace ha::io {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kHeader = "hamirror-gate 1";
constexpr std::string_view kModule = "module ";
constexpr std::string_view kUnit = "unit ";
constexpr std::string_view kPath = "path ";
constexpr std::size_t kLimit = 1 << 20;
constexpr std::array<std::string_view, 3> kSuffixes = {".gate", ".gate.last", ".ever"};

bool is_alphanumeric(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

std::vector<std::string_view> lines_of(std::string_view text) {
    std::vector<std::string_view> lines;
    while (!text.empty()) {
        auto end = text.find('\n');
        lines.push_back(text.substr(0, end));
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    }
    return lines;
}

void add_missing(std::vector<std::string>& units, const std::vector<std::string>& more) {
    for (const auto& unit : more) {
        if (std::find(units.begin(), units.end(), unit) == units.end()) units.push_back(unit);
    }
}

struct Copy {
    bool present = false;
    std::optional<Gate> sound;
    std::vector<std::string> units;  // of a sound copy, or what was salvaged
    std::string trouble;
};

std::string raw_text(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

Copy read_copy(const std::string& path, const std::string& module) {
    Copy copy;
    auto content = read_durable(path, kLimit);
    if (content && !*content) return copy;
    copy.present = true;
    Result<Gate> gate = fail(path + " is damaged");
    if (content) {
        const auto& bytes = **content;
        gate = parse_gate({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
        if (gate && gate->module != module) gate = fail(path + " is the gate of another module");
    } else {
        gate = tl::unexpected(content.error());
    }
    if (gate) {
        copy.units = gate->units;
        copy.sound = std::move(*gate);
    } else {
        copy.trouble = gate.error().text;
        copy.units = salvage_units(raw_text(path));
    }
    return copy;
}

GateFinding read_module(const std::string& directory, const std::string& module) {
    const auto stem = directory + "/" + module;
    auto now = read_copy(stem + ".gate", module);
    if (now.sound) return {*now.sound, ""};
    GateFinding found{{module, now.units}, ""};
    add_missing(found.gate.units, read_copy(stem + ".gate.last", module).units);
    add_missing(found.gate.units, read_copy(stem + ".ever", module).units);
    found.warning = (now.present ? now.trouble : stem + ".gate is missing") +
                    "; every unit that module " + module +
                    " ever had stays gated until 'hamirrorctl apply' writes the gate again";
    return found;
}

Result<> write_text(const std::string& path, const Gate& gate) {
    const auto text = format_gate(gate);
    return write_durable(path, std::as_bytes(std::span(text)));
}

}  // namespace

bool is_module_name(std::string_view name) {
    if (name.empty() || name.size() > 64 || name[0] == '.' || name[0] == '-') return false;
    return std::all_of(name.begin(), name.end(), [](char c) {
        return is_alphanumeric(c) || c == '_' || c == '-' || c == '.';
    });
}

bool is_unit_name(std::string_view name) {
    static constexpr std::array<std::string_view, 7> kTypes = {
        ".service", ".socket", ".timer", ".path", ".target", ".mount", ".automount"};
    if (name.size() > 255 || name.empty() || name[0] == '.' || name[0] == '@') return false;
    const auto legal = [](char c) {
        return is_alphanumeric(c) || std::strchr(":_.\\@-", c) != nullptr;
    };
    if (name.find('\0') != std::string_view::npos) return false;
    if (!std::all_of(name.begin(), name.end(), legal)) return false;
    return std::any_of(kTypes.begin(), kTypes.end(), [&](std::string_view type) {
        return name.size() > type.size() && name.ends_with(type);
    });
}

bool is_mount_path(std::string_view path) {
    return path.starts_with('/') && std::none_of(path.begin(), path.end(), [](char c) {
               return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
           });
}

std::string format_gate(const Gate& gate) {
    std::string text(kHeader);
    text.append("\n").append(kModule).append(gate.module).append("\n");
    for (const auto& unit : gate.units) text.append(kUnit).append(unit).append("\n");
    for (const auto& path : gate.paths) text.append(kPath).append(path).append("\n");
    return text + "end\n";
}

Result<Gate> parse_gate(std::string_view text) {
    if (!text.ends_with('\n')) return fail("a gate file does not end with a whole line");
    const auto lines = lines_of(text);
    if (lines.size() < 3 || lines.front() != kHeader || lines.back() != "end")
        return fail("a gate file does not begin with '" + std::string(kHeader) +
                    "' and end with 'end'");
    if (!lines[1].starts_with(kModule) || !is_module_name(lines[1].substr(kModule.size())))
        return fail("a gate file names no module");
    Gate gate{std::string(lines[1].substr(kModule.size())), {}};
    for (std::size_t i = 2; i + 1 < lines.size(); ++i) {
        if (lines[i].starts_with(kPath) && is_mount_path(lines[i].substr(kPath.size()))) {
            gate.paths.emplace_back(lines[i].substr(kPath.size()));
            continue;
        }
        if (!lines[i].starts_with(kUnit) || !is_unit_name(lines[i].substr(kUnit.size())))
            return fail("line " + std::to_string(i + 1) + " of a gate file names no unit");
        std::string unit(lines[i].substr(kUnit.size()));
        if (std::find(gate.units.begin(), gate.units.end(), unit) != gate.units.end())
            return fail("a gate file names " + unit + " twice");
        gate.units.push_back(std::move(unit));
    }
    return gate;
}

std::vector<std::string> salvage_units(std::string_view text) {
    std::vector<std::string> units;
    for (auto line : lines_of(text)) {
        if (!line.starts_with(kUnit) || !is_unit_name(line.substr(kUnit.size()))) continue;
        add_missing(units, {std::string(line.substr(kUnit.size()))});
    }
    return units;
}

Result<> write_gate(const Gate& gate, const std::string& directory) {
    if (auto sound = parse_gate(format_gate(gate)); !sound) return tl::unexpected(sound.error());
    // A gate whose directory a power loss takes away is no gate.
    if (auto made = make_directories_durable(directory, 0755); !made) return made;

    const auto stem = directory + "/" + gate.module;
    Gate ever = gate;
    for (auto suffix : kSuffixes)
        add_missing(ever.units, read_copy(stem + std::string(suffix), gate.module).units);
    if (auto done = write_text(stem + ".ever", ever); !done) return done;
    if (auto done = write_text(stem + ".gate", gate); !done) return done;
    return write_text(stem + ".gate.last", gate);
}

Result<> remove_gate(const std::string& module, const std::string& directory) {
    if (!is_module_name(module)) return fail("'" + module + "' is not the name of a module");
    for (auto suffix : kSuffixes) {
        const auto path = directory + "/" + module + std::string(suffix);
        if (::unlink(path.c_str()) != 0 && errno != ENOENT)
            return fail("cannot remove " + path + ": " + std::strerror(errno), errno);
    }
    return sync_directory(directory);
}

Result<std::vector<GateFinding>> read_gates(const std::string& directory) {
    std::error_code error;
    if (!fs::exists(directory, error) && !error) return std::vector<GateFinding>{};
    std::set<std::string> modules;
    for (fs::directory_iterator at(directory, error), end; !error && at != end;
         at.increment(error)) {
        const auto name = at->path().filename().string();
        for (auto suffix : kSuffixes) {
            if (!name.ends_with(suffix)) continue;
            auto module = name.substr(0, name.size() - suffix.size());
            if (is_module_name(module)) modules.insert(module);
        }
    }
    if (error) return fail("cannot list " + directory + ": " + error.message(), error.value());
    std::vector<GateFinding> found;
    for (const auto& module : modules) found.push_back(read_module(directory, module));
    return found;
}

}  // namespace ha::io
