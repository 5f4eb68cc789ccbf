#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "io/fd.h"
#include "io/loop.h"

// ARP over one link, for addresses that move between machines (RFC 826, RFC 5227; packet(7)).
// IPv4 addresses are numbers in host order.

namespace ha::io {

using Mac = std::array<std::uint8_t, 6>;
std::string text_of(const Mac& mac);

/// What another machine said: it is `mac` and has `address`; or, with `probes`, that it would take
/// it if nobody had it (RFC 5227).
struct ArpClaim {
    std::uint32_t address = 0;
    Mac mac{};
    bool probes = false;

    bool operator==(const ArpClaim&) const = default;
};
/// What an ARP packet claims, whoever made it; none: it is not one for IPv4 over Ethernet, or
/// claims nothing. What follows the packet (Ethernet pads) is not looked at.
std::optional<ArpClaim> read_arp(std::span<const std::uint8_t> packet);

/// Of every link of this node.
std::vector<Mac> own_macs();

struct ArpFrame;  // RFC 826

class ArpLink {
  public:
    using OnClaim = std::function<void(const ArpClaim&)>;

    ArpLink(Loop& loop, OnClaim on_claim) : watch_(loop), on_claim_(std::move(on_claim)) {}

    /// An error for links that have no Ethernet addresses. Needs CAP_NET_RAW.
    Result<> open(int index);
    /// Everybody who knows the address learns that it is here.
    Result<> announce(std::uint32_t address);
    /// Who has the address answers; the answer comes as a claim.
    Result<> probe(std::uint32_t address);
    [[nodiscard]] const Mac& mac() const { return mac_; }

  private:
    Result<> send(const ArpFrame& frame);
    void receive();

    Fd fd_;
    Watch watch_;
    OnClaim on_claim_;
    int index_ = 0;
    Mac mac_{};
};

}  // namespace ha::io
