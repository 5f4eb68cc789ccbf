#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <mutex>

#include "io/clock.h"
#include "replicatord/channel.h"
#include "replicatord/channel_wait.h"

// One SSL object serves the reading and the writing thread. It is not thread-safe, so a mutex
// guards each call; the socket is non-blocking and nobody waits inside the mutex.

namespace ha::replicatord {
namespace {

class TlsChannel final : public Channel {
  public:
    TlsChannel(io::Fd socket, io::Ssl ssl) : socket_(std::move(socket)), ssl_(std::move(ssl)) {}

    Result<> handshake(bool server, Duration patience) {
        const Instant deadline = io::boot_now() + patience;
        for (;;) {
            auto step =
                attempt([&] { return server ? SSL_accept(ssl_.get()) : SSL_connect(ssl_.get()); });
            if (!step) return fail("TLS handshake with the peer: " + step.error().text);
            if (step->bytes > 0) return {};
            Duration left = deadline - io::boot_now();
            if (left <= Duration::zero()) return fail("TLS handshake with the peer: too slow");
            auto ready = wait_for(socket_.get(), step->wanted, left);
            if (!ready) return tl::unexpected(ready.error());
        }
    }

    Result<std::size_t> read(std::span<std::byte> into, Duration patience) override {
        for (bool waited = false;; waited = true) {
            auto step = attempt(
                [&] { return SSL_read(ssl_.get(), into.data(), static_cast<int>(into.size())); });
            if (!step) return tl::unexpected(step.error());
            if (step->bytes > 0) return static_cast<std::size_t>(step->bytes);
            if (waited) return 0;
            auto ready = wait_for(socket_.get(), step->wanted, patience);
            if (!ready) return tl::unexpected(ready.error());
            if (!*ready) return 0;
        }
    }

    Result<> write(std::span<const std::byte> from) override {
        while (!from.empty()) {
            auto step = attempt(
                [&] { return SSL_write(ssl_.get(), from.data(), static_cast<int>(from.size())); });
            if (!step) return tl::unexpected(step.error());
            if (step->bytes > 0) {
                from = from.subspan(static_cast<std::size_t>(step->bytes));
                continue;
            }
            auto ready = wait_for(socket_.get(), step->wanted, kForEver);
            if (!ready) return tl::unexpected(ready.error());
        }
        return {};
    }

    void shutdown() noexcept override { ::shutdown(socket_.get(), SHUT_RDWR); }

  private:
    struct Step {
        int bytes = 0;  // 0: try again when `wanted` is ready
        short wanted = 0;
    };

    template <typename Call>
    Result<Step> attempt(Call call) {
        std::scoped_lock lock(mutex_);
        ERR_clear_error();
        int result = call();
        if (result > 0) return Step{result, 0};
        const int reason = SSL_get_error(ssl_.get(), result);
        if (reason == SSL_ERROR_WANT_READ) return Step{0, POLLIN};
        if (reason == SSL_ERROR_WANT_WRITE) return Step{0, POLLOUT};
        if (reason == SSL_ERROR_ZERO_RETURN) {
            return fail("the peer closed the connection", ECONNRESET);
        }
        return fail("the connection broke: " + io::tls_failure(reason), ECONNRESET);
    }

    io::Fd socket_;
    std::mutex mutex_;
    io::Ssl ssl_;
};

}  // namespace

Result<std::unique_ptr<Channel>> make_tls_channel(io::Fd socket, io::Ssl ssl, io::TlsSide side,
                                                  Duration patience) {
    int flags = ::fcntl(socket.get(), F_GETFL);
    ::fcntl(socket.get(), F_SETFL, flags | O_NONBLOCK);
    if (!ssl || SSL_set_fd(ssl.get(), socket.get()) != 1) return fail("cannot begin TLS");
    // A write that must be tried again may come from where the buffer moved to.
    SSL_set_mode(ssl.get(), SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    auto channel = std::make_unique<TlsChannel>(std::move(socket), std::move(ssl));
    if (auto done = channel->handshake(side == io::TlsSide::Server, patience); !done) {
        return tl::unexpected(done.error());
    }
    return channel;
}

}  // namespace ha::replicatord
