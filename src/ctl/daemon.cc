#include "ctl/daemon.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "api/bus.h"
#include "ctl/unreachable.h"
#include "io/clock.h"

namespace ha::ctl {
namespace {

// `apply` and `witness add` ask the other node, which may have to be waited for.
constexpr std::uint64_t kCallTimeoutUs = 60'000'000;

struct BusError {
    sd_bus_error value = SD_BUS_ERROR_NULL;
    BusError() = default;
    BusError(const BusError&) = delete;
    BusError& operator=(const BusError&) = delete;
    ~BusError() { sd_bus_error_free(&value); }
    [[nodiscard]] bool is(const char* name) const {
        return sd_bus_error_has_name(&value, name) > 0;
    }
};

tl::unexpected<Failure> explain(const BusError& error, int code) {
    if (error.is(SD_BUS_ERROR_SERVICE_UNKNOWN) || error.is(SD_BUS_ERROR_NAME_HAS_NO_OWNER) ||
        error.is(SD_BUS_ERROR_DISCONNECTED) || error.value.name == nullptr) {
        return failed(Exit::Unreachable, explain_unreachable());
    }
    if (error.is(SD_BUS_ERROR_NO_REPLY) || error.is(SD_BUS_ERROR_TIMEOUT)) {
        return failed(
            Exit::TimedOut,
            "The cluster daemon has not answered within 60 s. Whether the order was taken "
            "shows in: hamirrorctl status");
    }
    const char* text = error.value.message != nullptr ? error.value.message : std::strerror(-code);
    Failure refused{Exit::Refused, text, ""};
    const std::string_view name = error.value.name;
    const std::string_view prefix = api::bus::kErrorPrefix;
    if (name.starts_with(prefix)) refused.code = name.substr(prefix.size());
    return tl::unexpected(std::move(refused));
}

std::string module_path(const std::string& module) {
    char* raw = nullptr;
    if (sd_bus_path_encode(api::bus::kModulePrefix, module.c_str(), &raw) < 0) return "/";
    std::string path(raw);
    std::free(raw);
    return path;
}

std::string known_modules(const ClusterStatus& status) {
    std::string names;
    for (const auto& module : status.modules) names += (names.empty() ? "" : ", ") + module.module;
    return names.empty() ? "there is none yet: hamirrorctl apply FILE" : "there are: " + names;
}

}  // namespace

Outcome<Daemon> Daemon::connect() {
    sd_bus* raw = nullptr;
    if (sd_bus_open_system(&raw) < 0) return failed(Exit::Unreachable, explain_unreachable());
    sd_bus_set_method_call_timeout(raw, kCallTimeoutUs);
    return Daemon(io::SdBus(raw));
}

template <typename... Arguments>
Outcome<Daemon::Message> Daemon::call(const std::string& path, const char* interface,
                                      const char* member, const char* types,
                                      Arguments... arguments) {
    BusError error;
    sd_bus_message* reply = nullptr;
    const int code = sd_bus_call_method(bus_.get(), api::bus::kName, path.c_str(), interface,
                                        member, &error.value, &reply, types, arguments...);
    if (code < 0) {
        if (error.is(SD_BUS_ERROR_UNKNOWN_OBJECT)) return failed(Exit::Refused, "");
        return explain(error, code);
    }
    return Message(reply);
}

template <typename... Arguments>
Outcome<> Daemon::order(const std::string& module, const char* member, const char* types,
                        Arguments... arguments) {
    auto reply = call(module_path(module), api::bus::kModule, member, types, arguments...);
    if (reply) return {};
    if (!reply.error().text.empty()) return tl::unexpected(reply.error());
    auto seen = status();
    if (!seen) return tl::unexpected(seen.error());
    return failed(Exit::Refused,
                  "There is no module " + module + "; " + known_modules(seen->status) + ".");
}

/// Of an answer that is one text.
Outcome<std::string> Daemon::text_of(const Outcome<Message>& reply) {
    if (!reply) return tl::unexpected(reply.error());
    const char* text = nullptr;
    if (sd_bus_message_read(reply->get(), "s", &text) < 0) {
        return failed(Exit::Refused, "The cluster daemon's answer cannot be read.");
    }
    return text;
}

Outcome<Seen> Daemon::status() {
    auto json = text_of(call(api::bus::kClusterPath, api::bus::kCluster, "Status", ""));
    if (!json) return tl::unexpected(json.error());
    auto parsed = parse_status(*json);
    if (!parsed) return failed(Exit::Refused, parsed.error().text);
    return Seen{*json, std::move(*parsed)};
}

Outcome<> Daemon::start(const std::string& module, bool as_source) {
    return order(module, "Start", "b", static_cast<int>(as_source));
}

Outcome<> Daemon::force(const std::string& module, const KnownStatus& shown) {
    return order(module, "Force", "ssb", shown.decision.c_str(), shown.peer_decision.c_str(),
                 static_cast<int>(shown.peer_seen));
}

Outcome<> Daemon::stop(const std::string& module, bool all) {
    return order(module, "Stop", "b", static_cast<int>(all));
}

Outcome<> Daemon::swap(const std::string& module, const std::string& to) {
    if (to.empty()) return order(module, "Swap", "");
    return order(module, "SwapTo", "s", to.c_str());
}

Outcome<> Daemon::restart(const std::string& module) {
    return order(module, "Restart", "");
}

Outcome<> Daemon::set_failover(const std::string& module, bool automatic) {
    return order(module, "SetFailover", "b", static_cast<int>(automatic));
}

Outcome<> Daemon::set_at_boot(const std::string& module, bool starts) {
    return order(module, "SetAtBoot", "b", static_cast<int>(starts));
}

Outcome<std::string> Daemon::apply(const std::string& yaml, const std::string& file_name,
                                   bool dry_run, bool without_peer) {
    return text_of(call(api::bus::kClusterPath, api::bus::kCluster, "Apply", "ssbb", yaml.c_str(),
                        file_name.c_str(), static_cast<int>(dry_run),
                        static_cast<int>(without_peer)));
}

Outcome<std::string> Daemon::set_witness(const std::string& yaml) {
    return text_of(
        call(api::bus::kClusterPath, api::bus::kCluster, "SetWitness", "s", yaml.c_str()));
}

}  // namespace ha::ctl
