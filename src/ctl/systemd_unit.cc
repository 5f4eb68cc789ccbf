#include "ctl/systemd_unit.h"

#include <systemd/sd-bus.h>

#include <cstdlib>
#include <cstring>
#include <memory>

#include "io/clock.h"
#include "io/systemd.h"

namespace ha::ctl {
namespace {

constexpr const char* kName = "org.freedesktop.systemd1";
constexpr const char* kPath = "/org/freedesktop/systemd1";
constexpr const char* kManager = "org.freedesktop.systemd1.Manager";
constexpr const char* kUnit = "org.freedesktop.systemd1.Unit";
constexpr Duration kCallTimeout = 5s;

struct MessageDelete {
    void operator()(sd_bus_message* message) const noexcept { sd_bus_message_unref(message); }
};
using Message = std::unique_ptr<sd_bus_message, MessageDelete>;

/// A method of the manager that takes strings and gives an object path.
Result<std::string> ask(sd_bus* bus, const char* member, const char* types, const char* first,
                        const char* second) {
    sd_bus_error error = SD_BUS_ERROR_NULL;
    sd_bus_message* raw = nullptr;
    int code = second == nullptr ? sd_bus_call_method(bus, kName, kPath, kManager, member, &error,
                                                      &raw, types, first)
                                 : sd_bus_call_method(bus, kName, kPath, kManager, member, &error,
                                                      &raw, types, first, second);
    Message reply(raw);
    const char* path = nullptr;
    if (code >= 0) code = sd_bus_message_read(raw, "o", &path);
    std::string why =
        error.message != nullptr ? error.message : std::strerror(code < 0 ? -code : 0);
    sd_bus_error_free(&error);
    if (code < 0) return fail("systemd refuses: " + why, -code);
    return std::string(path);
}

Result<std::string> property(sd_bus* bus, const std::string& path, const char* name) {
    char* text = nullptr;
    int code = sd_bus_get_property_string(bus, kName, path.c_str(), kUnit, name, nullptr, &text);
    if (code < 0) return fail(std::string("systemd does not say: ") + std::strerror(-code), -code);
    std::string value(text);
    std::free(text);
    return value;
}

/// JobRemoved for one job.
struct JobWatch {
    std::string job;
    std::string result;  // "done", "failed", ...; empty: not yet

    static int on_removed(sd_bus_message* message, void* self, sd_bus_error*) noexcept {
        auto* watch = static_cast<JobWatch*>(self);
        std::uint32_t id = 0;
        const char* path = nullptr;
        const char* unit = nullptr;
        const char* result = nullptr;
        if (sd_bus_message_read(message, "uoss", &id, &path, &unit, &result) < 0) return 0;
        if (watch->job == path) watch->result = result;
        return 0;
    }
};

}  // namespace

Result<UnitState> unit_state(const std::string& unit) {
    auto bus = io::open_systemd(kCallTimeout);
    if (!bus) return tl::unexpected(bus.error());
    auto path = ask(bus->get(), "LoadUnit", "s", unit.c_str(), nullptr);
    if (!path) return tl::unexpected(path.error());
    auto load = property(bus->get(), *path, "LoadState");
    if (!load) return tl::unexpected(load.error());
    auto active = property(bus->get(), *path, "ActiveState");
    if (!active) return tl::unexpected(active.error());
    return UnitState{*load, *active};
}

Result<> restart_unit(const std::string& unit, Duration timeout) {
    auto opened = io::open_systemd(kCallTimeout);
    if (!opened) return tl::unexpected(opened.error());
    sd_bus* bus = opened->get();
    JobWatch watch;
    int code = sd_bus_match_signal(bus, nullptr, nullptr, kPath, kManager, "JobRemoved",
                                   JobWatch::on_removed, &watch);
    if (code < 0) return fail(std::string("systemd does not answer: ") + std::strerror(-code));
    // On its private socket systemd sends signals to everybody; on the bus only after this.
    sd_bus_call_method(bus, kName, kPath, kManager, "Subscribe", nullptr, nullptr, "");
    auto job = ask(bus, "RestartUnit", "ss", unit.c_str(), "replace");
    if (!job) return tl::unexpected(job.error());
    watch.job = *job;  // signals wait in the queue until sd_bus_process
    const Instant deadline = io::boot_now() + timeout;
    while (watch.result.empty()) {
        const auto left = std::chrono::ceil<std::chrono::microseconds>(deadline - io::boot_now());
        if (left.count() <= 0) return fail("systemd has not started " + unit + " in time.");
        code = sd_bus_process(bus, nullptr);
        if (code == 0) code = sd_bus_wait(bus, static_cast<std::uint64_t>(left.count()));
        if (code < 0 && code != -EINTR) {
            return fail(std::string("The connection to systemd broke: ") + std::strerror(-code));
        }
    }
    if (watch.result == "done") return {};
    return fail(unit + " did not start (" + watch.result + "). See: journalctl -u " + unit +
                " -n 30");
}

}  // namespace ha::ctl
