#include "base/id128.h"

#include <charconv>
#include <cstdio>

namespace ha {

std::string Id128::text() const {
    char buffer[33];
    std::snprintf(buffer, sizeof buffer, "%016llx%016llx", static_cast<unsigned long long>(high),
                  static_cast<unsigned long long>(low));
    return buffer;
}

std::optional<Id128> Id128::parse(std::string_view text) {
    if (text.size() != 32) return std::nullopt;
    for (char c : text) {
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) return std::nullopt;
    }
    Id128 id;
    std::from_chars(text.data(), text.data() + 16, id.high, 16);
    std::from_chars(text.data() + 16, text.data() + 32, id.low, 16);
    return id;
}

}  // namespace ha
