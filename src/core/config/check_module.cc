#include <algorithm>
#include <string_view>

#include "core/config/config.h"
#include "core/config/values.h"

namespace ha::config {
namespace {

using Problems = std::vector<Problem>;

std::string quoted(const std::string& text) {
    return '"' + text + '"';
}

std::string index(const char* list, std::size_t i) {
    return std::string(list) + "[" + std::to_string(i) + "]";
}

/// Never mirrored: the system itself, our own state, and what is no disk.
constexpr std::string_view kWholeOnly[] = {"/",     "/etc",  "/usr",  "/var",  "/bin",
                                           "/sbin", "/lib",  "/boot", "/home", "/lib64",
                                           "/opt",  "/root", "/srv",  "/tmp",  "/var/lib"};
constexpr std::string_view kWithAllBelow[] = {"/run",          "/proc",
                                              "/sys",          "/dev",
                                              "/var/run",      "/var/lib/hamirror",
                                              "/etc/hamirror", "/usr/lib/hamirror"};

bool normal_path(std::string_view path) {
    if (!path.starts_with('/') || path.size() > 4095) return false;
    if (path == "/") return true;
    while (!path.empty()) {
        path.remove_prefix(1);
        auto part = path.substr(0, path.find('/'));
        if (part.empty() || part == "." || part == ".." || part.size() > 255) return false;
        path.remove_prefix(part.size());
    }
    return true;
}

void check_path(const std::string& path, const std::string& where, Problems& out) {
    if (!normal_path(path)) {
        out.push_back({where, quoted(path) + " is not an absolute path without \"//\", \".\", "
                                             "\"..\" and '/' at the end"});
        return;
    }
    bool refused =
        std::find(std::begin(kWholeOnly), std::end(kWholeOnly), path) != std::end(kWholeOnly);
    for (auto directory : kWithAllBelow) {
        refused = refused || at_or_below(path, directory) || at_or_below(directory, path);
    }
    if (refused) {
        out.push_back({where, path + " belongs to the system and cannot be mirrored; name the "
                                     "application's own directory"});
    }
}

void check_excludes(const ReplicatedDirectory& directory, const std::string& where, Problems& out) {
    for (std::size_t i = 0; i < directory.exclude.size(); ++i) {
        const auto& pattern = directory.exclude[i];
        if (pattern.empty() || pattern.front() == '/') {
            out.push_back({where + index(".exclude", i),
                           quoted(pattern) + " is not a pattern relative to " + directory.path});
        }
    }
}

/// "" or what is wrong with having both in mirrors.
std::string overlap(const std::string& path, const std::string& other) {
    if (path == other) return path + " appears twice";
    if (at_or_below(path, other)) return path + " is inside " + other;
    if (at_or_below(other, path)) return path + " contains " + other;
    return {};
}

void check_replicate(const ModuleConfig& module, Problems& out) {
    const auto& list = module.replicate;
    if (list.empty()) out.push_back({"replicate", "name at least one directory to mirror"});
    for (std::size_t i = 0; i < list.size(); ++i) {
        check_path(list[i].path, index("replicate", i) + ".path", out);
        check_excludes(list[i], index("replicate", i), out);
        for (std::size_t before = 0; before < i; ++before) {
            auto text = overlap(list[i].path, list[before].path);
            if (!text.empty()) {
                out.push_back(
                    {index("replicate", i) + ".path", text + "; each directory is mirrored once"});
            }
        }
    }
}

std::string problem_of_vip(const std::string& text, const ClusterConfig& cluster) {
    if (std::count(text.begin(), text.end(), ':') > 1) {
        return "IPv6 virtual IPs are not supported yet";
    }
    auto ip = parse_virtual_ip(text);
    if (!ip) {
        return quoted(text) +
               " is not an IPv4 address with a prefix, such as 192.0.2.10/24 or "
               "192.0.2.10/24@eth0";
    }
    if (ip->address[0] == 0 || ip->address[0] == 127 || ip->address[0] >= 224) {
        return quoted(text) + " cannot be a virtual IP; clients could not reach it";
    }
    for (const auto& node : cluster.nodes) {
        for (const auto& address : node.addresses) {
            if (parse_ipv4(address) == ip->address) {
                return address + " is the address of " + node.name +
                       "; a virtual IP needs one of "
                       "its own";
            }
        }
    }
    return {};
}

std::string address_part(const std::string& vip) {
    return vip.substr(0, vip.find('/'));
}

void check_virtual_ips(const ModuleConfig& module, const ClusterConfig& cluster, Problems& out) {
    const auto& list = module.virtual_ips;
    for (std::size_t i = 0; i < list.size(); ++i) {
        auto text = problem_of_vip(list[i], cluster);
        for (std::size_t before = 0; before < i && text.empty(); ++before) {
            if (address_part(list[before]) == address_part(list[i])) {
                text = address_part(list[i]) + " appears twice";
            }
        }
        if (!text.empty()) out.push_back({index("virtual_ips", i), text});
    }
}

std::string problem_of_unit(const std::string& unit) {
    constexpr std::string_view kTypes[] = {".service", ".socket", ".timer", ".path"};
    bool known = std::any_of(std::begin(kTypes), std::end(kTypes),
                             [&](auto type) { return unit.ends_with(type); });
    if (!known) {
        return quoted(unit) + " is not the name of a .service, .socket, .timer or .path unit";
    }
    if (!valid_unit_name(unit)) {
        return quoted(unit) +
               " is not a whole unit name (a template needs its instance, such as "
               "postgresql@15-main.service)";
    }
    if (unit.starts_with("ha-")) return unit + " is hamirror's own unit; name the application's";
    return {};
}

void check_units(const ModuleConfig& module, Problems& out) {
    for (std::size_t i = 0; i < module.units.size(); ++i) {
        auto text = problem_of_unit(module.units[i]);
        auto here = module.units.begin() + static_cast<std::ptrdiff_t>(i);
        if (text.empty() && std::find(module.units.begin(), here, *here) != here) {
            text = *here + " appears twice";
        }
        if (!text.empty()) out.push_back({index("units", i), text});
    }
}

void check_failover(const ModuleConfig& module, const ClusterConfig& cluster, Problems& out) {
    const auto& preferred = module.failover.preferred;
    if (preferred.empty()) return;
    std::string names;
    for (const auto& node : cluster.nodes) {
        if (node.name == preferred) return;
        names += node.name + ", ";
    }
    out.push_back({"failover.preferred",
                   quoted(preferred) + " is not a node; expected " + names + "or none"});
}

/// 2-safety, "Validation". The exchange with a witness adds its measured time there.
void check_timing(const Timing& timing, Problems& out) {
    if (timing.heartbeat < 10ms || timing.take_after > 10min) {
        out.push_back({"timing", "heartbeat must be at least 10ms and take_after at most 10min"});
        return;
    }
    if (timing.silent_after < 2 * timing.heartbeat) {
        out.push_back({"timing", "silent_after (" + format_duration(timing.silent_after) +
                                     ") must be at least two heartbeats (" +
                                     format_duration(2 * timing.heartbeat) + ")"});
    }
    auto least_demote = timing.silent_after + timing.heartbeat;
    if (least_demote > timing.demote_after) {
        out.push_back({"timing", "silent_after + heartbeat must not be more than demote_after (" +
                                     format_duration(timing.demote_after) +
                                     "); set demote_after to at least " +
                                     format_duration(least_demote)});
    }
    auto least_take = timing.demote_after + timing.demote_after / 100 + timing.kill_bound;
    if (least_take > timing.take_after) {
        out.push_back({"timing",
                       "demote_after x 1.01 + kill_bound must not be more than "
                       "take_after (" +
                           format_duration(timing.take_after) + "); set take_after to at least " +
                           format_duration(least_take)});
    }
}

std::string problem_of_target(const std::string& text, const ModuleConfig& module,
                              const ClusterConfig& cluster) {
    const auto address = parse_ipv4(text);
    if (!address || (*address)[0] == 0 || (*address)[0] == 127 || (*address)[0] >= 224) {
        return quoted(text) +
               " is not the IPv4 address of another machine, such as the router's; names are not "
               "looked up";
    }
    for (const auto& node : cluster.nodes) {
        for (const auto& own : node.addresses) {
            if (own != text) continue;
            return text + " is the address of " + node.name +
                   "; a ping target is a third machine that both nodes reach";
        }
    }
    for (const auto& vip : module.virtual_ips) {
        if (address_part(vip) == text) return text + " is a virtual IP of this module";
    }
    return {};
}

void check_ping_targets(const ModuleConfig& module, const ClusterConfig& cluster, Problems& out) {
    const auto& list = module.ping_targets;
    if (list.size() > kMaxPingTargets) {
        out.push_back(
            {"ping_targets", "at most " + std::to_string(kMaxPingTargets) + " addresses"});
    }
    if (!list.empty() && module.policy == Policy::Safe) {
        out.push_back({"ping_targets",
                       "only a node that may go on alone asks them; with without_witness: safe "
                       "none does. Leave one of the two out"});
    }
    for (std::size_t i = 0; i < list.size(); ++i) {
        auto text = problem_of_target(list[i], module, cluster);
        const auto here = list.begin() + static_cast<std::ptrdiff_t>(i);
        if (text.empty() && std::find(list.begin(), here, *here) != here) {
            text = list[i] + " appears twice";
        }
        if (!text.empty()) out.push_back({index("ping_targets", i), text});
    }
}

void check_port(const ModuleConfig& module, const ClusterConfig& cluster, Problems& out) {
    if (module.port == 0) return;
    if (module.port < 1024 || module.port == cluster.control_port) {
        out.push_back({"port", "port " + std::to_string(module.port) +
                                   " is below 1024 or the control port; leave it out and apply "
                                   "assigns one"});
    }
}

void collide(const ModuleConfig& module, const ModuleConfig& other, Problems& out) {
    std::string with = " (module " + other.name + ")";
    for (std::size_t i = 0; i < module.replicate.size(); ++i) {
        for (const auto& directory : other.replicate) {
            auto text = overlap(module.replicate[i].path, directory.path);
            if (!text.empty()) out.push_back({index("replicate", i) + ".path", text + with});
        }
    }
    for (std::size_t i = 0; i < module.virtual_ips.size(); ++i) {
        for (const auto& vip : other.virtual_ips) {
            if (address_part(vip) != address_part(module.virtual_ips[i])) continue;
            out.push_back({index("virtual_ips", i), address_part(vip) + " is taken" + with});
        }
    }
    for (std::size_t i = 0; i < module.units.size(); ++i) {
        if (std::find(other.units.begin(), other.units.end(), module.units[i]) ==
            other.units.end()) {
            continue;
        }
        out.push_back({index("units", i), module.units[i] + " is taken" + with});
    }
    if (module.port != 0 && module.port == other.port) {
        out.push_back({"port", "port " + std::to_string(module.port) + " is taken" + with});
    }
}

}  // namespace

std::vector<Problem> check(const ModuleConfig& module, const ClusterConfig& cluster) {
    Problems out;
    if (!valid_module_name(module.name)) {
        out.push_back({"module", quoted(module.name) +
                                     " is no name for a module; use 1 to 31 lower-case letters, "
                                     "digits and '-', not beginning with '-'"});
    }
    check_replicate(module, out);
    check_virtual_ips(module, cluster, out);
    check_units(module, out);
    check_failover(module, cluster, out);
    check_ping_targets(module, cluster, out);
    check_timing(module.timing, out);
    check_port(module, cluster, out);
    return out;
}

std::vector<Problem> check_against(const ModuleConfig& module,
                                   const std::vector<ModuleConfig>& others) {
    Problems out;
    std::size_t count = 0;
    for (const auto& other : others) {
        if (other.name == module.name) continue;
        ++count;
        collide(module, other, out);
    }
    if (count >= kMaxModules) {
        out.push_back(
            {"module", "a pair of nodes has at most " + std::to_string(kMaxModules) + " modules"});
    }
    return out;
}

}  // namespace ha::config
