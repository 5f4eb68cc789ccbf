#include "io/tls_stream.h"

#include <openssl/err.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "io/clock.h"
#include "io/socket_address.h"

namespace ha::io {
namespace {

constexpr std::size_t kReadChunk = 16384;  // TLS's largest record
constexpr int kReadsPerTurn = 8;           // then others of the loop have their turn

std::string system_text(const char* what) {
    return std::string("cannot ") + what + ": " + std::strerror(errno);
}

}  // namespace

/// Outlives the TlsStream while one of its own callbacks or posted calls runs.
class TlsStream::Engine : public std::enable_shared_from_this<Engine> {
  public:
    Engine(Loop& loop, Ssl ssl, Callbacks callbacks)
        : loop_(loop),
          ssl_(std::move(ssl)),
          callbacks_(std::move(callbacks)),
          watch_(loop),
          limit_(loop) {}

    void connect(const Target& target);
    void adopt(Fd fd);
    void abandon();
    bool send(std::span<const std::byte> frame);
    void finish();
    bool export_secret(std::string_view label, std::span<const std::byte> context,
                       std::span<std::byte> out) {
        return export_key(ssl_.get(), label, context, out);
    }

    Callbacks& callbacks() { return callbacks_; }
    [[nodiscard]] const Fingerprint& peer() const { return peer_; }
    [[nodiscard]] bool ready() const { return state_ == State::Open; }
    [[nodiscard]] std::string_view protocol() const { return agreed_protocol(ssl_.get()); }
    void set_frame_limit(std::size_t limit) { frame_limit_ = std::min(limit, kMaxFrame); }
    void set_unsent_limit(std::size_t limit) { unsent_limit_ = std::min(limit, kMaxUnsent); }

  private:
    // Finishing: no more is accepted for sending, and frames that arrive are dropped.
    enum class State { Connecting, Handshake, Open, Finishing, Closed };

    Result<> begin_connect(const Target& target);
    void begin_handshake();
    void on_socket();
    void shake_hands();
    void read_some();
    bool read_once();
    void deliver_frames();
    void write_some();
    void say_goodbye();
    void update_events(bool wants_write);
    void read_again_later();
    void close_now(const std::string& reason);
    void close_later(std::string reason);

    Loop& loop_;
    Ssl ssl_;
    Callbacks callbacks_;
    Fd fd_;
    Watch watch_;
    Timer limit_;
    std::string where_;  // of a client: address and port, for messages
    State state_ = State::Connecting;
    bool abandoned_ = false;
    bool said_goodbye_ = false;
    std::size_t frame_limit_ = kMaxFrame;
    std::size_t unsent_limit_ = kMaxUnsent;
    Fingerprint peer_;
    std::vector<std::byte> in_;
    std::vector<std::byte> out_;
    std::size_t sent_ = 0;  // of out_
};

void TlsStream::Engine::connect(const Target& target) {
    if (auto begun = begin_connect(target); !begun) close_later(begun.error().text);
}

Result<> TlsStream::Engine::begin_connect(const Target& target) {
    auto remote = SocketAddress::make(target.address, target.port);
    if (!remote) return tl::unexpected(remote.error());
    fd_ = Fd(socket(remote->family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!fd_) return fail(system_text("make a socket"));
    if (!target.local_address.empty()) {
        auto local = SocketAddress::make(target.local_address, 0);
        if (!local) return tl::unexpected(local.error());
        if (bind(fd_.get(), local->get(), local->size) != 0) {
            return fail(system_text(("use this node's address " + target.local_address).c_str()));
        }
    }
    offer_protocol(ssl_.get(), target.protocol);
    tune_socket(fd_.get(), kControlDeadAfter);
    where_ = target.address + " port " + std::to_string(target.port);
    if (::connect(fd_.get(), remote->get(), remote->size) != 0 && errno != EINPROGRESS) {
        return fail(system_text(("reach " + where_).c_str()));
    }
    limit_.arm(boot_now() + kHandshakeTimeout,
               [this] { close_now("no answer from " + where_ + " within 3 s"); });
    return watch_.start(fd_.get(), EPOLLOUT, [this](std::uint32_t) { on_socket(); });
}

void TlsStream::Engine::adopt(Fd fd) {
    fd_ = std::move(fd);
    tune_socket(fd_.get(), kControlDeadAfter);
    limit_.arm(boot_now() + kHandshakeTimeout,
               [this] { close_now("the TLS handshake took more than 3 s"); });
    auto watched = watch_.start(fd_.get(), EPOLLIN, [this](std::uint32_t) { on_socket(); });
    if (!watched) return close_later(watched.error().text);
    begin_handshake();
}

void TlsStream::Engine::begin_handshake() {
    state_ = State::Handshake;
    if (SSL_set_fd(ssl_.get(), fd_.get()) != 1) close_later("TLS cannot use the socket");
}

void TlsStream::Engine::abandon() {
    abandoned_ = true;
    state_ = State::Closed;
    watch_.stop();
    limit_.cancel();
    fd_.reset();
}

void TlsStream::Engine::on_socket() {
    auto self = shared_from_this();
    if (state_ == State::Connecting) {
        int code = 0;
        socklen_t size = sizeof code;
        getsockopt(fd_.get(), SOL_SOCKET, SO_ERROR, &code, &size);
        if (code != 0) return close_now("cannot reach " + where_ + ": " + std::strerror(code));
        begin_handshake();
    }
    if (state_ == State::Handshake) shake_hands();
    if (state_ == State::Open || state_ == State::Finishing) read_some();
    if (state_ == State::Open || state_ == State::Finishing) write_some();
}

void TlsStream::Engine::shake_hands() {
    ERR_clear_error();
    errno = 0;
    int result = SSL_do_handshake(ssl_.get());
    if (result != 1) {
        int error = SSL_get_error(ssl_.get(), result);
        if (error == SSL_ERROR_WANT_READ) return update_events(false);
        if (error == SSL_ERROR_WANT_WRITE) return update_events(true);
        return close_now(tls_failure(error));
    }
    auto peer = peer_fingerprint(ssl_.get());
    if (!peer) return close_now("the other side has no key");
    peer_ = *peer;
    limit_.cancel();
    state_ = State::Open;
    update_events(!out_.empty());
    if (callbacks_.on_ready) std::function<void()>(callbacks_.on_ready)();
}

void TlsStream::Engine::read_some() {
    for (int i = 0; i < kReadsPerTurn; ++i) {
        if (!read_once()) return;
        deliver_frames();
        if (state_ != State::Open && state_ != State::Finishing) return;
    }
    // OpenSSL may hold bytes that epoll cannot know of.
    if (SSL_has_pending(ssl_.get())) read_again_later();
}

void TlsStream::Engine::read_again_later() {
    loop_.post([self = shared_from_this()] {
        if (self->state_ != State::Closed) self->on_socket();
    });
}

/// False: nothing more to read now, or closed.
bool TlsStream::Engine::read_once() {
    std::byte chunk[kReadChunk];
    ERR_clear_error();
    errno = 0;
    int got = SSL_read(ssl_.get(), chunk, sizeof chunk);
    if (got > 0) {
        if (state_ == State::Open) in_.insert(in_.end(), chunk, chunk + got);
        return true;
    }
    int error = SSL_get_error(ssl_.get(), got);
    if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) {
        close_now(tls_failure(error));
    }
    return false;
}

void TlsStream::Engine::deliver_frames() {
    std::size_t at = 0;
    while (state_ == State::Open && in_.size() - at >= 4) {
        std::size_t length = 0;
        for (std::size_t i = 0; i < 4; ++i) {
            length |= std::to_integer<std::size_t>(in_[at + i]) << (8 * i);
        }
        if (length > frame_limit_) return close_now("the other side sent a frame over the limit");
        if (in_.size() - at - 4 < length) break;
        auto frame = std::span<const std::byte>(in_).subspan(at + 4, length);
        at += 4 + length;
        auto deliver = callbacks_.on_frame;
        if (deliver) deliver(frame);
    }
    in_.erase(in_.begin(), in_.begin() + static_cast<std::ptrdiff_t>(at));
}

bool TlsStream::Engine::send(std::span<const std::byte> frame) {
    if (state_ == State::Finishing || state_ == State::Closed) return false;
    if (frame.size() > kMaxFrame || out_.size() - sent_ + frame.size() > unsent_limit_) {
        close_later(frame.size() > kMaxFrame ? "a frame over 1 MiB was to be sent"
                                             : "the other side does not read");
        return false;
    }
    bool idle = out_.empty();
    for (std::size_t i = 0; i < 4; ++i) {
        out_.push_back(static_cast<std::byte>((frame.size() >> (8 * i)) & 0xff));
    }
    out_.insert(out_.end(), frame.begin(), frame.end());
    if (idle && state_ == State::Open) write_some();
    return state_ != State::Closed;
}

void TlsStream::Engine::write_some() {
    while (sent_ < out_.size()) {
        ERR_clear_error();
        errno = 0;
        auto rest = std::min<std::size_t>(out_.size() - sent_, std::size_t{1} << 20);
        int put = SSL_write(ssl_.get(), out_.data() + sent_, static_cast<int>(rest));
        if (put > 0) {
            sent_ += static_cast<std::size_t>(put);
            continue;
        }
        int error = SSL_get_error(ssl_.get(), put);
        if (error == SSL_ERROR_WANT_WRITE) return update_events(true);
        if (error == SSL_ERROR_WANT_READ) return update_events(false);
        return close_later(tls_failure(error));
    }
    out_.clear();
    sent_ = 0;
    update_events(false);
    if (state_ == State::Finishing) say_goodbye();
}

void TlsStream::Engine::finish() {
    if (state_ == State::Connecting || state_ == State::Handshake) {
        return close_later("it was not needed any more");
    }
    if (state_ != State::Open) return;
    state_ = State::Finishing;
    limit_.arm(boot_now() + kHandshakeTimeout, [this] { close_now("finished"); });
    write_some();
}

void TlsStream::Engine::say_goodbye() {
    if (said_goodbye_) return;
    said_goodbye_ = true;
    SSL_shutdown(ssl_.get());
    shutdown(fd_.get(), SHUT_WR);
}

void TlsStream::Engine::update_events(bool wants_write) {
    if (watch_.started()) watch_.change(wants_write ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

void TlsStream::Engine::close_now(const std::string& reason) {
    auto self = shared_from_this();
    auto closed = callbacks_.on_closed;
    bool tell = state_ != State::Closed;
    state_ = State::Closed;
    watch_.stop();
    limit_.cancel();
    fd_.reset();
    if (tell && closed) closed(reason);
}

void TlsStream::Engine::close_later(std::string reason) {
    if (state_ == State::Closed) return;
    state_ = State::Closed;
    watch_.stop();
    limit_.cancel();
    loop_.post([self = shared_from_this(), reason = std::move(reason)] {
        if (self->abandoned_) return;
        self->fd_.reset();
        if (self->callbacks_.on_closed) {
            std::function<void(std::string)>(self->callbacks_.on_closed)(reason);
        }
    });
}

std::unique_ptr<TlsStream> TlsStream::connect(Loop& loop, const TlsContext& context,
                                              const Target& target, Callbacks callbacks) {
    std::unique_ptr<TlsStream> stream(new TlsStream);
    stream->engine_ = std::make_shared<Engine>(
        loop, context.new_ssl(TlsSide::Client, target.expected), std::move(callbacks));
    stream->engine_->connect(target);
    return stream;
}

std::unique_ptr<TlsStream> TlsStream::accept(Loop& loop, const TlsContext& context, Fd fd,
                                             const std::optional<Fingerprint>& expected,
                                             Callbacks callbacks) {
    std::unique_ptr<TlsStream> stream(new TlsStream);
    stream->engine_ = std::make_shared<Engine>(loop, context.new_ssl(TlsSide::Server, expected),
                                               std::move(callbacks));
    stream->engine_->adopt(std::move(fd));
    return stream;
}

TlsStream::~TlsStream() {
    engine_->abandon();
}

void TlsStream::set_callbacks(Callbacks callbacks) {
    engine_->callbacks() = std::move(callbacks);
}
void TlsStream::set_frame_limit(std::size_t limit) {
    engine_->set_frame_limit(limit);
}
void TlsStream::set_unsent_limit(std::size_t limit) {
    engine_->set_unsent_limit(limit);
}
bool TlsStream::send(std::span<const std::byte> frame) {
    return engine_->send(frame);
}
void TlsStream::finish() {
    engine_->finish();
}
const Fingerprint& TlsStream::peer() const {
    return engine_->peer();
}
bool TlsStream::ready() const {
    return engine_->ready();
}
std::string_view TlsStream::protocol() const {
    return engine_->protocol();
}
bool TlsStream::export_secret(std::string_view label, std::span<const std::byte> context,
                              std::span<std::byte> out) {
    return engine_->export_secret(label, context, out);
}

}  // namespace ha::io
