#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace ha::vip {

/// An IPv4 address as a number, most significant octet first.
struct Ipv4 {
    std::uint32_t number = 0;

    auto operator<=>(const Ipv4&) const = default;
    [[nodiscard]] std::string text() const;
    static Result<Ipv4> parse(std::string_view text);
    [[nodiscard]] bool same_subnet(Ipv4 other, unsigned prefix) const;
};

/// A virtual address as the configuration gives it: "192.0.2.10/24" or "192.0.2.10/24@eth0".
struct Vip {
    Ipv4 address;
    unsigned prefix = 32;   // 1..32
    std::string interface;  // empty: the one that has another address of the subnet

    bool operator==(const Vip&) const = default;
    [[nodiscard]] std::string text() const;
    static Result<Vip> parse(std::string_view text);
};

}  // namespace ha::vip
