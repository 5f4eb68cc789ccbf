#pragma once

#include <systemd/sd-bus.h>

#include <functional>
#include <memory>
#include <string>

#include "base/result.h"
#include "io/loop.h"

namespace ha::io {

/// One direct D-Bus connection that carries texts both ways. Used by WorkerServer and WorkerClient
/// only. Callbacks run from the loop, never from within send(); both may destroy the connection.
class WorkerConnection {
  public:
    struct Callbacks {
        std::function<void(const std::string& text)> on_text;
        /// At most once; nothing is delivered afterwards.
        std::function<void(std::string reason)> on_closed;
    };
    enum class Side { Server, Client };

    /// Owns `fd` from the call on, also on failure.
    static Result<std::unique_ptr<WorkerConnection>> open(Loop& loop, int fd, Side side,
                                                          Callbacks callbacks);
    ~WorkerConnection();
    WorkerConnection(const WorkerConnection&) = delete;
    WorkerConnection& operator=(const WorkerConnection&) = delete;

    /// False: the connection is broken or its queue is full; on_closed follows from the loop.
    bool send(const std::string& text);

  private:
    struct BusDelete {
        void operator()(sd_bus* bus) const noexcept { sd_bus_close_unref(bus); }
    };
    struct State;

    WorkerConnection() = default;
    static Result<> start(sd_bus* bus, int fd, Side side);
    static int on_message(sd_bus_message* message, void* state, sd_bus_error*) noexcept;
    static void close_later(const std::shared_ptr<State>& state, std::string reason);

    std::shared_ptr<State> state_;
    std::unique_ptr<sd_bus, BusDelete> bus_;
};

}  // namespace ha::io
