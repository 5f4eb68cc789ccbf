#include "generator/drop_in.h"

#include <cctype>
#include <cstddef>

namespace ha::generator {
namespace {

constexpr std::string_view kOrigin =
    "# Written by hamirror-generator(8) from /etc/hamirror/gate.d.\n[Unit]\n";

// systemd takes a mount unit for our mount from the kernel's list, one with the same name as that
// of a file system mounted on the same directory; at shutdown it unmounts both. Whether the
// application has stopped by then depends on how fstab names that file system (nofail, _netdev:
// not). After= alone: it orders the stops, and it starts, requires and stops nothing.
std::string after_mounts(const io::Gate& gate, const std::string& unit) {
    std::string text;
    for (const auto& path : gate.paths) {
        const auto mount = mount_unit(path);
        if (mount != unit) text += "After=" + mount + "\n";
    }
    return text;
}

}  // namespace

std::string mount_unit(std::string_view path) {
    static constexpr char kDigits[] = "0123456789abcdef";
    std::string name;
    for (char c : path) {
        if (c == '/') {
            if (!name.empty() && name.back() != '/') name += '/';
        } else {
            name += c;
        }
    }
    while (name.ends_with('/')) name.pop_back();
    if (name.empty()) return "-.mount";
    std::string escaped;
    for (std::size_t i = 0; i < name.size(); ++i) {
        const auto c = static_cast<unsigned char>(name[i]);
        const bool plain = std::isalnum(c) != 0 || c == ':' || c == '_' || (c == '.' && i > 0);
        if (c == '/') {
            escaped += '-';
        } else if (plain && c < 0x80) {
            escaped += name[i];
        } else {
            escaped.append("\\x").append(1, kDigits[c >> 4U]).append(1, kDigits[c & 15U]);
        }
    }
    return escaped + ".mount";
}

std::string drop_in(const std::string& unit, const std::vector<io::Gate>& modules) {
    const bool service = unit.ends_with(".service");
    std::string text(kOrigin);
    for (const auto& module : modules) {
        const auto target = "ha-primary@" + module.module + ".target";
        text += "PartOf=" + target + "\nAfter=" + target + "\n" + after_mounts(module, unit);
        if (!service) text += "ConditionPathExists=/run/hamirror/primary/" + module.module + "\n";
    }
    text += "Documentation=man:hamirror-gate(8)\n";
    if (!service) return text;
    text += "\n[Service]\n";
    for (const auto& module : modules)
        text += "ExecCondition=+/usr/lib/hamirror/gate " + module.module + "\n";
    return text;
}

std::map<std::string, std::string> drop_ins(const std::vector<io::GateFinding>& gates) {
    std::map<std::string, std::vector<io::Gate>> owners;
    std::map<std::string, std::string> texts;
    for (const auto& found : gates) {
        for (const auto& unit : found.gate.units) owners[unit].push_back(found.gate);
        const auto mirror = "ha-replicatord@" + found.gate.module + ".service";
        const auto order = after_mounts(found.gate, mirror);
        if (!order.empty()) texts[mirror] = std::string(kOrigin) + order;
    }
    for (const auto& [unit, modules] : owners) texts[unit] = drop_in(unit, modules);
    return texts;
}

}  // namespace ha::generator
