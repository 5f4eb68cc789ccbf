#include "watchdog/unit_properties.h"

#include <string_view>

namespace ha::watchdog {
namespace {

bool read_text(sd_bus_message* reply, std::string& out) {
    const char* text = nullptr;
    if (sd_bus_message_read(reply, "v", "s", &text) < 0) return false;
    out = text;
    return true;
}

bool read_one(sd_bus_message* reply, UnitProperties& properties) {
    const char* name = nullptr;
    if (sd_bus_message_read(reply, "s", &name) < 0) return false;
    const std::string_view property(name);
    if (property == "ActiveState") return read_text(reply, properties.active_state);
    if (property == "Result") return read_text(reply, properties.result);
    if (property == "Type") return read_text(reply, properties.type);
    if (property == "Job") {
        const char* path = nullptr;
        return sd_bus_message_read(reply, "v", "(uo)", &properties.job, &path) >= 0;
    }
    return sd_bus_message_skip(reply, "v") >= 0;
}

}  // namespace

UnitProperties read_unit_properties(sd_bus_message* reply) {
    UnitProperties properties;
    if (sd_bus_message_is_method_error(reply, nullptr) != 0) return properties;
    if (sd_bus_message_enter_container(reply, 'a', "{sv}") < 0) return properties;
    while (sd_bus_message_enter_container(reply, 'e', "sv") > 0) {
        if (!read_one(reply, properties)) break;
        if (sd_bus_message_exit_container(reply) < 0) break;
    }
    return properties;
}

apps::UnitState unit_state(const UnitProperties& properties) {
    const std::string_view state = properties.active_state;
    if (properties.job != 0) return apps::UnitState::Changing;
    if (state == "active" || state == "reloading") return apps::UnitState::Running;
    if (state == "inactive" && properties.type == "oneshot" && properties.result == "success")
        return apps::UnitState::Finished;
    if (state == "inactive" || state == "failed" || state.empty()) return apps::UnitState::Dead;
    return apps::UnitState::Changing;
}

}  // namespace ha::watchdog
