#include "io/arp.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <linux/if_arp.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

namespace ha::io {

struct [[gnu::packed]] ArpFrame {
    std::uint16_t hardware = htons(ARPHRD_ETHER);
    std::uint16_t protocol = htons(ETH_P_IP);
    std::uint8_t hardware_length = 6;
    std::uint8_t protocol_length = 4;
    std::uint16_t operation = htons(ARPOP_REQUEST);
    Mac sender_mac{};
    std::uint32_t sender = 0;
    Mac target_mac{};
    std::uint32_t target = 0;
};

namespace {

tl::unexpected<Error> failed(const std::string& what) {
    const int code = errno;
    return fail(what + ": " + std::strerror(code), code);
}

}  // namespace

std::string text_of(const Mac& mac) {
    std::array<char, 18> text{};
    std::snprintf(text.data(), text.size(), "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2],
                  mac[3], mac[4], mac[5]);
    return text.data();
}

std::optional<ArpClaim> read_arp(std::span<const std::uint8_t> packet) {
    ArpFrame frame;
    if (packet.size() < sizeof(frame)) return std::nullopt;
    std::memcpy(&frame, packet.data(), sizeof(frame));
    const ArpFrame usual;
    const bool request = frame.operation == htons(ARPOP_REQUEST);
    const bool ethernet =
        frame.hardware == usual.hardware || frame.hardware == htons(ARPHRD_IEEE802);
    const bool known = ethernet && frame.protocol == usual.protocol &&
                       frame.hardware_length == usual.hardware_length &&
                       frame.protocol_length == usual.protocol_length &&
                       (request || frame.operation == htons(ARPOP_REPLY));
    const bool group = (frame.sender_mac[0] & 1) != 0;
    if (!known || group || frame.sender_mac == Mac{}) return std::nullopt;
    const bool probes = frame.sender == 0;
    const std::uint32_t address = ntohl(probes ? frame.target : frame.sender);
    if (address == 0 || (probes && !request)) return std::nullopt;
    return ArpClaim{address, frame.sender_mac, probes};
}

std::vector<Mac> own_macs() {
    std::vector<Mac> macs;
    ifaddrs* all = nullptr;
    if (::getifaddrs(&all) < 0) return macs;
    for (const ifaddrs* each = all; each != nullptr; each = each->ifa_next) {
        if (each->ifa_addr == nullptr || each->ifa_addr->sa_family != AF_PACKET) continue;
        sockaddr_ll place{};
        std::memcpy(&place, each->ifa_addr, sizeof(place));
        Mac mac{};
        if (place.sll_halen != mac.size()) continue;
        std::copy_n(place.sll_addr, mac.size(), mac.begin());
        if (mac != Mac{}) macs.push_back(mac);
    }
    ::freeifaddrs(all);
    return macs;
}

Result<> ArpLink::open(int index) {
    fd_.reset(::socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, htons(ETH_P_ARP)));
    sockaddr_ll place{};
    place.sll_family = AF_PACKET;
    place.sll_protocol = htons(ETH_P_ARP);
    place.sll_ifindex = index;
    socklen_t length = sizeof(place);
    if (!fd_ || ::bind(fd_.get(), reinterpret_cast<sockaddr*>(&place), length) < 0 ||
        ::getsockname(fd_.get(), reinterpret_cast<sockaddr*>(&place), &length) < 0)
        return failed("cannot open an ARP socket");
    if (place.sll_halen != mac_.size()) return fail("the link has no Ethernet address");
    std::copy_n(place.sll_addr, mac_.size(), mac_.begin());
    index_ = index;
    return watch_.start(fd_.get(), EPOLLIN, [this](std::uint32_t) { receive(); });
}

// As a request and as a reply: there are stacks that learn from one kind only.
Result<> ArpLink::announce(std::uint32_t address) {
    ArpFrame frame;
    frame.sender_mac = mac_;
    frame.sender = frame.target = htonl(address);
    auto asked = send(frame);
    frame.operation = htons(ARPOP_REPLY);
    frame.target_mac = mac_;
    auto told = send(frame);
    return asked ? told : asked;
}

Result<> ArpLink::probe(std::uint32_t address) {
    ArpFrame frame;
    frame.sender_mac = mac_;
    frame.target = htonl(address);
    return send(frame);
}

Result<> ArpLink::send(const ArpFrame& frame) {
    sockaddr_ll everybody{};
    everybody.sll_family = AF_PACKET;
    everybody.sll_protocol = htons(ETH_P_ARP);
    everybody.sll_ifindex = index_;
    everybody.sll_halen = 6;
    std::fill_n(everybody.sll_addr, 6, std::uint8_t{0xff});
    if (::sendto(fd_.get(), &frame, sizeof(frame), 0, reinterpret_cast<sockaddr*>(&everybody),
                 sizeof(everybody)) < 0)
        return failed("cannot send ARP");
    return {};
}

void ArpLink::receive() {
    for (int turn = 0; turn < 64; ++turn) {
        std::array<std::uint8_t, sizeof(ArpFrame)> packet{};
        sockaddr_ll from{};
        socklen_t length = sizeof(from);
        const auto got = ::recvfrom(fd_.get(), packet.data(), packet.size(), 0,
                                    reinterpret_cast<sockaddr*>(&from), &length);
        if (got < 0) return;
        if (from.sll_pkttype == PACKET_OUTGOING) continue;
        const auto claim = read_arp(std::span(packet).first(static_cast<std::size_t>(got)));
        if (claim && claim->mac != mac_) on_claim_(*claim);
    }
}

}  // namespace ha::io
