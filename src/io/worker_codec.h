#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "api/worker.h"
#include "base/result.h"

// One JSON text per order or fact: {"type": "SealMirror", "epoch": 7}. Fields have the names of the
// structs in api/worker.h; a duration is in nanoseconds and its name ends in _ns; an Id128 is its
// text; an enumerator is its name. Decoding is strict: an unknown type, a field that is missing,
// unknown, of another type or out of range, or a text over the limit is an error.

namespace ha::io {

inline constexpr std::size_t kMaxWorkerMessage = std::size_t{1} << 20;

/// Bytes in strings that are not UTF-8 are replaced. Error: longer than the limit.
Result<std::string> encode(const api::Order& order);
Result<std::string> encode(const api::Fact& fact);

Result<api::Order> decode_order(std::string_view text);
Result<api::Fact> decode_fact(std::string_view text);

}  // namespace ha::io
