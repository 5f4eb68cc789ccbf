#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <optional>
#include <string>

#include "base/id128.h"
#include "base/result.h"
#include "base/strong.h"
#include "replicatord/file_handle.h"

namespace ha::replicatord {

/// All attributes of ours; invisible through the mount and refused there.
inline constexpr const char* kOwnXattrPrefix = "trusted.hamirror.";
inline constexpr const char* kIdentityXattr = "trusted.hamirror.id";

/// What an identity is bound to: it counts only on the very inode it was given to.
struct IdentityBinding {
    Id128 module;
    std::uint64_t file_system = 0;
    std::uint64_t inode = 0;
    FileHandle handle;
};

/// The identity in the attribute `value`, nullopt unless it is whole and bound to `binding`
/// (docs/formats.md, "Identity").
std::optional<FileId> read_identity(const std::string& value, const IdentityBinding& binding);
std::string write_identity(FileId id, const IdentityBinding& binding);

/// "/proc/self/fd/N" or "/proc/self/fd/N/NAME": a path for calls that take no O_PATH descriptor.
/// Only for the l...xattr calls if there is a name: symbolic links must not be followed.
std::string proc_path(int fd, const char* name = "");

}  // namespace ha::replicatord
