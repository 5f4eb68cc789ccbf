#include "io/netlink.h"

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <sys/epoll.h>
#include <sys/time.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace ha::io {
namespace {

// The kernel fills at most 32 KiB at a time (libmnl's own recommendation is a page).
constexpr std::size_t kBuffer = 32768;
constexpr int kReceiveBuffer = 1 << 20;

tl::unexpected<Error> failed(const std::string& what) {
    const int code = errno;
    return fail(what + ": " + std::strerror(code), code);
}

Result<MnlSocket> open_socket(int flags, unsigned groups) {
    MnlSocket socket(mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | flags));
    if (!socket || mnl_socket_bind(socket.get(), groups, MNL_SOCKET_AUTOPID) < 0)
        return failed("cannot open a netlink socket");
    return socket;
}

void tell_link(const nlmsghdr* message, const OnNetworkChange& each) {
    const auto* link = static_cast<const ifinfomsg*>(mnl_nlmsg_get_payload(message));
    // A bridge's ports announce themselves a second time, in the bridge's own family.
    if ((link->ifi_flags & IFF_LOOPBACK) != 0 || link->ifi_family != AF_UNSPEC) return;
    LinkChange change;
    change.index = link->ifi_index;
    change.up = (link->ifi_flags & IFF_UP) != 0 && (link->ifi_flags & IFF_LOWER_UP) != 0;
    change.gone = message->nlmsg_type == RTM_DELLINK;
    mnl_attr_parse(
        message, sizeof(*link),
        [](const nlattr* attribute, void* name) {
            if (mnl_attr_get_type(attribute) == IFLA_IFNAME &&
                mnl_attr_validate(attribute, MNL_TYPE_NUL_STRING) >= 0)
                *static_cast<std::string*>(name) = mnl_attr_get_str(attribute);
            return MNL_CB_OK;
        },
        &change.name);
    each(change);
}

void tell_address(const nlmsghdr* message, const OnNetworkChange& each) {
    const auto* header = static_cast<const ifaddrmsg*>(mnl_nlmsg_get_payload(message));
    if (header->ifa_family != AF_INET || header->ifa_scope == RT_SCOPE_HOST) return;
    AddressChange change;
    change.index = static_cast<int>(header->ifa_index);
    change.prefix = header->ifa_prefixlen;
    change.gone = message->nlmsg_type == RTM_DELADDR;
    mnl_attr_parse(
        message, sizeof(*header),
        [](const nlattr* attribute, void* address) {
            // IFA_ADDRESS would be the other end of a point-to-point link.
            if (mnl_attr_get_type(attribute) == IFA_LOCAL &&
                mnl_attr_validate(attribute, MNL_TYPE_U32) >= 0)
                *static_cast<std::uint32_t*>(address) = ntohl(mnl_attr_get_u32(attribute));
            return MNL_CB_OK;
        },
        &change.address);
    if (change.address != 0) each(change);
}

int on_message(const nlmsghdr* message, void* each) {
    const auto& tell = *static_cast<const OnNetworkChange*>(each);
    if (message->nlmsg_type == RTM_NEWLINK || message->nlmsg_type == RTM_DELLINK)
        tell_link(message, tell);
    if (message->nlmsg_type == RTM_NEWADDR || message->nlmsg_type == RTM_DELADDR)
        tell_address(message, tell);
    return MNL_CB_OK;
}

nlmsghdr* begin(void* buffer, int type, int flags) {
    auto* header = mnl_nlmsg_put_header(buffer);
    header->nlmsg_type = static_cast<std::uint16_t>(type);
    header->nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | flags);
    return header;
}

}  // namespace

void MnlClose::operator()(mnl_socket* socket) const noexcept {
    mnl_socket_close(socket);
}

Result<Netlink> Netlink::open() {
    auto socket = open_socket(0, 0);
    if (!socket) return tl::unexpected(socket.error());
    const timeval patience{2, 0};
    ::setsockopt(mnl_socket_get_fd(socket->get()), SOL_SOCKET, SO_RCVTIMEO, &patience,
                 sizeof(patience));
    return Netlink(std::move(*socket));
}

Result<> Netlink::add_address(int index, std::uint32_t address, unsigned prefix,
                              bool prefix_route) {
    auto done = change_address(true, index, address, prefix,
                               prefix_route ? 0 : std::uint32_t{IFA_F_NOPREFIXROUTE});
    if (!done && done.error().code == EEXIST) return {};
    return done;
}

Result<> Netlink::remove_address(int index, std::uint32_t address, unsigned prefix) {
    auto done = change_address(false, index, address, prefix, 0);
    if (!done && (done.error().code == EADDRNOTAVAIL || done.error().code == ENODEV)) return {};
    return done;
}

Result<> Netlink::change_address(bool add, int index, std::uint32_t address, unsigned prefix,
                                 std::uint32_t flags) {
    std::array<char, 512> buffer{};
    auto* request = begin(buffer.data(), add ? RTM_NEWADDR : RTM_DELADDR,
                          add ? NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL : NLM_F_ACK);
    auto* header = static_cast<ifaddrmsg*>(mnl_nlmsg_put_extra_header(request, sizeof(ifaddrmsg)));
    header->ifa_family = AF_INET;
    header->ifa_prefixlen = static_cast<std::uint8_t>(prefix);
    header->ifa_scope = RT_SCOPE_UNIVERSE;
    header->ifa_index = static_cast<std::uint32_t>(index);
    mnl_attr_put_u32(request, IFA_LOCAL, htonl(address));
    mnl_attr_put_u32(request, IFA_ADDRESS, htonl(address));
    if (add) mnl_attr_put_u32(request, IFA_FLAGS, flags);
    return ask(request, nullptr);
}

Result<> Netlink::dump(const OnNetworkChange& each) {
    std::array<char, 512> buffer{};
    auto* links = begin(buffer.data(), RTM_GETLINK, NLM_F_DUMP);
    static_cast<ifinfomsg*>(mnl_nlmsg_put_extra_header(links, sizeof(ifinfomsg)))->ifi_family =
        AF_UNSPEC;
    if (auto done = ask(links, &each); !done) return done;
    buffer.fill(0);
    auto* addresses = begin(buffer.data(), RTM_GETADDR, NLM_F_DUMP);
    static_cast<ifaddrmsg*>(mnl_nlmsg_put_extra_header(addresses, sizeof(ifaddrmsg)))->ifa_family =
        AF_INET;
    return ask(addresses, &each);
}

// What is left of a dump that was broken off, or comes after it was given up on, would be taken for
// the answer to the next question: that one has a socket of its own.
Result<> Netlink::ask(const void* request, const OnNetworkChange* each) {
    auto done = ask_once(request, each);
    if (done) return done;
    if (auto fresh = open()) socket_ = std::move(fresh->socket_);
    return done;
}

Result<> Netlink::ask_once(const void* request, const OnNetworkChange* each) {
    auto* header = static_cast<nlmsghdr*>(const_cast<void*>(request));
    header->nlmsg_seq = ++sequence_;
    const auto port = mnl_socket_get_portid(socket_.get());
    if (mnl_socket_sendto(socket_.get(), header, header->nlmsg_len) < 0)
        return failed("cannot ask the kernel");
    std::array<char, kBuffer> buffer{};
    const OnNetworkChange ignore = [](const NetworkChange&) {};
    for (int more = 1; more > 0;) {
        const auto length = mnl_socket_recvfrom(socket_.get(), buffer.data(), buffer.size());
        if (length < 0) return failed("the kernel does not answer");
        more =
            mnl_cb_run(buffer.data(), static_cast<std::size_t>(length), sequence_, port,
                       &on_message, const_cast<OnNetworkChange*>(each != nullptr ? each : &ignore));
        if (more < 0) return failed("the kernel refuses");
    }
    return {};
}

Result<> NetworkMonitor::start() {
    auto socket = open_socket(SOCK_NONBLOCK, RTMGRP_LINK | RTMGRP_IPV4_IFADDR);
    if (!socket) return tl::unexpected(socket.error());
    socket_ = std::move(*socket);
    const int fd = mnl_socket_get_fd(socket_.get());
    ::setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &kReceiveBuffer, sizeof(kReceiveBuffer));
    return watch_.start(fd, EPOLLIN, [this](std::uint32_t) { receive(); });
}

void NetworkMonitor::receive() {
    std::array<char, kBuffer> buffer{};
    for (int turn = 0; turn < 64; ++turn) {
        const auto length = mnl_socket_recvfrom(socket_.get(), buffer.data(), buffer.size());
        if (length < 0) {
            if (errno != EAGAIN && errno != EINTR) on_lost_();
            return;
        }
        mnl_cb_run(buffer.data(), static_cast<std::size_t>(length), 0, 0, &on_message, &on_change_);
    }
}

}  // namespace ha::io
