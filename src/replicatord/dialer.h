#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "replicatord/channel.h"

namespace ha::replicatord {

/// Where connections to the peer come from. One thread calls reset, connect and accept.
class Dialer {
  public:
    virtual ~Dialer() = default;
    /// One attempt; the next address at each call.
    virtual Result<std::unique_ptr<Channel>> connect() = 0;
    /// Waits until the peer connects.
    virtual Result<std::unique_ptr<Channel>> accept() = 0;
    /// Ends a waiting call, and every later one until reset(). Any thread.
    virtual void interrupt() noexcept = 0;
    virtual void reset() noexcept = 0;
};

/// TCP and TLS over one or more networks: the primary connects to the peer's addresses in turn, so
/// that when one network breaks the next attempt takes the other; the secondary listens on all of
/// its own. Only the peer's key is accepted, and only from one of its addresses.
class NetworkDialer final : public Dialer {
  public:
    struct Addresses {
        std::vector<std::string> local;  // numeric, one per network
        std::vector<std::string> peer;   // same order
        std::uint16_t port = 0;
    };

    NetworkDialer(Addresses addresses, io::TlsContext tls, io::Fingerprint peer);

    Result<std::unique_ptr<Channel>> connect() override;
    Result<std::unique_ptr<Channel>> accept() override;
    void interrupt() noexcept override;
    void reset() noexcept override;

  private:
    Result<> listen_everywhere();
    Result<io::Fd> wait_for_connection();
    /// Closed: it was somebody else, or has given up.
    [[nodiscard]] io::Fd accept_from_peer(int listener) const;

    Addresses addresses_;
    io::TlsContext tls_;
    io::Fingerprint peer_;
    io::Fd stop_;  // eventfd, readable while interrupted
    std::vector<io::Fd> listeners_;
    std::size_t next_ = 0;
};

}  // namespace ha::replicatord
