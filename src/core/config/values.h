#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/time.h"
#include "core/config/config.h"

// The small languages inside the configuration: durations, addresses, names.

namespace ha::config {

/// "100ms", "2s", "15min", "24h", "7d": a whole number and a unit, nothing between them.
std::optional<Duration> parse_duration(std::string_view text);
/// In the largest unit that shows it exactly; rounded up to milliseconds.
std::string format_duration(Duration duration);

/// "3 per 24h".
std::optional<Restarts> parse_restarts(std::string_view text);
std::string format_restarts(const Restarts& restarts);

using Ipv4 = std::array<std::uint8_t, 4>;
/// Dotted quad without leading zeros.
std::optional<Ipv4> parse_ipv4(std::string_view text);

struct VirtualIp {
    Ipv4 address{};
    std::uint8_t prefix = 0;  // 1..32
    std::string interface;    // empty: the one whose subnet holds the address
};
/// "192.0.2.10/24" or "192.0.2.10/24@eth0".
std::optional<VirtualIp> parse_virtual_ip(std::string_view text);
/// Whether both are in one subnet of that prefix.
bool same_subnet(const Ipv4& a, const Ipv4& b, std::uint8_t prefix);

struct Endpoint {
    std::string host;  // a name or a dotted quad
    std::uint16_t port = 0;
};
/// "https://HOST:PORT" and nothing after it.
std::optional<Endpoint> parse_endpoint(std::string_view text);

/// [a-z0-9][a-z0-9-]{0,30}
bool valid_module_name(std::string_view name);
/// Letters, digits, '.' and '-', at most 63, beginning with a letter or digit; not "none".
bool valid_node_name(std::string_view name);
/// A whole unit name that systemd accepts: no bare template, at most 255 characters.
bool valid_unit_name(std::string_view name);

/// Whether `path` is `directory` or below it. Both normal: absolute, no "//", ".", "..", no '/' at
/// the end.
bool at_or_below(std::string_view path, std::string_view directory);

}  // namespace ha::config
