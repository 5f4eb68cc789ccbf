#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "io/pinger.h"

namespace ha::clusterd {

/// A module's ping targets (2-safety, "Without a witness"): asked at leisure while the other node
/// is heard, for `status` mostly; with every heartbeat while it is silent, for the machine. Loop's
/// thread.
class PingTargets {
  public:
    struct Callbacks {
        /// One of them answered a probe that was sent then.
        std::function<void(Instant sent)> answered;
        /// view() says something else.
        std::function<void()> changed;
    };
    /// No targets: does nothing.
    PingTargets(io::Loop& loop, const std::string& module, std::vector<std::string> targets,
                Duration heartbeat, Callbacks callbacks);

    void heard();
    void silent();
    /// Of each, whether it answers; empty: there are none.
    [[nodiscard]] std::string view() const;

  private:
    void note(std::size_t target, Instant sent);
    void look();

    std::vector<std::string> targets_;
    Duration heartbeat_;
    Callbacks callbacks_;
    std::vector<std::optional<Instant>> answered_at_;  // of each: the newest probe that was
    std::string trouble_;                              // why nothing is asked
    std::string shown_;
    io::Timer timer_;
    std::unique_ptr<io::Pinger> pinger_;
};

}  // namespace ha::clusterd
