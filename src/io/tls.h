#pragma once

#include <openssl/ssl.h>

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"
#include "io/identity.h"

// TLS 1.3 between the two nodes, each proving that it holds its own key. No authority, no names,
// no dates: a connection is good if the other side's public key is the one pairing recorded. No
// session is ever resumed, because a resumed one would skip that check.

namespace ha::io {

struct SslDelete {
    void operator()(SSL* ssl) const noexcept { SSL_free(ssl); }
};
using Ssl = std::unique_ptr<SSL, SslDelete>;

enum class TlsSide { Client, Server };

/// What a connection is for (ALPN, RFC 7301). The mirror's ports need none.
inline constexpr std::string_view kControlProtocol = "hamirror-control/1";
inline constexpr std::string_view kPairingProtocol = "hamirror-pairing/1";
inline constexpr std::string_view kWitnessProtocol = "hamirror-witness/1";

/// Any thread, once created. Copies share one SSL_CTX.
class TlsContext {
  public:
    static Result<TlsContext> create(const Identity& identity);

    /// For SSL_set_fd() and SSL_connect()/SSL_accept() by whoever asks. With `expected` the
    /// handshake fails if the other side has another key; without, any key passes and the caller
    /// looks at peer_fingerprint() before anything is trusted. A client's handshake may succeed
    /// although the server then refuses the client's key: only the first answer proves acceptance.
    [[nodiscard]] Ssl new_ssl(TlsSide side, const std::optional<Fingerprint>& expected) const;

  private:
    std::shared_ptr<SSL_CTX> context_;
};

/// After the handshake; nothing before.
std::optional<Fingerprint> peer_fingerprint(const SSL* ssl);

/// Client, before the handshake.
void offer_protocol(SSL* ssl, std::string_view protocol);
/// After the handshake: one of the three above, or empty.
std::string_view agreed_protocol(const SSL* ssl);

/// Secret bytes only the two ends of this connection know (RFC 8446 7.5). `label` is ours alone:
/// "EXPORTER-hamirror-...".
bool export_key(SSL* ssl, std::string_view label, std::span<const std::byte> context,
                std::span<std::byte> out);

/// Why the last SSL_ call of this thread failed, for a log; clears OpenSSL's queue. `result` is
/// SSL_get_error()'s.
std::string tls_failure(int result);

/// TCP_NODELAY; keep-alive probes and TCP_USER_TIMEOUT end a connection whose other side has been
/// unreachable for about `dead_after`.
void tune_socket(int fd, Duration dead_after);

}  // namespace ha::io
