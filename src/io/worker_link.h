#pragma once

#include <systemd/sd-bus.h>

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "api/worker.h"
#include "base/result.h"
#include "base/strong.h"
#include "io/loop.h"

// The private line between ha-clusterd and its workers: D-Bus spoken directly over one socket, no
// bus daemon in between. Messages arrive in the order they were sent; none is repeated or
// acknowledged: after a reconnection a worker says hello again and clusterd repeats its orders,
// which is why orders are idempotent. Everything here belongs to the loop's thread.

namespace ha::io {

/// One connection of one worker; never used twice.
using WorkerId = Strong<struct WorkerIdTag>;

/// A connection whose queue is longer than this has a reader that hangs: it is closed.
inline constexpr std::uint64_t kMaxWorkerQueue = 4096;
/// More connections than this are closed at once.
inline constexpr std::size_t kMaxWorkers = 256;

class WorkerConnection;

/// clusterd's side.
class WorkerServer {
  public:
    struct Callbacks {
        /// The first fact of each connection is its WorkerHello, and none is one later.
        std::function<void(WorkerId, api::Fact)> on_fact;
        /// Once for each connection that said hello, with a reason for the log. Also when a newer
        /// connection of the same kind and module replaces it (before that one's hello).
        std::function<void(WorkerId, std::string reason)> on_gone;
    };

    explicit WorkerServer(Loop& loop, Callbacks callbacks);
    ~WorkerServer();
    WorkerServer(const WorkerServer&) = delete;
    WorkerServer& operator=(const WorkerServer&) = delete;

    /// Replaces a socket left behind at `path`. Only peers running as `uid` are served.
    Result<> listen(const std::string& path = api::kWorkerSocket, uid_t uid = 0);

    /// False: that worker is not there (any more); on_gone was or will be called.
    bool send(WorkerId worker, const api::Order& order);

  private:
    struct Worker;
    void accept_all();
    void adopt(int fd);
    void receive(WorkerId id, const std::string& text);
    void greet(WorkerId id, const api::WorkerHello& hello);
    void drop(WorkerId id, const std::string& reason);

    Loop& loop_;
    Callbacks callbacks_;
    Watch watch_;
    std::string path_;
    int fd_ = -1;
    uid_t uid_ = 0;
    WorkerId last_;
    std::map<WorkerId, std::unique_ptr<Worker>> workers_;
};

/// A worker's side: connects, says hello, and connects again for ever.
class WorkerClient {
  public:
    struct Callbacks {
        std::function<void(api::Order)> on_order;
        /// After each hello. Facts that clusterd must know again are sent from here.
        std::function<void()> on_connected;
        std::function<void(std::string reason)> on_disconnected;
    };

    WorkerClient(Loop& loop, api::WorkerHello hello, Callbacks callbacks,
                 std::string path = api::kWorkerSocket);
    ~WorkerClient();
    WorkerClient(const WorkerClient&) = delete;
    WorkerClient& operator=(const WorkerClient&) = delete;

    void start();
    /// False: not connected, the fact is dropped. Send what still holds from on_connected.
    bool send(const api::Fact& fact);
    [[nodiscard]] bool connected() const { return connection_ != nullptr; }

  private:
    void connect_now();
    void retry_later();
    void receive(const std::string& text);
    void lost(const std::string& reason);

    Loop& loop_;
    api::WorkerHello hello_;
    Callbacks callbacks_;
    std::string path_;
    Timer retry_;
    Duration backoff_;
    std::unique_ptr<WorkerConnection> connection_;
};

}  // namespace ha::io
