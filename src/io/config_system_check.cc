#include "io/config_system_check.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <sys/stat.h>
#include <systemd/sd-bus.h>

#include <bit>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>

#include "core/config/values.h"

namespace ha::io {
namespace {

using Problems = std::vector<config::Problem>;

constexpr std::uint64_t kBusTimeoutUs = 2'000'000;
constexpr const char* kSystemd = "org.freedesktop.systemd1";

std::string index(const char* list, std::size_t i) {
    return std::string(list) + "[" + std::to_string(i) + "]";
}

std::string problem_of_directory(const std::string& path, const std::string& node) {
    struct stat status {};
    if (lstat(path.c_str(), &status) != 0) {
        if (errno == ENOENT) return path + " does not exist on " + node + "; create it first";
        return "cannot look at " + path + " on " + node + ": " + std::strerror(errno);
    }
    std::unique_ptr<char, decltype(&std::free)> real(realpath(path.c_str(), nullptr), &std::free);
    if (real && path != real.get()) {
        return path + " leads through a symbolic link on " + node +
               "; name the directory itself, " + real.get();
    }
    return S_ISDIR(status.st_mode) ? "" : path + " is not a directory on " + node;
}

struct BusDelete {
    void operator()(sd_bus* bus) const noexcept { sd_bus_flush_close_unref(bus); }
};
using Bus = std::unique_ptr<sd_bus, BusDelete>;

struct MessageDelete {
    void operator()(sd_bus_message* message) const noexcept { sd_bus_message_unref(message); }
};
using Message = std::unique_ptr<sd_bus_message, MessageDelete>;

Bus open_system_bus() {
    sd_bus* bus = nullptr;
    if (sd_bus_open_system(&bus) < 0) return nullptr;
    sd_bus_set_method_call_timeout(bus, kBusTimeoutUs);
    return Bus(bus);
}

/// "loaded", "not-found", "masked", "bad-setting", ...; empty: systemd did not answer.
std::string load_state(sd_bus* bus, const std::string& unit) {
    sd_bus_message* raw = nullptr;
    int result = sd_bus_call_method(bus, kSystemd, "/org/freedesktop/systemd1",
                                    "org.freedesktop.systemd1.Manager", "LoadUnit", nullptr, &raw,
                                    "s", unit.c_str());
    Message reply(raw);
    const char* path = nullptr;
    if (result < 0 || sd_bus_message_read(reply.get(), "o", &path) < 0) return {};
    char* state = nullptr;
    result = sd_bus_get_property_string(bus, kSystemd, path, "org.freedesktop.systemd1.Unit",
                                        "LoadState", nullptr, &state);
    std::unique_ptr<char, decltype(&std::free)> owned(state, &std::free);
    return result < 0 ? "" : owned.get();
}

std::string problem_of_unit(sd_bus* bus, const std::string& unit, const std::string& node) {
    auto state = load_state(bus, unit);
    if (state == "loaded") return {};
    if (state.empty()) {
        return "systemd on " + node + " did not answer whether " + unit + " exists; try again";
    }
    if (state == "not-found") {
        return unit + " does not exist on " + node + "; install the application there";
    }
    if (state == "masked") {
        return unit + " is masked on " + node + "; run there: systemctl unmask " + unit;
    }
    return "systemd on " + node + " cannot load " + unit + " (" + state +
           "); see there: systemctl status " + unit;
}

struct Interfaces {
    ifaddrs* first = nullptr;
    Interfaces() { getifaddrs(&first); }
    ~Interfaces() { freeifaddrs(first); }
    Interfaces(const Interfaces&) = delete;
    Interfaces& operator=(const Interfaces&) = delete;
};

bool in_subnet_of(const ifaddrs& interface, const config::Ipv4& address) {
    if (!interface.ifa_addr || interface.ifa_addr->sa_family != AF_INET || !interface.ifa_netmask) {
        return false;
    }
    sockaddr_in own{}, mask{};
    std::memcpy(&own, interface.ifa_addr, sizeof own);
    std::memcpy(&mask, interface.ifa_netmask, sizeof mask);
    auto bits = static_cast<std::uint8_t>(std::popcount(mask.sin_addr.s_addr));
    if (bits == 32) return false;  // a host address: somebody's virtual IP
    return config::same_subnet(std::bit_cast<config::Ipv4>(own.sin_addr.s_addr), address, bits);
}

std::string problem_of_vip(const std::string& text, const Interfaces& interfaces,
                           const std::string& node) {
    auto ip = config::parse_virtual_ip(text);
    if (!ip) return {};
    if (!ip->interface.empty()) {
        if (if_nametoindex(ip->interface.c_str()) != 0) return {};
        return node + " has no interface " + ip->interface;
    }
    for (auto each = interfaces.first; each != nullptr; each = each->ifa_next) {
        bool loopback = (each->ifa_flags & IFF_LOOPBACK) != 0;
        if (!loopback && in_subnet_of(*each, ip->address)) return {};
    }
    return "no interface of " + node + " is in the subnet of " + text + "; name it: " + text +
           "@INTERFACE";
}

bool is_own(const std::string& text, const Interfaces& interfaces) {
    const auto address = config::parse_ipv4(text);
    for (auto each = interfaces.first; address && each != nullptr; each = each->ifa_next) {
        if (!each->ifa_addr || each->ifa_addr->sa_family != AF_INET) continue;
        sockaddr_in own{};
        std::memcpy(&own, each->ifa_addr, sizeof own);
        if (std::bit_cast<config::Ipv4>(own.sin_addr.s_addr) == *address) return true;
    }
    return false;
}

}  // namespace

std::vector<config::Problem> check_directories(const config::ModuleConfig& module,
                                               const std::string& node) {
    Problems out;
    for (std::size_t i = 0; i < module.replicate.size(); ++i) {
        auto text = problem_of_directory(module.replicate[i].path, node);
        if (!text.empty()) out.push_back({index("replicate", i) + ".path", text});
    }
    return out;
}

std::vector<config::Problem> check_interfaces(const config::ModuleConfig& module,
                                              const std::string& node) {
    Problems out;
    Interfaces interfaces;
    for (std::size_t i = 0; i < module.virtual_ips.size(); ++i) {
        auto text = problem_of_vip(module.virtual_ips[i], interfaces, node);
        if (!text.empty()) out.push_back({index("virtual_ips", i), text});
    }
    for (std::size_t i = 0; i < module.ping_targets.size(); ++i) {
        const auto& target = module.ping_targets[i];
        if (!is_own(target, interfaces)) continue;
        out.push_back({index("ping_targets", i),
                       target + " is an address of " + node + " itself, which answers always"});
    }
    return out;
}

std::vector<config::Problem> check_units(const config::ModuleConfig& module,
                                         const std::string& node) {
    if (module.units.empty()) return {};
    auto bus = open_system_bus();
    if (!bus) {
        return {{"units", "cannot reach systemd of " + node + " to look for the units"}};
    }
    Problems out;
    for (std::size_t i = 0; i < module.units.size(); ++i) {
        auto text = problem_of_unit(bus.get(), module.units[i], node);
        if (!text.empty()) out.push_back({index("units", i), text});
    }
    return out;
}

std::vector<config::Problem> check_system(const config::ModuleConfig& module,
                                          const std::string& node) {
    Problems out = check_directories(module, node);
    for (auto check : {check_interfaces, check_units}) {
        auto more = check(module, node);
        out.insert(out.end(), more.begin(), more.end());
    }
    return out;
}

}  // namespace ha::io
