#pragma once

#include <array>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "io/fd.h"
#include "io/loop.h"
#include "io/socket_address.h"

namespace ha::io {

/// Asks whether other machines answer: ICMP echo requests (RFC 792) to each of `targets`, numeric
/// IPv4 addresses. Loop's thread. Needs CAP_NET_RAW. A probe that cannot be sent (no route) is as
/// one that is not answered.
class Pinger {
  public:
    /// `target` answered the probe that was sent at `sent`; one that is known for 64 probes.
    using Handler = std::function<void(std::size_t target, Instant sent)>;

    static Result<std::unique_ptr<Pinger>> open(Loop& loop, const std::vector<std::string>& targets,
                                                Handler on_answer);
    Pinger(const Pinger&) = delete;
    Pinger& operator=(const Pinger&) = delete;

    /// A probe to each target now and then in every interval, until the next call.
    void every(Duration interval);

  private:
    struct Target {
        SocketAddress address;
        std::array<Instant, 64> sent{};  // by number, of the newest ones
    };

    Pinger(Loop& loop, Handler on_answer);
    void probe();
    void receive();
    void answered(const SocketAddress& from, std::uint64_t number);

    Handler on_answer_;
    Fd fd_;
    Watch watch_;
    Timer timer_;
    Duration interval_{};
    std::vector<Target> targets_;
    std::uint64_t mark_;        // in each probe: which answers are ours
    std::uint64_t number_ = 0;  // of the newest probe, of all targets alike
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace ha::io
