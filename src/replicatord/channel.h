#pragma once

#include <cstddef>
#include <memory>
#include <span>

#include "base/result.h"
#include "base/time.h"
#include "io/fd.h"
#include "io/tls.h"

namespace ha::replicatord {

/// One connection to the peer: an ordered stream of bytes each way. One thread reads, another
/// writes, any may call shutdown().
class Channel {
  public:
    virtual ~Channel() = default;
    /// At least one byte; 0: none came within `patience`. An error: the connection is over.
    virtual Result<std::size_t> read(std::span<std::byte> into, Duration patience) = 0;
    /// All of it. Blocks while the peer does not read; shutdown() ends that.
    virtual Result<> write(std::span<const std::byte> from) = 0;
    /// Ends the connection; blocked and later calls fail at once.
    virtual void shutdown() noexcept = 0;
};

/// Over a connected stream socket as it is; for tests (socketpair).
std::unique_ptr<Channel> make_plain_channel(io::Fd socket);

/// TLS over a connected stream socket; `ssl` is of TlsContext::new_ssl() and expects the peer's
/// key. Does the handshake; an error if that takes longer than `patience`.
Result<std::unique_ptr<Channel>> make_tls_channel(io::Fd socket, io::Ssl ssl, io::TlsSide side,
                                                  Duration patience);

}  // namespace ha::replicatord
