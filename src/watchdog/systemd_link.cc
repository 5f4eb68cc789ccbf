#include "watchdog/systemd_link.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "io/clock.h"
#include "watchdog/unit_properties.h"

namespace ha::watchdog {
namespace {

constexpr const char* kName = "org.freedesktop.systemd1";
constexpr const char* kManagerPath = "/org/freedesktop/systemd1";
constexpr const char* kManager = "org.freedesktop.systemd1.Manager";
constexpr const char* kProperties = "org.freedesktop.DBus.Properties";
constexpr auto kRetry = 20ms;
// The private socket is away for a moment while systemd executes itself anew; only after that is
// the bus the better way.
constexpr int kPrivateAttempts = 50;

std::string unit_path(const std::string& unit) {
    char* path = nullptr;
    if (sd_bus_path_encode("/org/freedesktop/systemd1/unit", unit.c_str(), &path) < 0) return "/";
    std::string text(path);
    std::free(path);
    return text;
}

}  // namespace

int SystemdLink::on_message(sd_bus_message* message, void* reply, sd_bus_error*) noexcept {
    // A copy: the callback may close the bus and with it the slot that owns the function.
    const auto callback = *static_cast<Reply*>(reply);
    callback(message);
    return 0;
}

void SystemdLink::connect() {
    bus_.reset();
    const auto door =
        attempts_++ < kPrivateAttempts ? io::SystemdDoor::Private : io::SystemdDoor::PrivateOrBus;
    auto bus = io::open_systemd(5s, door);
    if (!bus || sd_bus_attach_event(bus->get(), loop_.raw(), SD_EVENT_PRIORITY_NORMAL) < 0) {
        retry_later();
        return;
    }
    bus_ = std::move(*bus);
    if (!subscribe()) lost("cannot subscribe to systemd's signals");
}

bool SystemdLink::subscribe() {
    const auto on_subscribed = [this](sd_bus_message* reply) {
        if (broken(reply)) return;
        ready_ = true;
        attempts_ = 0;
        callbacks_.on_connected();
    };
    return match("/org/freedesktop/DBus/Local", "org.freedesktop.DBus.Local", "Disconnected",
                 [this](sd_bus_message*) { lost("systemd closed the connection"); }) &&
           match(kManagerPath, kManager, "JobRemoved",
                 [this](sd_bus_message* signal) { job_removed(signal); }) &&
           call(kManagerPath, kManager, "Subscribe", "", {}, on_subscribed);
}

void SystemdLink::lost(const std::string& reason) {
    const bool was_ready = ready_;
    ready_ = false;
    jobs_.clear();
    queries_.clear();
    watched_.clear();
    retry_later();
    if (was_ready) loop_.post([this, reason] { callbacks_.on_lost(reason); });
}

void SystemdLink::retry_later() {
    retry_.arm(io::boot_now() + kRetry, [this] { connect(); });
}

bool SystemdLink::match(const char* path, const char* interface, const char* member, Reply reply) {
    auto owned = std::make_unique<Reply>(std::move(reply));
    sd_bus_slot* slot = nullptr;
    if (sd_bus_match_signal_async(bus_.get(), &slot, nullptr, path, interface, member,
                                  &SystemdLink::on_message, nullptr, owned.get()) < 0)
        return false;
    sd_bus_slot_set_destroy_callback(slot, [](void* it) { delete static_cast<Reply*>(it); });
    static_cast<void>(owned.release());
    sd_bus_slot_set_floating(slot, 1);
    sd_bus_slot_unref(slot);
    return true;
}

bool SystemdLink::call(const char* path, const char* interface, const char* member,
                       const char* types, std::vector<std::string> arguments, Reply reply) {
    sd_bus_message* raw = nullptr;
    if (sd_bus_message_new_method_call(bus_.get(), &raw, kName, path, interface, member) < 0)
        return false;
    std::unique_ptr<sd_bus_message, decltype(&sd_bus_message_unref)> message(raw,
                                                                             &sd_bus_message_unref);
    for (std::size_t i = 0; i < arguments.size(); ++i) {
        if (sd_bus_message_append_basic(raw, types[i], arguments[i].c_str()) < 0) return false;
    }
    auto owned = std::make_unique<Reply>(std::move(reply));
    sd_bus_slot* slot = nullptr;
    if (sd_bus_call_async(bus_.get(), &slot, raw, &SystemdLink::on_message, owned.get(), 0) < 0)
        return false;
    sd_bus_slot_set_destroy_callback(slot, [](void* it) { delete static_cast<Reply*>(it); });
    static_cast<void>(owned.release());
    sd_bus_slot_set_floating(slot, 1);
    sd_bus_slot_unref(slot);
    return true;
}

// Calls that are open when a connection breaks are answered by the library: not systemd's word.
bool SystemdLink::broken(sd_bus_message* reply) {
    const auto* error = sd_bus_message_get_error(reply);
    if (error == nullptr) return false;
    for (const char* name : {SD_BUS_ERROR_NO_REPLY, SD_BUS_ERROR_DISCONNECTED,
                             SD_BUS_ERROR_SERVICE_UNKNOWN, SD_BUS_ERROR_TIMEOUT}) {
        if (std::strcmp(error->name, name) != 0) continue;
        if (ready_ || !retry_.armed()) lost(error->message != nullptr ? error->message : name);
        return true;
    }
    return false;
}

void SystemdLink::start_unit(apps::Ticket ticket, const std::string& unit) {
    queue_job("StartUnit", ticket, unit);
}

void SystemdLink::stop_unit(apps::Ticket ticket, const std::string& unit) {
    queue_job("StopUnit", ticket, unit);
}

// JobRemoved cannot overtake the reply that names the job: both come over one connection, in the
// order systemd sent them.
void SystemdLink::queue_job(const char* method, apps::Ticket ticket, const std::string& unit) {
    if (!ready_) return;
    const auto on_reply = [this, ticket](sd_bus_message* reply) {
        if (broken(reply)) return;
        const auto* error = sd_bus_message_get_error(reply);
        const char* path = nullptr;
        if (error == nullptr && sd_bus_message_read(reply, "o", &path) >= 0) {
            jobs_[path] = ticket;
            callbacks_.on_queued(ticket);
            return;
        }
        callbacks_.on_finished(ticket, error != nullptr && error->message != nullptr
                                           ? error->message
                                           : "systemd refused");
    };
    if (!call(kManagerPath, kManager, method, "ss", {unit, "replace"}, on_reply))
        lost("cannot send to systemd");
}

void SystemdLink::job_removed(sd_bus_message* message) {
    std::uint32_t id = 0;
    const char* path = nullptr;
    const char* unit = nullptr;
    const char* result = nullptr;
    if (sd_bus_message_read(message, "uoss", &id, &path, &unit, &result) < 0) return;
    auto job = jobs_.find(path);
    if (job == jobs_.end()) return;
    const auto ticket = job->second;
    jobs_.erase(job);
    query(unit,
          [this, ticket, text = std::string(result)] { callbacks_.on_finished(ticket, text); });
}

void SystemdLink::watch_unit(const std::string& unit) {
    if (!ready_) return;
    if (watched_.insert(unit).second) {
        match(unit_path(unit).c_str(), kProperties, "PropertiesChanged",
              [this, unit](sd_bus_message*) { query(unit, nullptr); });
    }
    query(unit, nullptr);
}

// One question at a time for a unit; a change that arrives meanwhile makes it ask again, because
// the answer on its way may be older.
void SystemdLink::query(const std::string& unit, std::function<void()> then) {
    if (!ready_) return;
    auto [at, fresh] = queries_.try_emplace(unit);
    if (then) at->second.then.push_back(std::move(then));
    if (!fresh) {
        at->second.again = true;
        return;
    }
    if (!call(unit_path(unit).c_str(), kProperties, "GetAll", "s", {""},
              [this, unit](sd_bus_message* reply) { queried(unit, reply); }))
        lost("cannot send to systemd");
}

void SystemdLink::queried(const std::string& unit, sd_bus_message* reply) {
    if (broken(reply)) return;
    auto at = queries_.find(unit);
    if (at == queries_.end()) return;
    auto query_was = std::move(at->second);
    queries_.erase(at);
    if (query_was.again) {
        query(unit, nullptr);
        auto next = queries_.find(unit);
        if (next != queries_.end()) next->second.then = std::move(query_was.then);
        return;
    }
    const auto properties = read_unit_properties(reply);
    callbacks_.on_unit(unit, unit_state(properties), properties.result);
    for (const auto& then : query_was.then) then();
}

}  // namespace ha::watchdog
