#pragma once

#include "clusterd/bus_connection.h"
#include "clusterd/bus_objects.h"

namespace ha::clusterd {

/// org.hamirror on the system bus: shows a Commands' view and passes orders to it. dbus/*.xml is
/// the reference of the interfaces. Survives the loss of the bus; loses at most signals, so who
/// reconnects reads Status() again. The loop's thread only.
class BusFace final : public Face {
  public:
    struct Options {
        BusConnection::Open open = open_system_bus;
        /// Whether who sent this message may change anything.
        std::function<bool(sd_bus_message*)> may_change = sender_is_root;
        Duration retry = 1s;          // between attempts to reach the bus
        Duration coalesce = 100ms;    // at least this long between two signals Changed
        std::uint64_t backlog = 500;  // unread messages at which a bus that hangs is left
    };

    BusFace(io::Loop& loop, Commands& commands) : BusFace(loop, commands, Options()) {}
    BusFace(io::Loop& loop, Commands& commands, Options options);

    void start() { connection_.start(); }
    /// Leaves the bus, having said what changed last. To be called before Loop::stop(): at its end
    /// sd-event waits for what is still to be sent, which a bus that hangs would never take.
    void stop();
    void changed() override;

    static bool sender_is_root(sd_bus_message* message);

  private:
    friend struct BusFaceVtable;

    Result<> export_objects(sd_bus* bus);
    void refresh();
    void emit();
    void emit_object(sd_bus* bus, const std::string& path, const BusObject& object);

    Commands* commands_;
    Options options_;
    io::Timer timer_;
    bool dirty_ = true;     // objects_ and json_ are older than the view
    BusObjects objects_;    // what is shown
    std::string json_;      // what Status() answers
    BusObjects announced_;  // what the last signals said
    std::string announced_json_;
    Instant announced_at_{};
    BusConnection connection_;
};

}  // namespace ha::clusterd
