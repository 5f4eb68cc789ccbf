#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "api/worker.h"
#include "core/apps/ladder.h"
#include "io/loop.h"
#include "io/worker_link.h"
#include "watchdog/groups.h"
#include "watchdog/systemd_link.h"

namespace ha::watchdog {

inline constexpr const char* kMarkerDirectory = "/run/hamirror/primary";

/// ha-watchdog: one ladder per module, between clusterd's orders and systemd. It never acts on its
/// own: without clusterd everything goes on as it is, and what runs is adopted when the orders are
/// repeated.
class Daemon {
  public:
    explicit Daemon(io::Loop& loop);
    void start();

  private:
    struct Module {
        Module(const std::string& module, apps::Ticket first)
            : name(module), first_ticket(first), ladder(module, first) {}
        std::string name;
        apps::Ticket first_ticket;
        apps::Ladder ladder;
        std::unique_ptr<Groups> groups;
        bool killed = false;            // a process, since it was last reported gone
        std::vector<api::Fact> untold;  // failures that happened while clusterd was away
    };

    void on_order(const api::Order& order);
    void order(const std::string& module, const apps::Event& event);
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
    SystemdLink systemd_;
    io::WorkerClient clusterd_;
    std::map<std::string, std::unique_ptr<Module>> modules_;
};

}  // namespace ha::watchdog
