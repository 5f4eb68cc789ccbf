#include "core/vip/address.h"

#include <charconv>
#include <optional>

namespace ha::vip {
namespace {

std::optional<unsigned> number(std::string_view text, unsigned limit) {
    unsigned value = 0;
    const auto* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, value);
    const bool padded = text.size() > 1 && text[0] == '0';
    if (error != std::errc() || stop != end || padded || value > limit) return std::nullopt;
    return value;
}

tl::unexpected<Error> not_address(std::string_view text) {
    return fail("'" + std::string(text) +
                "' is not an IPv4 address with its prefix, like 192.0.2.10/24 or "
                "192.0.2.10/24@eth0");
}

}  // namespace

std::string Ipv4::text() const {
    return std::to_string(number >> 24) + "." + std::to_string(number >> 16 & 255) + "." +
           std::to_string(number >> 8 & 255) + "." + std::to_string(number & 255);
}

Result<Ipv4> Ipv4::parse(std::string_view text) {
    std::uint32_t value = 0;
    auto rest = text;
    for (int octet = 0; octet < 4; ++octet) {
        const auto dot = octet < 3 ? rest.find('.') : rest.size();
        if (dot == std::string_view::npos) return not_address(text);
        const auto part = vip::number(rest.substr(0, dot), 255);
        if (!part) return not_address(text);
        value = value << 8 | *part;
        rest.remove_prefix(octet < 3 ? dot + 1 : dot);
    }
    return Ipv4{value};
}

bool Ipv4::same_subnet(Ipv4 other, unsigned prefix) const {
    if (prefix == 0) return true;
    return (number ^ other.number) >> (32 - prefix) == 0;
}

std::string Vip::text() const {
    return address.text() + "/" + std::to_string(prefix) +
           (interface.empty() ? "" : "@" + interface);
}

Result<Vip> Vip::parse(std::string_view text) {
    Vip vip;
    auto rest = text;
    if (auto at = rest.find('@'); at != std::string_view::npos) {
        vip.interface = rest.substr(at + 1);
        // IFNAMSIZ, its zero included, and what the kernel refuses in names.
        if (vip.interface.empty() || vip.interface.size() > 15 ||
            vip.interface.find_first_of("/ \t\n") != std::string::npos)
            return not_address(text);
        rest = rest.substr(0, at);
    }
    const auto slash = rest.find('/');
    if (slash == std::string_view::npos) return not_address(text);
    const auto address = Ipv4::parse(rest.substr(0, slash));
    const auto prefix = number(rest.substr(slash + 1), 32);
    if (!address || !prefix || *prefix == 0 || address->number == 0) return not_address(text);
    vip.address = *address;
    vip.prefix = *prefix;
    return vip;
}

}  // namespace ha::vip
