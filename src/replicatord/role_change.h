#pragma once

#include "replicatord/filesystem.h"
#include "replicatord/mirror.h"

namespace ha::replicatord {

/// How long a system call that a modification has begun may take.
inline constexpr Duration kSystemCallPatience = 10s;
/// How long the kernel may wait for one page before a mount is given up.
inline constexpr Duration kInvalidationPatience = 10s;

/// What every new role begins with. Whoever waits is answered, nobody waits from now on, what has
/// begun has ended, and the kernel forgets what it cached under the role before; until the mirror
/// is given its role (serve, follow) it refuses modifications. ETIMEDOUT: the disk does not answer.
/// ECONNABORTED: a mount could not be invalidated and is dead.
///
/// From a thread that no reply waits for.
Result<> begin_role(Mirror& mirror, FileSystem& files, Role role);

}  // namespace ha::replicatord
