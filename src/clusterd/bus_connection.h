#pragma once

#include <functional>

#include "io/loop.h"
#include "io/systemd.h"

namespace ha::clusterd {

/// A place on the system bus that comes back: when the bus goes away, or cannot be had, it is tried
/// again every `retry` for ever. The loop's thread only; never blocks.
class BusConnection {
  public:
    using Open = std::function<Result<io::SdBus>()>;
    struct Callbacks {
        std::function<Result<>(sd_bus*)> connected;  // export here; before any message is handled
        std::function<void()> lost;                  // every slot on the bus must go now
    };

    BusConnection(io::Loop& loop, Open open, Duration retry, Callbacks callbacks);
    ~BusConnection();
    BusConnection(const BusConnection&) = delete;
    BusConnection& operator=(const BusConnection&) = delete;

    void start();
    void stop();
    /// Drops the present connection, if any, and starts over after `retry`.
    void reconnect(const std::string& why);
    /// nullptr while there is none.
    [[nodiscard]] sd_bus* raw() const { return bus_.get(); }

  private:
    static int on_disconnected(sd_bus_message*, void* self, sd_bus_error*) noexcept;
    static int on_name(sd_bus_message* reply, void* self, sd_bus_error*) noexcept;
    Result<> connect();
    void drop();

    io::Loop* loop_;
    Open open_;
    Duration retry_;
    Callbacks callbacks_;
    io::Timer timer_;
    io::SdBus bus_;
    bool complained_ = false;  // once per outage
};

/// sd_bus_open_system(3).
Result<io::SdBus> open_system_bus();

}  // namespace ha::clusterd
