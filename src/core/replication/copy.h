#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "base/id128.h"
#include "core/replication/operation.h"

// Copy records travel in the ordered stream between operations and are numbered with them. They
// rebuild the secondary's copy beside the running application (docs/resync.md) and control the
// stream. File content travels as ordinary Write and Allocate operations.

namespace ha::replication {

/// Hash requests and the frontier of a copied file move in whole blocks.
inline constexpr std::uint64_t kHashBlock = 128U << 10;
/// The most one request may ask for.
inline constexpr std::uint64_t kHashZone = 16U << 20;
inline constexpr std::size_t kMaxListed = 1024;  // entries in one CopyList

/// All there is to know of an inode but its content and names.
struct Attributes {
    std::uint32_t mode = 0;  // st_mode, type included
    std::uint32_t uid = 0;
    std::uint32_t gid = 0;
    std::uint64_t size = 0;  // counts for regular files only
    FileTime atime;
    FileTime mtime;
    std::vector<Xattr> xattrs;  // exactly these; our own are never among them
    auto operator<=>(const Attributes&) const = default;
};

/// The pass begins: nothing on the target is trusted, its orphans are doubtful until listed.
struct CopyBegin {
    auto operator<=>(const CopyBegin&) const = default;
};

/// A name in a directory and what the inode behind it is made of for ever.
struct CopyEntry {
    std::string name;  // empty: in the orphan directory, where CopyAttach allows it
    FileId id;
    std::uint32_t mode = 0;    // only the type counts
    std::uint64_t device = 0;  // st_rdev of a device node
    std::string target;        // of a symbolic link
    auto operator<=>(const CopyEntry&) const = default;
};

/// Entries of `directory`, to be collected until CopyListed.
struct CopyList {
    FileId directory;
    std::vector<CopyEntry> entries;  // at most kMaxListed
    auto operator<=>(const CopyList&) const = default;
};

/// The listing is complete: make the directory so, then its attributes.
struct CopyListed {
    FileId directory;
    Attributes attributes;
    auto operator<=>(const CopyListed&) const = default;
};

/// The entry appears in `parent`, or without a name in the orphan directory of the root that holds
/// `parent`: by id if the target knows it, else as an empty placeholder of its type.
struct CopyAttach {
    FileId parent;
    CopyEntry entry;
    auto operator<=>(const CopyAttach&) const = default;
};

/// The name goes. The inode stays reachable by id: it moves to the orphan directory if this was its
/// last name (a directory always). `kept`: it is in the source's orphan directory, until Release.
/// With an empty name: it is not in the source's orphan directory any more, and is freed there with
/// the pass unless something names it again.
struct CopyDetach {
    FileId parent;
    std::string name;
    FileId id;
    bool kept = false;
    auto operator<=>(const CopyDetach&) const = default;
};

/// Asks for the hashes of the blocks of [offset, offset + kHashZone). Answer: HashAnswer.
struct CopyHashes {
    FileId id;
    std::uint64_t offset = 0;
    std::uint64_t token = 0;  // returned in the answer
    auto operator<=>(const CopyHashes&) const = default;
};

/// The content is complete: size, owner, extended attributes, mode and times, in this order.
struct CopyFinal {
    FileId id;
    Attributes attributes;
    auto operator<=>(const CopyFinal&) const = default;
};

/// Nothing is pending: the target frees every orphan that was not listed.
struct CopyEnd {
    auto operator<=>(const CopyEnd&) const = default;
};

/// A durable result is due when everything before it is on the secondary's disk (syncfs).
struct Barrier {
    auto operator<=>(const Barrier&) const = default;
};

/// R5's end: the primary recorded the decision that names the target in S.
struct TellIn {
    std::string decision;
    Epoch epoch;
    Id128 decision_id;
    auto operator<=>(const TellIn&) const = default;
};

using CopyBody = std::variant<CopyBegin, CopyList, CopyListed, CopyAttach, CopyDetach, CopyHashes,
                              CopyFinal, CopyEnd, Barrier, TellIn>;

struct CopyRecord {
    CopyBody body;
    std::vector<TimeStamp> stamps;  // at most kMaxStamps, as in Operation
};

/// BLAKE2b-256 over the block's extents; all zero: a hole, or beyond the end of the file.
using BlockHash = std::array<std::byte, 32>;

/// The target's blocks from `offset`, up to its end of file or the end of the zone.
struct HashAnswer {
    FileId id;
    std::uint64_t offset = 0;
    std::uint64_t token = 0;
    std::uint64_t size = 0;  // of the target's file
    std::vector<BlockHash> blocks;
    auto operator<=>(const HashAnswer&) const = default;
};

void encode(const CopyRecord& record, std::vector<std::byte>& out);
void encode(const HashAnswer& answer, std::vector<std::byte>& out);
/// As decode() of an operation: every bound is enforced.
Result<CopyRecord> decode_copy(std::span<const std::byte> in);
Result<HashAnswer> decode_answer(std::span<const std::byte> in);

}  // namespace ha::replication
