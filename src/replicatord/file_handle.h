#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/result.h"
#include "io/fd.h"

namespace ha::replicatord {

/// What name_to_handle_at(2) says of an inode: its number and generation in the file system's own
/// words. Two inodes of one file system never have equal handles, not even one after the other.
struct FileHandle {
    static constexpr std::size_t kCapacity = 40;  // ext4 8, XFS 12, btrfs 20, overlayfs 33

    std::int32_t type = 0;
    std::uint8_t length = 0;
    std::array<unsigned char, kCapacity> bytes{};

    bool operator==(const FileHandle&) const = default;
};

struct HandleAt {
    FileHandle handle;
    int mount_id = 0;  // names the mount; a mount point in the tree shows as another one
};

/// Of the entry `name` of the directory `fd`, not followed; of `fd` itself if `name` is empty.
Result<HandleAt> handle_at(int fd, const char* name);

/// open_by_handle_at(2) on the file system that `mount` is on. ESTALE: the inode is gone.
Result<io::Fd> open_handle(int mount, const FileHandle& handle, int flags);

/// What names a file system for good: the UUID (XFS) or f_fsid where that is made from the UUID.
Result<std::uint64_t> file_system_id(int fd);

/// A failed system call in words: "cannot WHAT: strerror".
tl::unexpected<Error> call_failed(const char* what, int error);

}  // namespace ha::replicatord
