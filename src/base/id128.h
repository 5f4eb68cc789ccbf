#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace ha {

/// A random 128-bit identity (of a module, a decision, a term, a boot). All zero means "none".
struct Id128 {
    std::uint64_t high = 0;
    std::uint64_t low = 0;

    constexpr auto operator<=>(const Id128&) const = default;
    [[nodiscard]] constexpr bool none() const { return high == 0 && low == 0; }
    /// 32 lower-case hexadecimal digits.
    [[nodiscard]] std::string text() const;
    /// The inverse of text(); nothing else is accepted.
    static std::optional<Id128> parse(std::string_view text);
};

}  // namespace ha
