#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/replication/copy.h"
#include "replicatord/tree.h"

// System calls on one inode that take any descriptor, O_PATH included, and never follow a symbolic
// link. Shared by the applier and the resync. Errors carry errno.

namespace ha::replicatord {

using replication::FileTime;
using replication::Xattr;

/// Loops until all is written.
Result<> write_all(int fd, std::span<const std::byte> data, std::uint64_t offset);

Result<> set_owner(int fd, std::uint32_t uid, std::uint32_t gid);
/// Permission bits; nothing to do for a symbolic link.
Result<> set_mode(int fd, std::uint32_t mode);
/// nullptr: left as it is.
Result<> set_times(int fd, const FileTime* atime, const FileTime* mtime);

/// Every attribute but ours. E2BIG: more or larger ones than a record carries.
Result<std::vector<Xattr>> read_xattrs(int fd);
Result<> set_xattr(int fd, const Xattr& xattr);
Result<> remove_xattr(int fd, const std::string& name);
/// Adds, changes and removes until the inode carries exactly these (and ours).
Result<> set_exact_xattrs(int fd, const std::vector<Xattr>& wanted);

Result<struct stat> status(int fd);
/// ENOENT: no such entry.
Result<struct stat> entry_status(int directory, const std::string& name);
/// O_PATH, not followed.
Result<Fd> open_entry_path(int directory, const std::string& name);
Result<std::string> read_target(int fd);
/// Names in a directory, without "." and "..".
Result<std::vector<std::string>> entry_names(int directory);

/// Everything a CopyFinal or CopyListed carries.
Result<replication::Attributes> read_attributes(int fd);

inline FileTime file_time(const timespec& time) {
    return {time.tv_sec, static_cast<std::uint32_t>(time.tv_nsec)};
}
inline bool same_inode(const struct stat& a, const struct stat& b) {
    return a.st_ino == b.st_ino && a.st_dev == b.st_dev;
}

}  // namespace ha::replicatord
