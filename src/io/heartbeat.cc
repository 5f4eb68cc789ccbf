#include "io/heartbeat.h"

#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "base/assert.h"
#include "io/clock.h"
#include "io/socket_address.h"

namespace ha::io {
namespace {

constexpr std::size_t kMaxNetworks = 8;
constexpr int kDatagramsPerTurn = 64;
constexpr const char* kLabel = "EXPORTER-hamirror-heartbeat";

Result<Fd> bound_socket(const SocketAddress& local, const std::string& what) {
    Fd fd(socket(local.family(), SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    int on = 1;
    // Interactive traffic class: before bulk data in the queues of hosts and switches that care.
    int tos = 0xb8;
    setsockopt(fd.get(), IPPROTO_IP, IP_FREEBIND, &on, sizeof on);
    setsockopt(fd.get(), IPPROTO_IP, IP_TOS, &tos, sizeof tos);
    if (!fd || bind(fd.get(), local.get(), local.size) != 0) {
        int code = errno;
        return fail("cannot send heartbeats from " + what + ": " + std::strerror(code), code);
    }
    return fd;
}

}  // namespace

struct Heartbeat::Link {
    Fd fd;
    SocketAddress peer;
    Watch watch;
};

Heartbeat::Heartbeat(Id128 own_boot, Callbacks callbacks)
    : sealer_(own_boot), callbacks_(std::move(callbacks)) {}

Heartbeat::~Heartbeat() {
    *alive_ = false;
    for (auto& link : links_) link->watch.stop();
}

Result<std::unique_ptr<Heartbeat>> Heartbeat::open(Loop& loop, const std::vector<Network>& networks,
                                                   std::uint16_t port, Id128 own_boot,
                                                   Callbacks callbacks) {
    HA_ASSERT(networks.size() <= kMaxNetworks);
    std::unique_ptr<Heartbeat> out(new Heartbeat(own_boot, std::move(callbacks)));
    for (std::size_t i = 0; i < networks.size(); ++i) {
        auto local = SocketAddress::make(networks[i].local_address, port);
        auto peer = SocketAddress::make(networks[i].peer_address, port);
        if (!local) return tl::unexpected(local.error());
        if (!peer) return tl::unexpected(peer.error());
        auto fd = bound_socket(*local, networks[i].local_address);
        if (!fd) return tl::unexpected(fd.error());
        out->links_.emplace_back(new Link{std::move(*fd), *peer, Watch(loop)});
        auto& link = *out->links_.back();
        auto watched = link.watch.start(link.fd.get(), EPOLLIN,
                                        [self = out.get(), i](std::uint32_t) { self->receive(i); });
        if (!watched) return tl::unexpected(watched.error());
    }
    return out;
}

void Heartbeat::set_keys(const HeartbeatKeys& keys, Id128 peer_boot) {
    sealer_.set_key(keys.ours);
    opener_.set_key(keys.theirs, peer_boot);
}

void Heartbeat::send(std::span<const std::byte> payload) {
    for (std::size_t i = 0; i < links_.size(); ++i) {
        auto datagram = sealer_.seal(static_cast<std::uint8_t>(i), boot_now(), payload);
        if (!datagram) return;
        const auto& link = *links_[i];
        sendto(link.fd.get(), datagram->data(), datagram->size(), MSG_NOSIGNAL, link.peer.get(),
               link.peer.size);
    }
}

void Heartbeat::receive(std::size_t network) {
    std::byte buffer[kMaxHeartbeatPayload + 128];
    auto alive = alive_;  // a callback may destroy this
    for (int i = 0; i < kDatagramsPerTurn && *alive; ++i) {
        SocketAddress from;
        from.size = sizeof from.storage;
        auto& link = *links_[network];
        auto size = recvfrom(link.fd.get(), buffer, sizeof buffer, 0,
                             reinterpret_cast<sockaddr*>(&from.storage), &from.size);
        if (size < 0) {
            // An error of an earlier sendto (ICMP) is reported once and says nothing here.
            if (errno == EAGAIN) return;
            continue;
        }
        if (!from.same_host(link.peer)) continue;
        auto opened =
            opener_.open(static_cast<std::uint8_t>(network),
                         std::span<const std::byte>(buffer, static_cast<std::size_t>(size)));
        if (opened.verdict == HeartbeatVerdict::Good) {
            callbacks_.on_heartbeat(network, opened.payload);
        } else if (callbacks_.on_refused) {
            callbacks_.on_refused(network, opened.verdict);
        }
    }
}

Result<HeartbeatKeys> heartbeat_keys(TlsStream& control, const Fingerprint& own) {
    HeartbeatKeys keys{};
    if (!control.export_secret(kLabel, own.bytes, keys.ours) ||
        !control.export_secret(kLabel, control.peer().bytes, keys.theirs)) {
        return fail("TLS gives no key for heartbeats");
    }
    return keys;
}

}  // namespace ha::io
