#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "core/apps/ladder.h"
#include "io/loop.h"
#include "io/systemd.h"

namespace ha::watchdog {

/// Jobs and states of units, by systemd's own signals. Connects again for ever; what was asked of a
/// connection that broke is not answered. Callbacks come from the loop, never from within a call.
class SystemdLink {
  public:
    struct Callbacks {
        /// systemd has answered on a new connection: ask again for everything that matters.
        std::function<void()> on_connected;
        std::function<void(const std::string& reason)> on_lost;
        std::function<void(apps::Ticket)> on_queued;
        /// After on_unit with the state the unit has then.
        std::function<void(apps::Ticket, const std::string& result)> on_finished;
        std::function<void(const std::string& unit, apps::UnitState, const std::string& result)>
            on_unit;
    };

    SystemdLink(io::Loop& loop, Callbacks callbacks)
        : loop_(loop), callbacks_(std::move(callbacks)), retry_(loop) {}
    SystemdLink(const SystemdLink&) = delete;
    SystemdLink& operator=(const SystemdLink&) = delete;

    void connect();
    [[nodiscard]] bool ready() const { return ready_; }

    // Without a connection nothing happens.
    void start_unit(apps::Ticket ticket, const std::string& unit);
    void stop_unit(apps::Ticket ticket, const std::string& unit);
    /// on_unit now and at every change, as long as this connection lives.
    void watch_unit(const std::string& unit);

  private:
    using Reply = std::function<void(sd_bus_message*)>;
    struct SlotDelete {
        void operator()(sd_bus_slot* slot) const noexcept { sd_bus_slot_unref(slot); }
    };
    struct Query {
        bool again = false;
        std::vector<std::function<void()>> then;
    };

    static int on_message(sd_bus_message* message, void* reply, sd_bus_error*) noexcept;
    bool call(const char* path, const char* interface, const char* member, const char* types,
              std::vector<std::string> arguments, Reply reply);
    bool match(const char* path, const char* interface, const char* member, Reply reply);
    bool subscribe();
    void queue_job(const char* method, apps::Ticket ticket, const std::string& unit);
    void job_removed(sd_bus_message* message);
    void query(const std::string& unit, std::function<void()> then);
    void queried(const std::string& unit, sd_bus_message* reply);
    bool broken(sd_bus_message* reply);
    void lost(const std::string& reason);
    void retry_later();

    io::Loop& loop_;
    Callbacks callbacks_;
    io::Timer retry_;
    int attempts_ = 0;
    bool ready_ = false;
    io::SdBus bus_;
    std::map<std::string, apps::Ticket> jobs_;  // by the job's object path
    std::map<std::string, Query> queries_;      // open ones, by unit
    std::set<std::string> watched_;
};

}  // namespace ha::watchdog
