#include "replicatord/dialer.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "replicatord/channel_wait.h"

namespace ha::replicatord {
namespace {

constexpr Duration kConnectPatience = 1s;
constexpr Duration kHandshakePatience = 2s;

struct Address {
    sockaddr_storage storage{};
    socklen_t length = 0;
    [[nodiscard]] const sockaddr* raw() const {
        return reinterpret_cast<const sockaddr*>(&storage);
    }
};

Result<Address> parse(const std::string& text, std::uint16_t port) {
    Address address;
    auto* v4 = reinterpret_cast<sockaddr_in*>(&address.storage);
    auto* v6 = reinterpret_cast<sockaddr_in6*>(&address.storage);
    if (::inet_pton(AF_INET, text.c_str(), &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(port);
        address.length = sizeof(sockaddr_in);
    } else if (::inet_pton(AF_INET6, text.c_str(), &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(port);
        address.length = sizeof(sockaddr_in6);
    } else {
        return fail(text + " is not an IP address.", EINVAL);
    }
    return address;
}

Result<io::Fd> open_socket(const Address& address) {
    io::Fd socket(::socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
                           IPPROTO_TCP));
    if (!socket) return fail("cannot make a socket", errno);
    int one = 1;
    ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    return socket;
}

bool same_host(const sockaddr_storage& one, const sockaddr_storage& other) {
    if (one.ss_family != other.ss_family) return false;
    const auto v4 = [](const sockaddr_storage& a) {
        return &reinterpret_cast<const sockaddr_in*>(&a)->sin_addr;
    };
    const auto v6 = [](const sockaddr_storage& a) {
        return &reinterpret_cast<const sockaddr_in6*>(&a)->sin6_addr;
    };
    if (one.ss_family == AF_INET) return std::memcmp(v4(one), v4(other), sizeof(in_addr)) == 0;
    return std::memcmp(v6(one), v6(other), sizeof(in6_addr)) == 0;
}

void set(int fd, int option) {
    int one = 1;
    ::setsockopt(fd, SOL_SOCKET, option, &one, sizeof(one));
}

tl::unexpected<Error> interrupted() {
    return fail("interrupted", ECANCELED);
}

}  // namespace

NetworkDialer::NetworkDialer(Addresses addresses, io::TlsContext tls, io::Fingerprint peer)
    : addresses_(std::move(addresses)),
      tls_(std::move(tls)),
      peer_(std::move(peer)),
      stop_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

void NetworkDialer::interrupt() noexcept {
    ::eventfd_write(stop_.get(), 1);
}

void NetworkDialer::reset() noexcept {
    eventfd_t count = 0;
    ::eventfd_read(stop_.get(), &count);
}

Result<std::unique_ptr<Channel>> NetworkDialer::connect() {
    listeners_.clear();  // a primary does not listen
    if (addresses_.peer.empty()) return fail("the peer has no address", EINVAL);
    const std::size_t network = next_++ % addresses_.peer.size();
    auto address = parse(addresses_.peer[network], addresses_.port);
    if (!address) return tl::unexpected(address.error());
    auto socket = open_socket(*address);
    if (!socket) return tl::unexpected(socket.error());
    if (network < addresses_.local.size()) {
        auto local = parse(addresses_.local[network], 0);
        if (local) ::bind(socket->get(), local->raw(), local->length);
    }
    if (::connect(socket->get(), address->raw(), address->length) != 0 && errno != EINPROGRESS) {
        return fail("cannot connect to " + addresses_.peer[network], errno);
    }
    pollfd fds[2] = {{socket->get(), POLLOUT, 0}, {stop_.get(), POLLIN, 0}};
    auto patience = std::chrono::milliseconds(kConnectPatience / 1ms);
    int count = ::poll(fds, 2, static_cast<int>(patience.count()));
    if (fds[1].revents != 0) return interrupted();
    int error = count <= 0 ? ETIMEDOUT : 0;
    socklen_t length = sizeof(error);
    if (error == 0) ::getsockopt(socket->get(), SOL_SOCKET, SO_ERROR, &error, &length);
    if (error != 0) return fail("cannot connect to " + addresses_.peer[network], error);
    using io::TlsSide;
    return make_tls_channel(std::move(*socket), tls_.new_ssl(TlsSide::Client, peer_),
                            TlsSide::Client, kHandshakePatience);
}

Result<> NetworkDialer::listen_everywhere() {
    if (!listeners_.empty()) return {};
    Error last{"no local address to listen on", EADDRNOTAVAIL};
    for (const auto& text : addresses_.local) {
        auto address = parse(text, addresses_.port);
        if (!address) return tl::unexpected(address.error());
        auto socket = open_socket(*address);
        if (!socket) return tl::unexpected(socket.error());
        set(socket->get(), SO_REUSEADDR);
        // A network that is down now may come back: its address can be listened on already.
        int one = 1;
        ::setsockopt(socket->get(), IPPROTO_IP, IP_FREEBIND, &one, sizeof(one));
        ::setsockopt(socket->get(), IPPROTO_IPV6, IPV6_FREEBIND, &one, sizeof(one));
        if (::bind(socket->get(), address->raw(), address->length) != 0 ||
            ::listen(socket->get(), 4) != 0) {
            last = Error{"cannot listen on " + text, errno};
            continue;
        }
        listeners_.push_back(std::move(*socket));
    }
    if (listeners_.empty()) return tl::unexpected(last);
    return {};
}

// Others are turned away before a byte of theirs is waited for: one connection is shaken hands with
// at a time, and a stranger that says nothing would keep the peer out.
io::Fd NetworkDialer::accept_from_peer(int listener) const {
    sockaddr_storage from{};
    socklen_t length = sizeof(from);
    io::Fd socket(::accept4(listener, reinterpret_cast<sockaddr*>(&from), &length,
                            SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!socket) return {};
    for (const auto& text : addresses_.peer) {
        auto address = parse(text, 0);
        if (address && same_host(address->storage, from)) return socket;
    }
    return {};
}

Result<io::Fd> NetworkDialer::wait_for_connection() {
    std::vector<pollfd> fds{{stop_.get(), POLLIN, 0}};
    for (const auto& listener : listeners_) fds.push_back({listener.get(), POLLIN, 0});
    for (;;) {
        if (::poll(fds.data(), fds.size(), -1) < 0 && errno != EINTR) {
            return fail("cannot wait for the peer", errno);
        }
        if (fds[0].revents != 0) return interrupted();
        for (std::size_t i = 1; i < fds.size(); ++i) {
            if (fds[i].revents == 0) continue;
            auto socket = accept_from_peer(fds[i].fd);
            if (!socket) continue;
            int one = 1;
            ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
            return socket;
        }
    }
}

Result<std::unique_ptr<Channel>> NetworkDialer::accept() {
    if (auto listening = listen_everywhere(); !listening) return tl::unexpected(listening.error());
    auto socket = wait_for_connection();
    if (!socket) return tl::unexpected(socket.error());
    using io::TlsSide;
    return make_tls_channel(std::move(*socket), tls_.new_ssl(TlsSide::Server, peer_),
                            TlsSide::Server, kHandshakePatience);
}

}  // namespace ha::replicatord
