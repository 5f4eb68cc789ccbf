#include "io/systemd.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

namespace ha::io {
namespace {

constexpr const char* kPrivate = "unix:path=/run/systemd/private";
constexpr const char* kName = "org.freedesktop.systemd1";
constexpr const char* kManagerPath = "/org/freedesktop/systemd1";
constexpr const char* kManager = "org.freedesktop.systemd1.Manager";

struct BusError {
    sd_bus_error value = SD_BUS_ERROR_NULL;
    BusError() = default;
    BusError(const BusError&) = delete;
    BusError& operator=(const BusError&) = delete;
    ~BusError() { sd_bus_error_free(&value); }
};

struct MessageDelete {
    void operator()(sd_bus_message* message) const noexcept { sd_bus_message_unref(message); }
};
using Message = std::unique_ptr<sd_bus_message, MessageDelete>;

tl::unexpected<Error> failed(const char* what, const BusError& error, int code) {
    const char* why = error.value.message != nullptr ? error.value.message : std::strerror(-code);
    return fail(std::string("systemd does not answer: ") + what + ": " + why, -code);
}

constexpr const char* kUnit = "org.freedesktop.systemd1.Unit";

/// The object of a unit, loaded if it was not.
Result<std::string> path_of(sd_bus* bus, const std::string& unit) {
    BusError error;
    sd_bus_message* raw = nullptr;
    int code = sd_bus_call_method(bus, kName, kManagerPath, kManager, "LoadUnit", &error.value,
                                  &raw, "s", unit.c_str());
    Message reply(raw);
    const char* path = nullptr;
    if (code >= 0) code = sd_bus_message_read(reply.get(), "o", &path);
    if (code < 0) return failed(unit.c_str(), error, code);
    return std::string(path);
}

SdBus open_private() {
    sd_bus* raw = nullptr;
    if (sd_bus_new(&raw) < 0) return nullptr;
    SdBus bus(raw);
    if (sd_bus_set_address(raw, kPrivate) < 0 || sd_bus_start(raw) < 0) return nullptr;
    return bus;
}

}  // namespace

Result<SdBus> open_systemd(Duration call_timeout, SystemdDoor door) {
    auto bus = open_private();
    if (!bus && door == SystemdDoor::Private) return fail("systemd's private socket is closed");
    if (!bus) {
        sd_bus* raw = nullptr;
        const int code = sd_bus_open_system(&raw);
        if (code < 0)
            return fail(std::string("cannot connect to systemd: ") + std::strerror(-code), -code);
        bus.reset(raw);
    }
    const auto usec = std::chrono::duration_cast<std::chrono::microseconds>(call_timeout).count();
    sd_bus_set_method_call_timeout(bus.get(), static_cast<std::uint64_t>(usec));
    return bus;
}

/// The property says what is configured, with or without a device to feed.
Result<Duration> hardware_watchdog(sd_bus* bus) {
    BusError error;
    std::uint64_t usec = 0;
    const int code = sd_bus_get_property_trivial(bus, kName, kManagerPath, kManager,
                                                 "RuntimeWatchdogUSec", &error.value, 't', &usec);
    if (code < 0) return failed("RuntimeWatchdogUSec", error, code);
    constexpr std::uint64_t kNever = std::uint64_t(-1);
    if (usec == 0 || usec == kNever || access("/dev/watchdog", F_OK) != 0) return Duration{};
    constexpr std::uint64_t kLongest = 24ULL * 3600 * 1'000'000;
    return std::chrono::microseconds(std::min(usec, kLongest));
}

Result<std::string> system_state(sd_bus* bus) {
    BusError error;
    char* text = nullptr;
    const int code = sd_bus_get_property_string(bus, kName, kManagerPath, kManager, "SystemState",
                                                &error.value, &text);
    if (code < 0) return failed("SystemState", error, code);
    std::string state(text);
    std::free(text);
    return state;
}

Result<std::string> job_of(sd_bus* bus, const std::string& unit) {
    auto path = path_of(bus, unit);
    if (!path) return path;
    BusError error;
    sd_bus_message* raw_job = nullptr;
    int code = sd_bus_get_property(bus, kName, path->c_str(), kUnit, "Job", &error.value, &raw_job,
                                   "(uo)");
    Message job(raw_job);
    std::uint32_t id = 0;
    const char* job_path = nullptr;
    if (code >= 0) code = sd_bus_message_read(job.get(), "(uo)", &id, &job_path);
    if (code < 0) return failed(unit.c_str(), error, code);
    if (id == 0) return std::string();

    char* kind = nullptr;
    code = sd_bus_get_property_string(bus, kName, job_path, "org.freedesktop.systemd1.Job",
                                      "JobType", &error.value, &kind);
    if (code < 0) return failed(unit.c_str(), error, code);
    std::string text(kind);
    std::free(kind);
    return text;
}

Result<std::string> unit_state(sd_bus* bus, const std::string& unit) {
    auto path = path_of(bus, unit);
    if (!path) return path;
    BusError error;
    char* text = nullptr;
    const int code = sd_bus_get_property_string(bus, kName, path->c_str(), kUnit, "ActiveState",
                                                &error.value, &text);
    if (code < 0) return failed(unit.c_str(), error, code);
    std::string state(text);
    std::free(text);
    return state;
}

namespace {

Result<> queue_job(sd_bus* bus, const char* method, const std::string& unit) {
    BusError error;
    const int code = sd_bus_call_method(bus, kName, kManagerPath, kManager, method, &error.value,
                                        nullptr, "ss", unit.c_str(), "replace");
    if (code < 0) return failed(unit.c_str(), error, code);
    return {};
}

}  // namespace

Result<> start_unit(sd_bus* bus, const std::string& unit) {
    return queue_job(bus, "StartUnit", unit);
}

Result<> stop_unit(sd_bus* bus, const std::string& unit) {
    return queue_job(bus, "StopUnit", unit);
}

Result<> reload_systemd(sd_bus* bus) {
    BusError error;
    const int code =
        sd_bus_call_method(bus, kName, kManagerPath, kManager, "Reload", &error.value, nullptr, "");
    if (code < 0) return failed("daemon-reload", error, code);
    return {};
}

Result<bool> ordered_after(sd_bus* bus, const std::string& unit, const std::string& other) {
    auto path = path_of(bus, unit);
    if (!path) return tl::unexpected(path.error());
    BusError error;
    char** list = nullptr;
    const int code =
        sd_bus_get_property_strv(bus, kName, path->c_str(), kUnit, "After", &error.value, &list);
    if (code < 0) return failed(unit.c_str(), error, code);
    bool found = false;
    for (char** name = list; name != nullptr && *name != nullptr; ++name) {
        found = found || other == *name;
        std::free(*name);
    }
    std::free(list);
    return found;
}

}  // namespace ha::io
