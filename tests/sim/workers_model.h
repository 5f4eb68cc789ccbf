#pragma once

#include <cstdint>
#include <functional>

#include "core/cluster/events.h"
#include "scheduler.h"

namespace ha::sim {

class Host;

/// ha-watchdog with the application's units, and ha-vipd: what runs and is held on one node.
class WorkersModel {
  public:
    explicit WorkersModel(Host& host) : host_(host) {}

    void order(const cluster::Effect& order);
    void power_off();
    /// ha-vipd and ha-watchdog see it by themselves.
    void lease_expired();
    /// The application itself: modifies the tree while it runs and the mirror admits it.
    void work();
    void fail_unit();

    /// Some process of the application may be running.
    [[nodiscard]] bool active() const { return units_ != Units::Down; }
    [[nodiscard]] bool running() const { return units_ == Units::Up; }
    [[nodiscard]] bool holds_addresses() const { return addresses_; }

  private:
    enum class Units : std::uint8_t { Down, Starting, Up, Stopping };

    void start_units();
    void end_units(bool by_force);
    void hold_addresses(bool wanted);
    void later(Duration low, Duration high, std::function<void()> task);

    Host& host_;
    Units units_ = Units::Down;
    std::uint64_t change_ = 0;
    bool addresses_ = false;
    std::uint64_t address_change_ = 0;
    bool working_ = false;
};

}  // namespace ha::sim
