#pragma once

#include <cstdint>
#include <optional>

#include "base/id128.h"
#include "base/result.h"
#include "replicatord/store.h"
#include "replicatord/tree.h"

namespace ha::replicatord {

/// What the root directory of a mirrored tree says of itself, in trusted.hamirror.marker: whose
/// tree it is and how new. Bound to the directory as an identity is, so a directory restored from a
/// backup has none that counts (docs/formats.md, "Marker").
struct Marker {
    Id128 module;
    std::uint8_t node = 0;  // index of the node
    std::uint64_t stamp = 0;
    auto operator<=>(const Marker&) const = default;
};

/// What the checksum of an attribute starts from that counts only on this very directory.
Result<std::uint64_t> directory_seed(int fd);

/// nullopt: there is none, or none that counts.
Result<std::optional<Marker>> read_marker(const Tree& tree, std::size_t root);

/// Is this the tree that the store remembers? Ours, with the recorded current or next stamp.
[[nodiscard]] bool marker_valid(const std::optional<Marker>& marker, const Id128& module,
                                std::uint8_t node, const Store::Stamps& stamps);

/// On disk when it returns success.
Result<> write_marker(const Tree& tree, std::size_t root, const Marker& marker);

/// Stamps every root anew: records the next stamp, writes the markers, records that. No
/// acknowledgement may be given under a decision before this succeeded for it.
Result<> restamp(const Tree& tree, Store& store, const Id128& module, std::uint8_t node);

}  // namespace ha::replicatord
