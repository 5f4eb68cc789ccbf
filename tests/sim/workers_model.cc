#include "workers_model.h"

#include <utility>

#include "core/cluster/monitor.h"
#include "fault_kinds.h"
#include "host.h"
#include "world.h"

namespace ha::sim {

namespace {

// Shorter than systemd's usual 90 s, longer than anything the module waits for.
constexpr Duration kStartTimeout = 9s;
constexpr Duration kStopTimeout = 7s;

}  // namespace

void WorkersModel::later(Duration low, Duration high, std::function<void()> task) {
    host_.later(host_.world.random.between(low, high), std::move(task));
}

// ---- orders, facts, and daemons that hang

void WorkersModel::order(const cluster::Effect& order) {
    const bool vip = std::holds_alternative<cluster::HoldAddresses>(order) ||
                     std::holds_alternative<cluster::DropAddresses>(order) ||
                     std::holds_alternative<cluster::ProbeAddresses>(order);
    carry_out(vip ? Daemon::Vip : Daemon::Watchdog, order);
}

void WorkersModel::carry_out(Daemon which, const cluster::Effect& order) {
    Process& process = daemons_[index(which)];
    if (process.hangs) return process.orders.push_back(order);
    // A lease that has run out allows nothing that it was to allow.
    const bool expired = host_.lease.expired(host_.clock());
    if (std::holds_alternative<cluster::StartUnits>(order) && !expired) start_units();
    if (std::holds_alternative<cluster::StopUnits>(order)) end_units(false);
    if (std::holds_alternative<cluster::KillUnits>(order)) end_units(true);
    if (std::holds_alternative<cluster::HoldAddresses>(order) && !expired) hold_addresses(true);
    if (std::holds_alternative<cluster::DropAddresses>(order)) hold_addresses(false);
    if (const auto* probe = std::get_if<cluster::ProbeAddresses>(&order)) {
        probe_addresses(probe->token);
    }
}

void WorkersModel::tell(Daemon which, const cluster::Event& fact) {
    Process& process = daemons_[index(which)];
    if (process.hangs) return process.facts.push_back(fact);
    host_.clusterd.fact(fact);
}

void WorkersModel::hang(Daemon which) {
    daemons_[index(which)].hangs = true;
}

/// What it finds: the lease, then the orders; and what systemd did meanwhile.
void WorkersModel::unhang(Daemon which) {
    Process& process = daemons_[index(which)];
    if (!std::exchange(process.hangs, false)) return;
    last_hung_ = host_.world.now();
    if (host_.lease.expired(host_.clock())) let_go(which);
    for (const auto& fact : std::exchange(process.facts, {})) tell(which, fact);
    for (const auto& order : std::exchange(process.orders, {})) carry_out(which, order);
}

bool WorkersModel::hung_lately(Duration lately) const {
    const bool now = hangs(Daemon::Watchdog) || hangs(Daemon::Vip);
    return now || host_.world.now() - last_hung_ <= lately;
}

void WorkersModel::power_off() {
    units_ = Units::Down;
    ending_ = killing_ = owe_stopped_ = owe_gone_ = false;
    addresses_ = false;
    working_ = false;
    stuck_until_ = {};
    daemons_ = {};
    ++change_;
    ++address_change_;
    ++fence_;
}

// ---- leases

void WorkersModel::lease_expired() {
    for (Daemon which : {Daemon::Vip, Daemon::Watchdog}) {
        if (!hangs(which)) let_go(which);
    }
}

void WorkersModel::let_go(Daemon which) {
    if (which == Daemon::Vip) return hold_addresses(false);
    end_units(true);
    arm_fence();
}

/// Processes that are left when the other node may serve: this one resets itself.
void WorkersModel::arm_fence() {
    if (!active() || host_.world.mutant == Mutant::NoReset) return;
    const Time due = host_.when(host_.clock() + cluster::Timing{}.kill_bound);
    host_.later(due - host_.world.now(), [this, fence = ++fence_] {
        if (fence != fence_ || hangs(Daemon::Watchdog)) return;
        if (!active() || !host_.lease.expired(host_.clock())) return;
        ++host_.world.totals.resets;
        host_.world.say(host_, [] { return "## resets itself: processes are left"; });
        lose_power(host_.world, host_);
    });
}

// ---- units

void WorkersModel::unless_changed(Time when, void (WorkersModel::*then)()) {
    host_.later(when - host_.world.now(), [this, then, change = change_] {
        if (change == change_) (this->*then)();
    });
}

void WorkersModel::start_units() {
    ++change_;
    ending_ = killing_ = owe_stopped_ = owe_gone_ = false;
    if (units_ == Units::Up) return tell(Daemon::Watchdog, cluster::UnitsStarted{});
    units_ = Units::Starting;
    World& world = host_.world;
    start_fails_ = world.random.chance(world.weather.start_failures);
    start_hangs_ = world.random.chance(world.weather.hanging_units);
    if (start_hangs_) world.say(host_, [] { return "## its application hangs at its start"; });
    const Duration takes = start_hangs_ ? kStartTimeout : world.random.between(2ms, 400ms);
    unless_changed(world.now() + takes, &WorkersModel::started);
}

void WorkersModel::started() {
    // systemd starts nothing beside processes it cannot end.
    if (host_.world.now() < stuck_until_) {
        return unless_changed(stuck_until_, &WorkersModel::started);
    }
    if (start_fails_ || start_hangs_) {
        units_ = Units::Down;
        const char* result = start_hangs_ ? "timeout" : "exit-code";
        return tell(Daemon::Watchdog, cluster::UnitFailed{"app.service", result});
    }
    units_ = Units::Up;
    tell(Daemon::Watchdog, cluster::UnitsStarted{});
    if (!std::exchange(working_, true)) work();
}

/// As core/apps/ladder: a kill overtakes a stop, and one that was begun answers both.
void WorkersModel::end_units(bool by_force) {
    (by_force ? owe_gone_ : owe_stopped_) = true;
    if (killing_ || (ending_ && !by_force)) return;
    World& world = host_.world;
    ending_ = true;
    killing_ = by_force;
    ++change_;
    const bool hangs = !by_force && active() && world.random.chance(world.weather.hanging_units);
    if (hangs) world.say(host_, [] { return "## its application hangs at its stop"; });
    if (units_ != Units::Down) units_ = Units::Stopping;
    const Duration usual = world.random.between(1ms, by_force ? 60ms : 600ms);
    unless_changed(world.now() + (hangs ? kStopTimeout : usual), &WorkersModel::ended);
}

void WorkersModel::ended() {
    if (units_ != Units::Down && host_.world.now() < stuck_until_) {
        return unless_changed(stuck_until_, &WorkersModel::ended);
    }
    units_ = Units::Down;
    ending_ = killing_ = false;
    if (std::exchange(owe_gone_, false)) tell(Daemon::Watchdog, cluster::UnitsGone{});
    if (std::exchange(owe_stopped_, false)) tell(Daemon::Watchdog, cluster::UnitsStopped{});
}

void WorkersModel::fail_unit() {
    if (units_ != Units::Up || host_.world.now() < stuck_until_) return;
    ++change_;
    units_ = Units::Down;
    tell(Daemon::Watchdog, cluster::UnitFailed{"app.service", "signal"});
}

// ---- addresses

void WorkersModel::hold_addresses(bool wanted) {
    later(1ms, 40ms, [this, wanted, change = ++address_change_] {
        if (change != address_change_) return;
        if (wanted && !addresses_) held_since_ = host_.world.now();
        addresses_ = wanted;
        wanted ? tell(Daemon::Vip, cluster::AddressesHeld{})
               : tell(Daemon::Vip, cluster::AddressesDropped{});
    });
}

/// As core/vip/prober.
void WorkersModel::probe_addresses(std::uint64_t token) {
    const bool before = somebody_answers();
    later(1s, 1600ms, [this, token, before] {
        cluster::AddressesProbed answer{token, "", "", true, ""};
        answer.asked = host_.world.network.carries_addresses(host_.self);
        if (!answer.asked) answer.trouble = "no carrier";
        if (before || somebody_answers()) {
            answer.taken = "192.0.2.10";
            answer.mac = "02:00:00:00:00:01";
        }
        tell(Daemon::Vip, answer);
    });
}

bool WorkersModel::somebody_answers() const {
    const Host& holder = host_.peer();
    const bool answers =
        holder.workers.holds_addresses() && !host_.world.scheduler.paused(holder.owner());
    return answers && host_.world.network.addresses_meet();
}

// ---- the application

void WorkersModel::work() {
    World& world = host_.world;
    if (!working_) return;
    // A stopping application still writes what it had in hand.
    bool writes = units_ == Units::Up || units_ == Units::Stopping;
    if (writes && world.application_on && host_.mirror.admits()) {
        host_.mirror.modify(world.random.chance(200));
    }
    later(1ms, world.weather.think_time, [this] { work(); });
}

}  // namespace ha::sim
