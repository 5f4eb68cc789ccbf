#pragma once

#include <compare>
#include <cstdint>
#include <functional>

namespace ha {

/// A number that cannot be mistaken for another kind of number. No arithmetic but `next()`.
template <typename Tag, typename Number = std::uint64_t>
struct Strong {
    Number value{};

    constexpr auto operator<=>(const Strong&) const = default;
    [[nodiscard]] constexpr Strong next() const { return Strong{static_cast<Number>(value + 1)}; }
};

/// The number of a decision (2-safety, Vocabulary). 0: before the first decision.
using Epoch = Strong<struct EpochTag>;
/// The persistent identity of a file in a module; also its FUSE node id and st_ino. Never reused.
using FileId = Strong<struct FileIdTag>;
/// The number of an operation within one term of the mirror stream. The first is 1.
using Sequence = Strong<struct SequenceTag>;

}  // namespace ha

template <typename Tag, typename Number>
struct std::hash<ha::Strong<Tag, Number>> {
    std::size_t operator()(ha::Strong<Tag, Number> id) const noexcept {
        return std::hash<Number>{}(id.value);
    }
};
