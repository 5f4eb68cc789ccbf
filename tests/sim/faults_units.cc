// What the application's processes do, and the daemons that hold it and the addresses.

#include <algorithm>
#include <string>

#include "fault_kinds.h"
#include "world.h"

namespace ha::sim {

namespace {

// Each of the three has WatchdogSec=5s.
constexpr Duration kReplacedAfter = 5s;

}  // namespace

void break_unit(World& world) {
    any_host(world).workers.fail_unit();
}

void stick_unit(World& world) {
    Host& host = any_host(world);
    const Duration lasts = outage(world);
    ++world.totals.stuck_units;
    world.say(host, [] { return "## no signal ends its application"; });
    host.workers.stick(world.now() + lasts);
}

void stick_unheard(World& world) {
    if (world.network.any_blocked()) return;
    Host& host = any_host(world);
    if (!host.mirror.serves()) return;
    ++world.totals.stuck_units;
    ++world.totals.cuts;
    world.say(host, [] { return "## is not heard, and no signal ends its application"; });
    for (Link link : {Link::Control, Link::Mirror}) world.network.block(link, host.self);
    host.workers.stick(world.now() + 6s);
    later(world, outage(world) + 2s, [&world] {
        world.note("## links up");
        world.network.unblock_all();
    });
}

void hang_worker(World& world) {
    Host& host = any_host(world);
    using Daemon = WorkersModel::Daemon;
    const Daemon which = world.random.chance(500) ? Daemon::Watchdog : Daemon::Vip;
    if (!host.powered() || host.workers.hangs(which)) return;
    const char* const name = which == Daemon::Vip ? "ha-vipd" : "ha-watchdog";
    ++world.totals.hangs;
    world.say(host, [name] { return std::string("## ") + name + " hangs"; });
    host.workers.hang(which);
    host.later(std::min(outage(world), kReplacedAfter), [&world, &host, which, name] {
        world.say(host, [name] { return std::string("## ") + name + " runs again"; });
        host.workers.unhang(which);
    });
}

void hang_mirror(World& world) {
    Host& host = any_host(world);
    if (!host.mirror.alive() || host.mirror.hangs()) return;
    const Duration lasts = outage(world);
    ++world.totals.hangs;
    world.say(host, [] { return "## ha-replicatord hangs"; });
    host.mirror.hang();
    host.later(std::min(lasts, kReplacedAfter), [&world, &host, lasts] {
        if (!host.mirror.hangs()) return;
        if (lasts > kReplacedAfter) return end_mirror(world, host);
        world.say(host, [] { return "## ha-replicatord runs again"; });
        host.mirror.unhang();
    });
}

void heal_units(World& world) {
    world.weather.hanging_units = 0;
    for (Node node : {Node::First, Node::Second}) {
        Host& host = world.host(node);
        host.workers.stick({});
        host.mirror.unhang();
        for (auto which : {WorkersModel::Daemon::Watchdog, WorkersModel::Daemon::Vip}) {
            host.workers.unhang(which);
        }
    }
}

}  // namespace ha::sim
