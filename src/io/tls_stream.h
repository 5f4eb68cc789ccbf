#pragma once

#include <cstddef>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "io/fd.h"
#include "io/loop.h"
#include "io/socket_address.h"
#include "io/tls.h"

// Frames over TLS on the loop: u32 length, little endian, then that many bytes (docs/formats.md,
// "Frame"). Everything here belongs to the loop's thread.

namespace ha::io {

inline constexpr std::size_t kMaxFrame = std::size_t{1} << 20;
/// A connection with more than this unsent is closed: the other side does not read.
inline constexpr std::size_t kMaxUnsent = std::size_t{8} << 20;
/// From the first packet of the connection to the end of the handshake.
inline constexpr Duration kHandshakeTimeout = 3s;
/// An unreachable other side ends the connection after about this time.
inline constexpr Duration kControlDeadAfter = 4s;
/// Connections in their handshake; more are closed at once.
inline constexpr std::size_t kMaxHandshakes = 16;
/// And of one host.
inline constexpr std::size_t kMaxHandshakesOfHost = 4;

class TlsStream {
  public:
    /// All come from the loop, never from within a call to the stream; each may destroy it.
    struct Callbacks {
        /// The handshake is done and peer() known. On a client it does not mean that the server
        /// has accepted our key: only its first frame does.
        std::function<void()> on_ready;
        std::function<void(std::span<const std::byte> frame)> on_frame;
        /// At most once, and then nothing else. Also when the handshake fails or takes too long.
        std::function<void(std::string reason)> on_closed;
    };

    struct Target {
        std::string address;  // numeric
        std::uint16_t port = 0;
        std::string local_address;            // empty: whichever the system takes
        std::optional<Fingerprint> expected;  // nothing: any key; look at peer() in on_ready
        std::string_view protocol = kControlProtocol;
    };
    /// Begins to connect; what goes wrong is told by on_closed.
    static std::unique_ptr<TlsStream> connect(Loop& loop, const TlsContext& context,
                                              const Target& target, Callbacks callbacks);
    /// Serves a connection that was accepted.
    static std::unique_ptr<TlsStream> accept(Loop& loop, const TlsContext& context, Fd fd,
                                             const std::optional<Fingerprint>& expected,
                                             Callbacks callbacks);
    /// Closes at once; what was not sent is lost.
    ~TlsStream();
    TlsStream(const TlsStream&) = delete;
    TlsStream& operator=(const TlsStream&) = delete;

    void set_callbacks(Callbacks callbacks);
    /// Frames longer than this end the connection. Default and most: kMaxFrame.
    void set_frame_limit(std::size_t limit);
    /// More than this unsent ends the connection. Default and most: kMaxUnsent.
    void set_unsent_limit(std::size_t limit);

    /// Frames wait until the handshake is done. False: closed, or closing because the frame is
    /// too long or too much is unsent; on_closed follows.
    bool send(std::span<const std::byte> frame);
    /// Sends what waits, says goodbye, and closes when the other side has read it (or after
    /// kHandshakeTimeout); then on_closed. Frames still arriving are dropped.
    void finish();

    /// From on_ready on.
    [[nodiscard]] const Fingerprint& peer() const;
    [[nodiscard]] bool ready() const;
    /// From on_ready on: what the client wants (kControlProtocol, ...), or empty.
    [[nodiscard]] std::string_view protocol() const;
    /// From on_ready on; see ha::io::export_key.
    bool export_secret(std::string_view label, std::span<const std::byte> context,
                       std::span<std::byte> out);

  private:
    class Engine;
    TlsStream() = default;

    std::shared_ptr<Engine> engine_;
};

/// Accepts connections and brings them through the handshake with whatever key they have: who they
/// are is decided by whoever takes the stream (the peer's control session, pairing, or nobody).
class TlsListener {
  public:
    struct Callbacks {
        /// From on_ready of the stream: peer() is known, no frame was delivered yet. The owner
        /// sets callbacks (and for strangers a frame limit) before it returns, or drops it.
        std::function<void(std::unique_ptr<TlsStream>)> on_stream;
        /// For the log at debug level: a handshake that failed.
        std::function<void(std::string reason)> on_failed;
    };

    TlsListener(Loop& loop, TlsContext context, Callbacks callbacks);
    ~TlsListener();
    TlsListener(const TlsListener&) = delete;
    TlsListener& operator=(const TlsListener&) = delete;

    /// Once for each of our addresses; works before the address is configured (IP_FREEBIND).
    /// The port that was bound: `port`, or one of the system's choice if that is 0.
    Result<std::uint16_t> listen(const std::string& address, std::uint16_t port);
    /// Hosts that get through however many handshakes others keep open.
    void keep_room_for(const std::vector<std::string>& addresses);

  private:
    struct Socket;
    struct Handshake;
    void accept_all(int fd);
    [[nodiscard]] bool has_room_for(const SocketAddress& from) const;
    void adopt(Fd fd, const SocketAddress& from);

    Loop& loop_;
    TlsContext context_;
    Callbacks callbacks_;
    std::list<std::unique_ptr<Socket>> sockets_;
    std::vector<SocketAddress> expected_;
    std::list<Handshake> handshakes_;
};

}  // namespace ha::io
