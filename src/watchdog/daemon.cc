#include "watchdog/daemon.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "base/overloaded.h"
#include "io/clock.h"
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

Daemon::Daemon(io::Loop& loop, std::function<void()> reset)
    : loop_(loop),
      reset_(std::move(reset)),
      leases_(loop, [this](const std::string& module) { let_go(module); }),
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
    adopt_marked();
    clusterd_.start();
    show_status();
}

void Daemon::on_order(const api::Order& given) {
    if (const auto* start = std::get_if<api::StartUnits>(&given))
        start_units(*start);
    else if (const auto* stop = std::get_if<api::StopUnits>(&given))
        order(stop->module, stop->units, apps::StopOrdered{stop->units});
    else if (const auto* kill = std::get_if<api::KillUnits>(&given))
        order(kill->module, kill->units, apps::KillOrdered{kill->units});
    else if (const auto* lease = std::get_if<api::LookAtLease>(&given))
        look_at_lease(*lease);
    else
        io::log(io::Level::Warning, "An order that is not for ha-watchdog was ignored.");
}

void Daemon::start_units(const api::StartUnits& given) {
    if (may_run(given.module)) order(given.module, given.units, apps::StartOrdered{given.units});
}

void Daemon::look_at_lease(const api::LookAtLease& given) {
    if (!may_run(given.module)) return;
    module_of(given.module).kill_bound = given.kill_bound;
}

void Daemon::order(const std::string& name, const std::vector<std::string>& units,
                   const apps::Event& event) {
    if (!io::is_module_name(name)) {
        io::log(io::Level::Warning, "An order for '" + name + "' was ignored: no module's name.");
        return;
    }
    Module& module = module_of(name);
    module.units = units;
    step(module, event);
    show_status();
}

// ---- leases
// ---------------------------------------------------------------------------------------

/// What an earlier process of ours had running, before ha-clusterd says so: its lease may run out
/// before that.
void Daemon::adopt_marked() {
    auto gates = io::read_gates();
    if (!gates) return io::log(io::Level::Warning, gates.error().text);
    for (const auto& finding : *gates) {
        if (::access(marker_path(finding.gate.module).c_str(), F_OK) != 0) continue;
        module_of(finding.gate.module).units = finding.gate.units;
        may_run(finding.gate.module);
    }
}

/// False: the lease under which the units were to run has run out, and they are killed.
bool Daemon::may_run(const std::string& name) {
    auto expired = leases_.look(name);
    if (!expired) {
        io::log(io::Level::Error, "Module " + name + ": " + expired.error().text + ".");
        return false;
    }
    if (*expired) let_go(name);
    return !*expired;
}

void Daemon::let_go(const std::string& name) {
    Module& module = module_of(name);
    if (module.ladder.phase() != apps::Ladder::Phase::Killing && !module.units.empty()) {
        io::log(io::Level::Warning, api::message::kLeaseExpired, {{"HAMIRROR_MODULE", name}},
                "Module " + name +
                    ": the other node has not been heard of in time; its units are killed.");
        order(name, std::vector(module.units), apps::KillOrdered{module.units});
    }
    if (module.ladder.processes_left()) fence_later(module);
}

/// If the lease has run out.
void Daemon::fence_later(Module& module) {
    auto expired = leases_.look(module.name);
    if (!expired || !*expired || module.kill_bound <= 0s || module.fence.armed()) return;
    module.fence.arm(io::boot_now() + module.kill_bound,
                     [this, &module] { fence_if_left(module); });
}

void Daemon::fence_if_left(Module& module) {
    auto expired = leases_.look(module.name);
    if (!expired || !*expired || !module.ladder.processes_left()) return;
    // A group that is killed once more (its unit's stop was accepted just now) may be empty.
    if (!module.groups->any_left()) return fence_later(module);
    io::log(io::Level::Critical, api::message::kSelfFenced, {{"HAMIRROR_MODULE", module.name}},
            "Module " + module.name +
                ": processes of its units are left, and the other node may serve it now; this "
                "node resets itself.");
    reset_();
}

// ---- orders and answers
// ---------------------------------------------------------------------------

Daemon::Module& Daemon::module_of(const std::string& name) {
    auto& slot = modules_[name];
    if (slot) return *slot;
    slot = std::make_unique<Module>(loop_, name, apps::Ticket{modules_.size()} << kTicketBits);
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
                       fence_later(module);
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
