#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "api/worker.h"
#include "core/apps/ladder.h"
#include "io/lease_page.h"
#include "io/loop.h"
#include "io/reset.h"
#include "io/worker_link.h"
#include "watchdog/groups.h"
#include "watchdog/systemd_link.h"

namespace ha::watchdog {

inline constexpr const char* kMarkerDirectory = "/run/hamirror/primary";
/// Until ha-clusterd says another one.
inline constexpr Duration kKillBound = 500ms;

/// ha-watchdog: one ladder per module, between clusterd's orders and systemd. Without clusterd
/// everything goes on as it is, and what runs is adopted when the orders are repeated. It acts on
/// its own in one case: a lease ran out. Then the units are killed, and if a process of them is
/// left `kill_bound` later, this node resets itself: the other one may serve from then on.
class Daemon {
  public:
    explicit Daemon(io::Loop& loop, std::function<void()> reset = &io::reset_node);
    void start();

  private:
    struct Module {
        Module(io::Loop& loop, const std::string& module, apps::Ticket first)
            : name(module), first_ticket(first), ladder(module, first), fence(loop) {}
        std::string name;
        apps::Ticket first_ticket;
        apps::Ladder ladder;
        std::unique_ptr<Groups> groups;
        std::vector<std::string> units;    // of the last order
        Duration kill_bound = kKillBound;  // zero: no self-fencing
        io::Timer fence;
        bool killed = false;            // a process, since it was last reported gone
        std::vector<api::Fact> untold;  // failures that happened while clusterd was away
    };

    void on_order(const api::Order& order);
    void order(const std::string& module, const std::vector<std::string>& units,
               const apps::Event& event);
    void start_units(const api::StartUnits& given);
    void look_at_lease(const api::LookAtLease& given);
    void adopt_marked();
    bool may_run(const std::string& name);
    void let_go(const std::string& name);
    void fence_later(Module& module);
    void fence_if_left(Module& module);
    void step(Module& module, const apps::Event& event);
    void step_all(const apps::Event& event);
    void step_owner(apps::Ticket ticket, const apps::Event& event);
    void perform(Module& module, const apps::Effect& effect);
    void write_marker(Module& module);
    void remove_marker(const Module& module);
    void failed(Module& module, const apps::ReportFailed& report);
    void tell(Module& module, const api::Fact& fact);
    void tell_untold();
    void show_status();
    Module& module_of(const std::string& name);

    io::Loop& loop_;
    std::function<void()> reset_;
    io::LeaseWatches leases_;
    SystemdLink systemd_;
    io::WorkerClient clusterd_;
    std::map<std::string, std::unique_ptr<Module>> modules_;
};

}  // namespace ha::watchdog
