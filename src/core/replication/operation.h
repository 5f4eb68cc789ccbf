#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/strong.h"

// Every modification of a mirrored tree is one Operation: the primary makes it locally, takes its
// number under the order locks of every inode touched, and sends it; the secondary applies
// operations in the order of their numbers. Operations name files by id, never by path, and carry
// results (the mode that came out, the times that came out), never wishes: the secondary repeats
// what happened, it decides nothing.

namespace ha::replication {

/// Nanoseconds since 1970 on the primary's file system, in the two parts of a struct timespec.
struct FileTime {
    std::int64_t seconds = 0;
    std::uint32_t nanoseconds = 0;
    auto operator<=>(const FileTime&) const = default;
};

struct Xattr {
    std::string name;  // at most 255 bytes
    std::vector<std::byte> value;
    auto operator<=>(const Xattr&) const = default;
};

/// The modification time a file had after the operation (of a directory too: creating an entry
/// changes its parent's). Applied last, or the secondary's own system calls would overwrite it.
struct TimeStamp {
    FileId id;
    FileTime mtime;
    auto operator<=>(const TimeStamp&) const = default;
};

struct Write {
    FileId id;
    std::uint64_t offset = 0;
    std::vector<std::byte> data;  // at most kMaxData
    bool durable = false;         // O_DSYNC: the acknowledgement means "on disk"
};

/// mknod, mkdir, symlink, create and O_TMPFILE in one: an inode with id `id` appears. `mode` holds
/// type and permission bits as they came out, umask and default ACL applied.
struct Create {
    FileId parent;
    std::string name;  // 1..255 bytes, no '/' and no NUL; empty: without a name, in the orphan
                       // directory of the root that holds `parent` (O_TMPFILE)
    FileId id;
    std::uint32_t mode = 0;
    std::uint32_t uid = 0;
    std::uint32_t gid = 0;
    std::uint64_t device = 0;   // st_rdev of a device node
    std::string target;         // of a symbolic link, at most 4095 bytes
    std::vector<Xattr> xattrs;  // ACLs and labels the new inode came with
};

struct Link {
    FileId id;
    FileId parent;
    std::string name;
};

/// unlink and rmdir. `kept`: the primary moved the inode, its last name gone but still open, to its
/// orphan directory; the secondary does the same, until Release.
struct Unlink {
    FileId parent;
    std::string name;
    FileId id;
    bool kept = false;
};

struct Rename {
    FileId old_parent;
    std::string old_name;
    FileId new_parent;
    std::string new_name;
    FileId id;
    FileId replaced;          // value 0: there was nothing at the new name
    bool kept = false;        // of `replaced`, as in Unlink
    std::uint32_t flags = 0;  // RENAME_NOREPLACE, RENAME_EXCHANGE, RENAME_WHITEOUT
    FileId whiteout;          // the character device RENAME_WHITEOUT left behind, else 0
};

/// Only what `mask` names. Owner is applied before mode (chown clears set-uid), size before times.
struct SetAttributes {
    enum Mask : std::uint32_t { kMode = 1, kOwner = 2, kSize = 4, kAtime = 8, kMtime = 16 };
    FileId id;
    std::uint32_t mask = 0;
    std::uint32_t mode = 0;  // permission bits
    std::uint32_t uid = 0;
    std::uint32_t gid = 0;
    std::uint64_t size = 0;
    FileTime atime;
    FileTime mtime;
};

struct SetXattr {
    FileId id;
    Xattr xattr;
};

struct RemoveXattr {
    FileId id;
    std::string name;
};

/// fallocate(2) with the mode bits it was called with.
struct Allocate {
    FileId id;
    std::uint32_t mode = 0;
    std::uint64_t offset = 0;
    std::uint64_t length = 0;
};

/// The inode (of a file or directory) is durable when this is acknowledged. It runs after every
/// earlier operation of its inode and every earlier namespace operation.
struct Fsync {
    FileId id;
    bool data_only = false;
};

/// The last descriptor of an inode without a name was closed: its orphan may go.
struct Release {
    FileId id;
};

using Body = std::variant<Write, Create, Link, Unlink, Rename, SetAttributes, SetXattr, RemoveXattr,
                          Allocate, Fsync, Release>;

struct Operation {
    Body body;
    std::vector<TimeStamp> stamps;  // at most kMaxStamps
};

inline constexpr std::size_t kMaxData = 1U << 20;
inline constexpr std::size_t kMaxStamps = 4;
inline constexpr std::size_t kMaxName = 255;
inline constexpr std::size_t kMaxTarget = 4095;
inline constexpr std::size_t kMaxXattrValue = 65536;
inline constexpr std::size_t kMaxXattrs = 64;

/// Appends the encoding of docs/protocol.md.
void encode(const Operation& operation, std::vector<std::byte>& out);

/// Reads exactly one operation from bytes nobody has checked; every bound above is enforced, names
/// are checked, unknown types and left-over bytes are errors.
Result<Operation> decode(std::span<const std::byte> in);

}  // namespace ha::replication
