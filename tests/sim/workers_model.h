#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <vector>

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
    /// No signal ends the application's processes before then (a disk that hangs, NFS).
    void stick(Time until) { stuck_until_ = until; }
    enum class Daemon : std::uint8_t { Watchdog, Vip };
    /// It neither hears nor says nor does anything; until systemd has replaced it, or it goes on.
    void hang(Daemon which);
    void unhang(Daemon which);
    [[nodiscard]] bool hangs(Daemon which) const { return daemons_[index(which)].hangs; }

    /// Some process of the application may be running.
    [[nodiscard]] bool active() const { return units_ != Units::Down; }
    [[nodiscard]] bool running() const { return units_ == Units::Up; }
    [[nodiscard]] bool holds_addresses() const { return addresses_; }
    [[nodiscard]] Time held_addresses_since() const { return held_since_; }
    /// One of them hangs, or did until lately: what it holds it may hold too long.
    [[nodiscard]] bool hung_lately(Duration lately) const;

  private:
    enum class Units : std::uint8_t { Down, Starting, Up, Stopping };
    struct Process {
        bool hangs = false;
        std::vector<cluster::Effect> orders;  // meanwhile
        std::vector<cluster::Event> facts;
    };
    static constexpr std::size_t index(Daemon which) { return static_cast<std::size_t>(which); }

    void carry_out(Daemon which, const cluster::Effect& order);
    void tell(Daemon which, const cluster::Event& fact);
    void let_go(Daemon which);
    void start_units();
    void started();
    void end_units(bool by_force);
    void ended();
    void arm_fence();
    void hold_addresses(bool wanted);
    void probe_addresses(std::uint64_t token);
    [[nodiscard]] bool somebody_answers() const;
    void later(Duration low, Duration high, std::function<void()> task);
    void unless_changed(Time when, void (WorkersModel::*then)());

    Host& host_;
    Units units_ = Units::Down;
    bool ending_ = false;
    bool killing_ = false;
    bool owe_stopped_ = false;
    bool owe_gone_ = false;
    bool start_fails_ = false;
    bool start_hangs_ = false;
    std::uint64_t change_ = 0;
    Time stuck_until_{};
    std::uint64_t fence_ = 0;
    bool addresses_ = false;
    Time held_since_{};
    std::uint64_t address_change_ = 0;
    bool working_ = false;
    std::array<Process, 2> daemons_;
    Time last_hung_ = Time::min() / 2;
};

}  // namespace ha::sim
