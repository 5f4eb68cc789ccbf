#pragma once

#include <array>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "io/fd.h"
#include "io/heartbeat_codec.h"
#include "io/loop.h"
#include "io/tls_stream.h"

namespace ha::io {

/// Heartbeats on every network: one UDP socket a network, bound to our address there. Loop's
/// thread.
class Heartbeat {
  public:
    struct Network {
        std::string local_address;
        std::string peer_address;
    };
    struct Callbacks {
        /// Authentic, of the peer's present boot, newer than the last one on that network. The
        /// payload is gone when the callback returns.
        std::function<void(std::size_t network, std::span<const std::byte> payload)> on_heartbeat;
        /// Dropped; for counters and debug logs only: anybody can cause it.
        std::function<void(std::size_t network, HeartbeatVerdict verdict)> on_refused;
    };

    /// `port` is the same on both nodes. Works before our addresses are configured (IP_FREEBIND);
    /// at most 8 networks.
    static Result<std::unique_ptr<Heartbeat>> open(Loop& loop, const std::vector<Network>& networks,
                                                   std::uint16_t port, Id128 own_boot,
                                                   Callbacks callbacks);
    ~Heartbeat();
    Heartbeat(const Heartbeat&) = delete;
    Heartbeat& operator=(const Heartbeat&) = delete;

    /// After each control handshake, when the peer told its boot on that session. Until the first
    /// one nothing is sent or accepted. The keys outlive the session.
    void set_keys(const HeartbeatKeys& keys, Id128 peer_boot);

    /// On every network. What a network does not take is lost: that is what a heartbeat is for.
    /// The payload is at most kMaxHeartbeatPayload bytes.
    void send(std::span<const std::byte> payload);

  private:
    struct Link;
    Heartbeat(Id128 own_boot, Callbacks callbacks);
    void receive(std::size_t network);

    HeartbeatSealer sealer_;
    HeartbeatOpener opener_;
    Callbacks callbacks_;
    std::vector<std::unique_ptr<Link>> links_;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

/// From a control session that is ready(); `own` is our key's fingerprint.
Result<HeartbeatKeys> heartbeat_keys(TlsStream& control, const Fingerprint& own);

}  // namespace ha::io
