#pragma once

#include <systemd/sd-event.h>

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "io/loop.h"

namespace ha::watchdog {

/// Empties control groups of units and tells when they are empty; the kernel says so by an inotify
/// event on cgroup.events. Callbacks come from the loop, never from within a call, but for
/// on_trouble, which only reports.
class Groups {
  public:
    struct Callbacks {
        std::function<void(const std::string& unit)> on_emptied;
        std::function<void(const std::string& unit)> on_populated;
        std::function<void(const std::string& unit, const std::string& reason)> on_trouble;
    };

    Groups(io::Loop& loop, Callbacks callbacks)
        : loop_(loop),
          callbacks_(std::move(callbacks)),
          look_again_(loop),
          alive_(std::make_shared<bool>(true)) {}

    /// SIGKILL to all of the unit now, and from here on both callbacks whenever the group changes.
    /// Whether there was any process, as far as can be told.
    bool kill(const std::string& unit);
    /// Looked at now: is there a process in any of them?
    [[nodiscard]] bool any_left() const;
    /// No more callbacks, except those already on their way.
    void release() { groups_.clear(); }

  private:
    struct Group {
        Groups* owner = nullptr;
        std::string unit;
        std::string path;
        bool populated = true;
        io::SdEventSource source;
    };
    static int on_change(sd_event_source*, const inotify_event*, void* group) noexcept;
    void watch(Group& group);
    void look(Group& group);
    void look_soon(const std::string& unit);
    void look_at_all();

    io::Loop& loop_;
    Callbacks callbacks_;
    io::Timer look_again_;
    std::shared_ptr<bool> alive_;
    std::map<std::string, std::unique_ptr<Group>> groups_;
};

}  // namespace ha::watchdog
