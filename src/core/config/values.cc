#include "core/config/values.h"

#include <algorithm>
#include <charconv>

namespace ha::config {
namespace {

struct Unit {
    std::string_view name;
    Duration length;
};
constexpr Unit kUnits[] = {{"d", 24h}, {"h", 1h}, {"min", 1min}, {"s", 1s}, {"ms", 1ms}};
constexpr std::uint64_t kLongest = static_cast<std::uint64_t>(Duration(365 * 24h).count());

/// Takes leading digits off `text`; at most 18 of them.
std::optional<std::uint64_t> take_number(std::string_view& text) {
    std::uint64_t value = 0;
    auto digits = std::min(text.find_first_not_of("0123456789"), text.size());
    if (digits == 0 || digits > 18) return std::nullopt;
    std::from_chars(text.data(), text.data() + digits, value);
    text.remove_prefix(digits);
    return value;
}

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}
bool is_lower(char c) {
    return c >= 'a' && c <= 'z';
}
bool is_letter(char c) {
    return is_lower(c) || (c >= 'A' && c <= 'Z');
}

bool valid_interface(std::string_view name) {
    return !name.empty() && name.size() <= 15 && name != "." && name != ".." &&
           std::none_of(name.begin(), name.end(),
                        [](char c) { return c <= ' ' || c == '/' || c == ':' || c == 0x7f; });
}

}  // namespace

std::optional<Duration> parse_duration(std::string_view text) {
    auto count = take_number(text);
    if (!count) return std::nullopt;
    for (const auto& unit : kUnits) {
        if (text != unit.name) continue;
        auto length = static_cast<std::uint64_t>(unit.length.count());
        if (*count > kLongest / length) return std::nullopt;
        return Duration(static_cast<Duration::rep>(*count * length));
    }
    return std::nullopt;
}

std::string format_duration(Duration duration) {
    duration = std::chrono::ceil<std::chrono::milliseconds>(duration);
    if (duration == Duration::zero()) return "0s";
    for (const auto& unit : kUnits) {
        if (duration % unit.length != Duration::zero()) continue;
        return std::to_string(duration / unit.length) + std::string(unit.name);
    }
    return {};
}

std::optional<Restarts> parse_restarts(std::string_view text) {
    auto count = take_number(text);
    if (!count || *count > 1000 || !text.starts_with(" per ")) return std::nullopt;
    auto within = parse_duration(text.substr(5));
    if (!within || *within < 1s) return std::nullopt;
    return Restarts{static_cast<std::uint32_t>(*count), *within};
}

std::string format_restarts(const Restarts& restarts) {
    return std::to_string(restarts.count) + " per " + format_duration(restarts.within);
}

std::optional<Ipv4> parse_ipv4(std::string_view text) {
    Ipv4 address{};
    for (std::size_t i = 0; i < address.size(); ++i) {
        if (i > 0) {
            if (!text.starts_with('.')) return std::nullopt;
            text.remove_prefix(1);
        }
        bool zero_first = text.starts_with('0') && text.size() > 1 && is_digit(text[1]);
        auto number = take_number(text);
        if (!number || *number > 255 || zero_first) return std::nullopt;
        address[i] = static_cast<std::uint8_t>(*number);
    }
    if (!text.empty()) return std::nullopt;
    return address;
}

std::optional<VirtualIp> parse_virtual_ip(std::string_view text) {
    VirtualIp ip;
    auto at = text.find('@');
    if (at != std::string_view::npos) {
        ip.interface = text.substr(at + 1);
        if (!valid_interface(ip.interface)) return std::nullopt;
        text = text.substr(0, at);
    }
    auto slash = text.find('/');
    if (slash == std::string_view::npos) return std::nullopt;
    auto address = parse_ipv4(text.substr(0, slash));
    auto rest = text.substr(slash + 1);
    auto prefix = take_number(rest);
    if (!address || !prefix || !rest.empty() || *prefix < 1 || *prefix > 32) return std::nullopt;
    ip.address = *address;
    ip.prefix = static_cast<std::uint8_t>(*prefix);
    return ip;
}

bool same_subnet(const Ipv4& a, const Ipv4& b, std::uint8_t prefix) {
    for (std::size_t bit = 0; bit < prefix; ++bit) {
        auto mask = static_cast<std::uint8_t>(0x80U >> (bit % 8));
        if ((a[bit / 8] & mask) != (b[bit / 8] & mask)) return false;
    }
    return true;
}

std::optional<Endpoint> parse_endpoint(std::string_view text) {
    constexpr std::string_view kScheme = "https://";
    constexpr std::size_t kMaxHost = 253;
    if (!text.starts_with(kScheme)) return std::nullopt;
    text.remove_prefix(kScheme.size());
    const auto colon = text.find(':');
    if (colon == std::string_view::npos) return std::nullopt;
    const auto host = text.substr(0, colon);
    auto digits = text.substr(colon + 1);
    const auto port = take_number(digits);
    const bool good =
        !host.empty() && host.size() <= kMaxHost && (is_letter(host[0]) || is_digit(host[0])) &&
        std::all_of(host.begin(), host.end(),
                    [](char c) { return is_letter(c) || is_digit(c) || c == '.' || c == '-'; });
    if (!good || !port || !digits.empty() || *port < 1 || *port > 65535) return std::nullopt;
    return Endpoint{std::string(host), static_cast<std::uint16_t>(*port)};
}

bool valid_module_name(std::string_view name) {
    return !name.empty() && name.size() <= 31 && name[0] != '-' &&
           std::all_of(name.begin(), name.end(),
                       [](char c) { return is_lower(c) || is_digit(c) || c == '-'; });
}

bool valid_node_name(std::string_view name) {
    return !name.empty() && name.size() <= 63 && name != "none" &&
           (is_letter(name[0]) || is_digit(name[0])) &&
           std::all_of(name.begin(), name.end(),
                       [](char c) { return is_letter(c) || is_digit(c) || c == '.' || c == '-'; });
}

bool valid_unit_name(std::string_view name) {
    auto dot = name.rfind('.');
    if (name.size() > 255 || dot == std::string_view::npos || dot == 0) return false;
    auto stem = name.substr(0, dot);
    if (stem.front() == '@' || stem.back() == '@') return false;
    return std::all_of(stem.begin(), stem.end(), [](char c) {
        return is_letter(c) || is_digit(c) ||
               std::string_view(":-_.\\@").find(c) != std::string_view::npos;
    });
}

bool at_or_below(std::string_view path, std::string_view directory) {
    if (directory == "/") return true;
    return path.starts_with(directory) &&
           (path.size() == directory.size() || path[directory.size()] == '/');
}

}  // namespace ha::config
