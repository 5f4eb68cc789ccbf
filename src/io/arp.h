#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string>

#include "base/result.h"
#include "io/fd.h"
#include "io/loop.h"

// ARP over one link, for addresses that move between machines (RFC 826, RFC 5227; packet(7)).
// IPv4 addresses are numbers in host order.

namespace ha::io {

using Mac = std::array<std::uint8_t, 6>;
std::string text_of(const Mac& mac);

/// What another machine said: it is `mac` and has `address`.
struct ArpClaim {
    std::uint32_t address = 0;
    Mac mac{};
};

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

  private:
    struct Frame;
    Result<> send(const Frame& frame);
    void receive();

    Fd fd_;
    Watch watch_;
    OnClaim on_claim_;
    int index_ = 0;
    Mac mac_{};
};

}  // namespace ha::io
