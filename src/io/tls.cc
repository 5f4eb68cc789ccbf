#include "io/tls.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "base/assert.h"

namespace ha::io {
namespace {

void free_fingerprint(void*, void* value, CRYPTO_EX_DATA*, int, long, void*) {
    delete static_cast<Fingerprint*>(value);
}

int expected_slot() {
    static const int slot = SSL_get_ex_new_index(0, nullptr, nullptr, nullptr, free_fingerprint);
    return slot;
}

/// Instead of OpenSSL's verification of chains, names and dates.
int verify(X509_STORE_CTX* store, void*) noexcept {
    auto ssl =
        static_cast<SSL*>(X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
    auto certificate = X509_STORE_CTX_get0_cert(store);
    auto found = certificate ? fingerprint_of(certificate) : std::nullopt;
    auto expected = static_cast<const Fingerprint*>(SSL_get_ex_data(ssl, expected_slot()));
    if (found && (!expected || *expected == *found)) return 1;
    X509_STORE_CTX_set_error(store, X509_V_ERR_CERT_REJECTED);
    return 0;
}

/// Takes the first protocol of the client's that we know; a client that names none of them gets no
/// connection.
int choose_protocol(SSL*, const unsigned char** out, unsigned char* out_size,
                    const unsigned char* in, unsigned int in_size, void*) noexcept {
    for (unsigned int at = 0; at < in_size; at += 1U + in[at]) {
        std::string_view offered(reinterpret_cast<const char*>(in + at + 1), in[at]);
        if (offered != kControlProtocol && offered != kPairingProtocol &&
            offered != kWitnessProtocol) {
            continue;
        }
        *out = in + at + 1;
        *out_size = in[at];
        return SSL_TLSEXT_ERR_OK;
    }
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}

bool configure(SSL_CTX* context, const Identity& identity) {
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_options(context, SSL_OP_NO_TICKET | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                  SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
    SSL_CTX_set_cert_verify_callback(context, verify, nullptr);
    SSL_CTX_set_alpn_select_cb(context, choose_protocol, nullptr);
    return SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) == 1 &&
           SSL_CTX_set_max_proto_version(context, TLS1_3_VERSION) == 1 &&
           SSL_CTX_set_num_tickets(context, 0) == 1 &&
           SSL_CTX_use_certificate(context, identity.certificate()) == 1 &&
           SSL_CTX_use_PrivateKey(context, identity.key()) == 1;
}

void set_option(int fd, int level, int option, int value) {
    setsockopt(fd, level, option, &value, sizeof value);
}

}  // namespace

Result<TlsContext> TlsContext::create(const Identity& identity) {
    std::signal(SIGPIPE, SIG_IGN);  // OpenSSL writes to sockets without MSG_NOSIGNAL
    TlsContext out;
    out.context_ = {SSL_CTX_new(TLS_method()), SSL_CTX_free};
    if (!out.context_ || !configure(out.context_.get(), identity)) {
        return fail("cannot set up TLS: " + tls_failure(SSL_ERROR_SSL));
    }
    return out;
}

Ssl TlsContext::new_ssl(TlsSide side, const std::optional<Fingerprint>& expected) const {
    Ssl ssl(SSL_new(context_.get()));
    HA_ASSERT(ssl != nullptr);
    if (expected) {
        HA_ASSERT(SSL_set_ex_data(ssl.get(), expected_slot(), new Fingerprint(*expected)) == 1);
    }
    if (side == TlsSide::Client) {
        SSL_set_connect_state(ssl.get());
    } else {
        SSL_set_accept_state(ssl.get());
    }
    return ssl;
}

std::optional<Fingerprint> peer_fingerprint(const SSL* ssl) {
    auto certificate = SSL_is_init_finished(ssl) ? SSL_get0_peer_certificate(ssl) : nullptr;
    return certificate ? fingerprint_of(certificate) : std::nullopt;
}

void offer_protocol(SSL* ssl, std::string_view protocol) {
    std::string wire(1, static_cast<char>(protocol.size()));
    wire += protocol;
    auto raw = reinterpret_cast<const unsigned char*>(wire.data());
    HA_ASSERT(SSL_set_alpn_protos(ssl, raw, static_cast<unsigned int>(wire.size())) == 0);
}

std::string_view agreed_protocol(const SSL* ssl) {
    const unsigned char* text = nullptr;
    unsigned int size = 0;
    SSL_get0_alpn_selected(ssl, &text, &size);
    return {reinterpret_cast<const char*>(text), size};
}

bool export_key(SSL* ssl, std::string_view label, std::span<const std::byte> context,
                std::span<std::byte> out) {
    return SSL_export_keying_material(ssl, reinterpret_cast<unsigned char*>(out.data()), out.size(),
                                      label.data(), label.size(),
                                      reinterpret_cast<const unsigned char*>(context.data()),
                                      context.size(), 1) == 1;
}

std::string tls_failure(int result) {
    int system = errno;
    auto code = ERR_peek_last_error();
    ERR_clear_error();
    if (result == SSL_ERROR_ZERO_RETURN) return "the other side closed the connection";
    if (result == SSL_ERROR_SYSCALL && code == 0) {
        return system == 0 ? "the other side closed the connection" : std::strerror(system);
    }
    if (ERR_GET_REASON(code) == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
        return "the other side closed the connection";
    }
    if (ERR_GET_REASON(code) == SSL_R_CERTIFICATE_VERIFY_FAILED) {
        return "the other side's key is not the one this node was paired with";
    }
    auto reason = ERR_reason_error_string(code);
    return reason ? reason : "TLS failed";
}

void tune_socket(int fd, Duration dead_after) {
    using std::chrono::milliseconds, std::chrono::seconds;
    auto total = std::chrono::ceil<milliseconds>(dead_after).count();
    auto idle = std::max<std::int64_t>(1, std::chrono::ceil<seconds>(dead_after).count() / 2);
    set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, static_cast<int>(idle));
    set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, 1);
    set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, static_cast<int>(idle));
    set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, static_cast<int>(total));
}

}  // namespace ha::io
