#include "watchdog/daemon.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "base/overloaded.h"
#include "io/fd.h"
#include "io/gate_file.h"
#include "io/log.h"

namespace ha::watchdog {
namespace {

// Each module's ladder numbers its tickets in a range of its own.
constexpr unsigned kTicketBits = 40;

std::string marker_path(const std::string& module) {
    return std::string(kMarkerDirectory) + "/" + module;
}

}  // namespace

Daemon::Daemon(io::Loop& loop)
    : loop_(loop),
      systemd_(
          loop,
          {.on_connected = [this] { step_all(apps::BusConnected{}); },
           .on_lost =
               [this](const std::string& reason) {
                   io::log(io::Level::Info,
                           "The connection to systemd broke (" + reason + "); it is made again.");
                   step_all(apps::BusLost{});
               },
           .on_queued =
               [this](apps::Ticket ticket) { step_owner(ticket, apps::JobQueued{ticket}); },
           .on_finished =
               [this](apps::Ticket ticket, const std::string& result) {
                   step_owner(ticket, apps::JobFinished{ticket, result});
               },
           .on_unit =
               [this](const std::string& unit, apps::UnitState state, const std::string& result) {
                   step_all(apps::UnitSeen{unit, state, result});
               }}),
      clusterd_(loop, api::WorkerHello{.kind = api::WorkerKind::Watchdog, .module = ""},
                {.on_order = [this](const api::Order& it) { on_order(it); },
                 .on_connected = [this] { tell_untold(); },
                 .on_disconnected =
                     [](const std::string& reason) {
                         io::log(io::Level::Info,
                                 "ha-clusterd is away (" + reason + "); what runs keeps running.");
                     }}) {}

void Daemon::start() {
    systemd_.connect();
    clusterd_.start();
    show_status();
}

void Daemon::on_order(const api::Order& given) {
    if (const auto* start = std::get_if<api::StartUnits>(&given))
        order(start->module, apps::StartOrdered{start->units});
    else if (const auto* stop = std::get_if<api::StopUnits>(&given))
        order(stop->module, apps::StopOrdered{stop->units});
    else if (const auto* kill = std::get_if<api::KillUnits>(&given))
        order(kill->module, apps::KillOrdered{kill->units});
    else
        io::log(io::Level::Warning, "An order that is not for ha-watchdog was ignored.");
}

void Daemon::order(const std::string& module, const apps::Event& event) {
    if (!io::is_module_name(module)) {
        io::log(io::Level::Warning, "An order for '" + module + "' was ignored: no module's name.");
        return;
    }
    step(module_of(module), event);
    show_status();
}

Daemon::Module& Daemon::module_of(const std::string& name) {
    auto& slot = modules_[name];
    if (slot) return *slot;
    slot = std::make_unique<Module>(name, apps::Ticket{modules_.size()} << kTicketBits);
    auto* module = slot.get();
    module->groups = std::make_unique<Groups>(
        loop_,
        Groups::Callbacks{
            .on_emptied = [this, module](
                              const std::string& unit) { step(*module, apps::GroupEmptied{unit}); },
            .on_populated =
                [this, module](const std::string& unit) {
                    step(*module, apps::GroupPopulated{unit});
                },
            .on_trouble =
                [module](const std::string& unit, const std::string& reason) {
                    io::log(io::Level::Error, api::message::kUnitFailed,
                            {{"HAMIRROR_MODULE", module->name}, {"HAMIRROR_UNIT", unit}},
                            "The processes of " + unit + " cannot be killed: " + reason);
                }});
    if (systemd_.ready()) step(*module, apps::BusConnected{});
    return *module;
}

void Daemon::step(Module& module, const apps::Event& event) {
    std::vector<apps::Effect> effects;
    module.ladder.step(event, effects);
    for (const auto& effect : effects) perform(module, effect);
}

void Daemon::step_all(const apps::Event& event) {
    for (auto& [name, module] : modules_) step(*module, event);
}

void Daemon::step_owner(apps::Ticket ticket, const apps::Event& event) {
    for (auto& [name, module] : modules_) {
        if (module->first_ticket >> kTicketBits == ticket >> kTicketBits) step(*module, event);
    }
}

void Daemon::perform(Module& module, const apps::Effect& effect) {
    const auto inform = [&](const api::MessageId& id, const char* text) {
        io::log(io::Level::Info, id, {{"HAMIRROR_MODULE", module.name}},
                "Module " + module.name + ": " + text);
    };
    std::visit(Overloaded{
                   [&](const apps::WriteMarker&) { write_marker(module); },
                   [&](const apps::RemoveMarker&) { remove_marker(module); },
                   [&](const apps::StartUnit& it) { systemd_.start_unit(it.ticket, it.unit); },
                   [&](const apps::StopUnit& it) { systemd_.stop_unit(it.ticket, it.unit); },
                   [&](const apps::KillGroup& it) {
                       module.killed = module.groups->kill(it.unit) || module.killed;
                   },
                   [&](const apps::ReleaseGroups&) { module.groups->release(); },
                   [&](const apps::WatchUnit& it) { systemd_.watch_unit(it.unit); },
                   [&](const apps::ReportStarted&) {
                       inform(api::message::kUnitsStarted, "its units run.");
                       tell(module, api::UnitsStarted{module.name});
                   },
                   [&](const apps::ReportStopped&) {
                       module.killed = false;
                       inform(api::message::kUnitsStopped, "its units are stopped.");
                       tell(module, api::UnitsStopped{module.name});
                   },
                   [&](const apps::ReportGone&) {
                       if (std::exchange(module.killed, false)) {
                           inform(api::message::kUnitsStopped,
                                  "its units were killed; no process is left.");
                       }
                       tell(module, api::UnitsGone{module.name});
                   },
                   [&](const apps::ReportFailed& it) { failed(module, it); },
               },
               effect);
}

void Daemon::write_marker(Module& module) {
    const auto path = marker_path(module.name);
    std::error_code error;
    std::filesystem::create_directories(kMarkerDirectory, error);
    io::Fd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
    if (file) return;
    const auto reason = "cannot write " + path + ": " + std::strerror(errno);
    loop_.post(
        [this, name = module.name, reason] { step(module_of(name), apps::MarkerFailed{reason}); });
}

void Daemon::remove_marker(const Module& module) {
    const auto path = marker_path(module.name);
    if (::unlink(path.c_str()) == 0 || errno == ENOENT) return;
    io::log(io::Level::Error, api::message::kUnitFailed, {{"HAMIRROR_MODULE", module.name}},
            "Cannot remove " + path + " (" + std::strerror(errno) +
                "): units of the module can be started by hand on this node.");
}

void Daemon::failed(Module& module, const apps::ReportFailed& report) {
    io::log(io::Level::Warning, api::message::kUnitFailed,
            {{"HAMIRROR_MODULE", module.name}, {"HAMIRROR_UNIT", report.unit}},
            "Module " + module.name + ": " + report.unit + " does not run (" + report.result +
                "); see 'journalctl -u " + report.unit + "'.");
    tell(module, api::UnitFailed{module.name, report.unit, report.result});
    show_status();
}

void Daemon::tell(Module& module, const api::Fact& fact) {
    show_status();
    if (clusterd_.send(fact) || !std::holds_alternative<api::UnitFailed>(fact)) return;
    module.untold = {fact};
}

void Daemon::tell_untold() {
    for (auto& [name, module] : modules_) {
        for (const auto& fact : std::exchange(module->untold, {})) clusterd_.send(fact);
    }
}

void Daemon::show_status() {
    std::string up;
    for (const auto& [name, module] : modules_) {
        if (module->ladder.phase() == apps::Ladder::Phase::Up) up += " " + name;
    }
    io::notify_status(up.empty() ? "No module's units run here." : "Watching the units of" + up);
}

}  // namespace ha::watchdog
