#include "clusterd/bus_connection.h"

#include <cstring>

#include "api/bus.h"
#include "io/clock.h"
#include "io/log.h"

namespace ha::clusterd {
namespace {

constexpr const char* kLocal = "org.freedesktop.DBus.Local";
constexpr const char* kLocalPath = "/org/freedesktop/DBus/Local";
// After everything that concerns the peer and the workers.
constexpr int kPriority = SD_EVENT_PRIORITY_NORMAL + 10;

Result<> check(int code, const char* what) {
    if (code >= 0) return {};
    return fail(std::string(what) + ": " + std::strerror(-code), -code);
}

}  // namespace

BusConnection::BusConnection(io::Loop& loop, Open open, Duration retry, Callbacks callbacks)
    : loop_(&loop),
      open_(std::move(open)),
      retry_(retry),
      callbacks_(std::move(callbacks)),
      timer_(loop) {}

BusConnection::~BusConnection() {
    stop();
}

void BusConnection::start() {
    if (auto connected = connect(); !connected) reconnect(connected.error().text);
}

void BusConnection::reconnect(const std::string& why) {
    if (!complained_) {
        io::log(io::Level::Info, "The system bus is not available (" + why +
                                     "); hamirrorctl cannot reach this daemon until it is.");
        complained_ = true;
    }
    drop();
    timer_.arm(io::boot_now() + retry_, [this] { start(); });
}

void BusConnection::stop() {
    timer_.cancel();
    drop();
}

void BusConnection::drop() {
    if (!bus_) return;
    callbacks_.lost();
    bus_.reset();
}

Result<> BusConnection::connect() {
    auto opened = open_();
    if (!opened) return tl::unexpected(opened.error());
    bus_ = std::move(*opened);
    sd_bus* bus = bus_.get();
    auto step = check(sd_bus_attach_event(bus, loop_->raw(), kPriority), "cannot watch the bus");
    if (!step) return step;
    step = check(sd_bus_match_signal(bus, nullptr, nullptr, kLocalPath, kLocal, "Disconnected",
                                     on_disconnected, this),
                 "cannot watch the connection to the bus");
    if (!step) return step;
    if (step = callbacks_.connected(bus); !step) return step;
    if (sd_bus_is_bus_client(bus) == 0) return {};
    return check(sd_bus_request_name_async(bus, nullptr, api::bus::kName, 0, on_name, this),
                 "cannot ask for the bus name");
}

int BusConnection::on_disconnected(sd_bus_message*, void* self, sd_bus_error*) noexcept {
    auto* connection = static_cast<BusConnection*>(self);
    // Not from within the bus's own dispatch.
    connection->timer_.arm(io::boot_now(),
                           [connection] { connection->reconnect("the connection broke"); });
    return 0;
}

int BusConnection::on_name(sd_bus_message* reply, void* self, sd_bus_error*) noexcept {
    auto* connection = static_cast<BusConnection*>(self);
    std::uint32_t answer = 0;
    const sd_bus_error* error = sd_bus_message_get_error(reply);
    std::string why;
    if (error != nullptr) {
        why = error->message != nullptr ? error->message : error->name;
    } else if (sd_bus_message_read(reply, "u", &answer) < 0 || (answer != 1 && answer != 4)) {
        why = std::string("another process owns the name ") + api::bus::kName;
    }
    if (!why.empty()) {
        connection->timer_.arm(io::boot_now(), [connection, why] { connection->reconnect(why); });
        return 0;
    }
    if (connection->complained_) io::log(io::Level::Info, "The system bus is available again.");
    connection->complained_ = false;
    return 0;
}

Result<io::SdBus> open_system_bus() {
    sd_bus* raw = nullptr;
    if (int code = sd_bus_open_system(&raw); code < 0) {
        return fail(std::string("cannot connect to it: ") + std::strerror(-code), -code);
    }
    return io::SdBus(raw);
}

}  // namespace ha::clusterd
