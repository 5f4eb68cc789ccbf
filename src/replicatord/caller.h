#pragma once

#include <cstdint>

namespace ha::replicatord {

/// Makes the calling thread one that can act for callers: with a umask of its own, its capabilities
/// kept whatever its file-system user is, and without the right to eat into space and quota that
/// belong to root. Once, at the start of a worker thread.
void prepare_worker_thread();

/// The calling thread, and every one that it starts later, is one that memory is cleaned through:
/// when it asks for memory the kernel writes nothing back for it that could come to our own mount
/// and wait for this very thread. false: not allowed (CAP_SYS_RESOURCE).
bool become_io_flusher();

/// New inodes of this thread belong to this user and group, and quota and reserved blocks are
/// judged by them. Lasts until the next call. Permissions are not judged by them: the kernel has
/// checked those before it asked us (default_permissions).
void act_for(std::uint32_t uid, std::uint32_t gid);

/// umask(2) of this thread alone.
void use_umask(std::uint32_t mask);

}  // namespace ha::replicatord
