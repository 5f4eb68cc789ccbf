#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "io/socket_address.h"
#include "io/tls_stream.h"

namespace ha::io {
namespace {

std::uint16_t bound_port(int fd) {
    sockaddr_storage bound{};
    socklen_t size = sizeof bound;
    if (getsockname(fd, reinterpret_cast<sockaddr*>(&bound), &size) != 0) return 0;
    sockaddr_in in{};  // the port of an IPv6 address is at the same place
    std::memcpy(&in, &bound, sizeof in);
    return ntohs(in.sin_port);
}

}  // namespace

struct TlsListener::Socket {
    Fd fd;
    Watch watch;
};

struct TlsListener::Handshake {
    std::unique_ptr<TlsStream> stream;
    SocketAddress from;
    bool expected = false;
};

TlsListener::TlsListener(Loop& loop, TlsContext context, Callbacks callbacks)
    : loop_(loop), context_(std::move(context)), callbacks_(std::move(callbacks)) {}

TlsListener::~TlsListener() {
    for (auto& socket : sockets_) socket->watch.stop();
}

Result<std::uint16_t> TlsListener::listen(const std::string& address, std::uint16_t port) {
    auto local = SocketAddress::make(address, port);
    if (!local) return tl::unexpected(local.error());
    Fd fd(::socket(local->family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    int on = 1;
    setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    setsockopt(fd.get(), IPPROTO_IP, IP_FREEBIND, &on, sizeof on);
    if (!fd || bind(fd.get(), local->get(), local->size) != 0 ||
        ::listen(fd.get(), SOMAXCONN) != 0) {
        int code = errno;
        return fail("cannot listen on " + address + " port " + std::to_string(port) + ": " +
                        std::strerror(code),
                    code);
    }
    auto bound = bound_port(fd.get());
    auto socket = std::unique_ptr<Socket>(new Socket{std::move(fd), Watch(loop_)});
    int raw = socket->fd.get();
    auto watched =
        socket->watch.start(raw, EPOLLIN, [this, raw](std::uint32_t) { accept_all(raw); });
    if (!watched) return tl::unexpected(watched.error());
    sockets_.push_back(std::move(socket));
    return bound;
}

void TlsListener::accept_all(int listening) {
    for (;;) {
        SocketAddress from;
        from.size = sizeof from.storage;
        Fd fd(accept4(listening, reinterpret_cast<sockaddr*>(&from.storage), &from.size,
                      SOCK_CLOEXEC | SOCK_NONBLOCK));
        if (!fd) return;
        if (has_room_for(from)) adopt(std::move(fd), from);
    }
}

void TlsListener::keep_room_for(const std::vector<std::string>& addresses) {
    for (const auto& address : addresses) {
        if (auto host = SocketAddress::make(address, 0)) expected_.push_back(*host);
    }
}

/// One host cannot take all the places, and strangers none of those kept free.
bool TlsListener::has_room_for(const SocketAddress& from) const {
    auto same = [&](const auto& other) { return from.same_host(other); };
    auto count = [&](auto pick) {
        return static_cast<std::size_t>(
            std::count_if(handshakes_.begin(), handshakes_.end(), pick));
    };
    if (count([&](const Handshake& one) { return same(one.from); }) >= kMaxHandshakesOfHost)
        return false;
    if (std::any_of(expected_.begin(), expected_.end(), same)) return true;
    return count([](const Handshake& one) { return !one.expected; }) < kMaxHandshakes;
}

void TlsListener::adopt(Fd fd, const SocketAddress& from) {
    bool expected = std::any_of(expected_.begin(), expected_.end(),
                                [&](const auto& host) { return from.same_host(host); });
    auto slot = handshakes_.insert(handshakes_.end(), Handshake{nullptr, from, expected});
    TlsStream::Callbacks callbacks;
    callbacks.on_ready = [this, slot] {
        auto stream = std::move(slot->stream);
        handshakes_.erase(slot);
        stream->set_callbacks({});
        callbacks_.on_stream(std::move(stream));
    };
    callbacks.on_closed = [this, slot](std::string reason) {
        handshakes_.erase(slot);
        if (callbacks_.on_failed) callbacks_.on_failed(std::move(reason));
    };
    slot->stream =
        TlsStream::accept(loop_, context_, std::move(fd), std::nullopt, std::move(callbacks));
}

}  // namespace ha::io
