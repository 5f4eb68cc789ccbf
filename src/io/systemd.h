#pragma once

#include <systemd/sd-bus.h>

#include <cstdint>
#include <memory>
#include <string>

#include "base/result.h"
#include "base/time.h"

// The way to systemd itself. Its private socket comes first: PID 1 answers there with no bus daemon
// in between, so that a restart of dbus, or its absence early at boot and late at shutdown, changes
// nothing. The system bus is the fallback. Both speak org.freedesktop.systemd1(5).

namespace ha::io {

struct SdBusDelete {
    void operator()(sd_bus* bus) const noexcept { sd_bus_close_unref(bus); }
};
using SdBus = std::unique_ptr<sd_bus, SdBusDelete>;

enum class SystemdDoor : std::uint8_t { Private, PrivateOrBus };

/// `call_timeout` bounds each later call. Root only. A connection over the private socket may turn
/// out to be none at its first use.
Result<SdBus> open_systemd(Duration call_timeout, SystemdDoor door = SystemdDoor::PrivateOrBus);

/// The state of the whole system: "starting", "running", "degraded", "stopping", ...
Result<std::string> system_state(sd_bus* bus);

/// Within how long the machine's own watchdog resets it when systemd does not turn any more
/// (RuntimeWatchdogSec= of systemd-system.conf(5)); zero: systemd feeds none.
Result<Duration> hardware_watchdog(sd_bus* bus);

/// The kind of the job systemd has for `unit` ("start", "restart", "stop", ...); empty: none.
Result<std::string> job_of(sd_bus* bus, const std::string& unit);

/// Its ActiveState: "active", "activating" (also between two automatic restarts), "inactive", ...
Result<std::string> unit_state(sd_bus* bus, const std::string& unit);

/// Queues a job and does not wait for it; an error is systemd's refusal to queue it.
Result<> start_unit(sd_bus* bus, const std::string& unit);
Result<> stop_unit(sd_bus* bus, const std::string& unit);
/// `systemctl daemon-reload`; generators have run when it returns.
Result<> reload_systemd(sd_bus* bus);
/// Whether `unit` is ordered after `other` (After= of systemd.unit(5)).
Result<bool> ordered_after(sd_bus* bus, const std::string& unit, const std::string& other);

}  // namespace ha::io
