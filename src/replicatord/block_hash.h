#pragma once

#include <cstdint>
#include <vector>

#include "core/replication/copy.h"
#include "replicatord/tree.h"

namespace ha::replicatord {

/// Part of a file: data, or a hole.
struct Extent {
    std::uint64_t offset = 0;
    std::uint64_t length = 0;
    bool data = false;
};

/// The extents of [begin, end) of an open file, in order, without gaps; end <= the file's size.
Result<std::vector<Extent>> read_extents(int fd, std::uint64_t begin, std::uint64_t end);

/// A block's content, where its holes are, and their hash. Equal hashes: equal blocks, holes too.
struct Block {
    std::vector<Extent> extents;
    std::vector<std::byte> content;  // of the data extents, one after the other
    replication::BlockHash hash{};   // all zero: nothing but a hole, or beyond the end
};
Result<Block> read_block(int fd, std::uint64_t begin, std::uint64_t end);

}  // namespace ha::replicatord
