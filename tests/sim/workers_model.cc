#include "workers_model.h"

#include "host.h"
#include "world.h"

namespace ha::sim {

void WorkersModel::later(Duration low, Duration high, std::function<void()> task) {
    host_.later(host_.world.random.between(low, high), std::move(task));
}

void WorkersModel::order(const cluster::Effect& order) {
    // A lease that has run out allows nothing that it was to allow.
    const bool expired = host_.lease.expired(host_.clock());
    if (std::holds_alternative<cluster::StartUnits>(order) && !expired) start_units();
    if (std::holds_alternative<cluster::StopUnits>(order)) end_units(false);
    if (std::holds_alternative<cluster::KillUnits>(order)) end_units(true);
    if (std::holds_alternative<cluster::HoldAddresses>(order) && !expired) hold_addresses(true);
    if (std::holds_alternative<cluster::DropAddresses>(order)) hold_addresses(false);
}

void WorkersModel::power_off() {
    units_ = Units::Down;
    addresses_ = false;
    working_ = false;
    ++change_;
    ++address_change_;
}

void WorkersModel::lease_expired() {
    hold_addresses(false);
    end_units(true);
}

void WorkersModel::start_units() {
    if (units_ == Units::Up) return host_.clusterd.fact(cluster::UnitsStarted{});
    units_ = Units::Starting;
    later(2ms, 400ms, [this, change = ++change_] {
        if (change != change_) return;
        if (host_.world.random.chance(host_.world.weather.start_failures)) {
            units_ = Units::Down;
            return host_.clusterd.fact(cluster::UnitFailed{"app.service", "exit-code"});
        }
        units_ = Units::Up;
        host_.clusterd.fact(cluster::UnitsStarted{});
        if (!working_) {
            working_ = true;
            work();
        }
    });
}

void WorkersModel::end_units(bool by_force) {
    if (units_ != Units::Down) units_ = Units::Stopping;
    later(1ms, by_force ? 60ms : 600ms, [this, by_force, change = ++change_] {
        if (change != change_) return;
        units_ = Units::Down;
        by_force ? host_.clusterd.fact(cluster::UnitsGone{})
                 : host_.clusterd.fact(cluster::UnitsStopped{});
    });
}

void WorkersModel::hold_addresses(bool wanted) {
    later(1ms, 40ms, [this, wanted, change = ++address_change_] {
        if (change != address_change_) return;
        addresses_ = wanted;
        wanted ? host_.clusterd.fact(cluster::AddressesHeld{})
               : host_.clusterd.fact(cluster::AddressesDropped{});
    });
}

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

void WorkersModel::fail_unit() {
    if (units_ != Units::Up) return;
    ++change_;
    units_ = Units::Down;
    host_.clusterd.fact(cluster::UnitFailed{"app.service", "signal"});
}

}  // namespace ha::sim
