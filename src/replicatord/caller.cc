#include "replicatord/caller.h"

#include <linux/capability.h>
#include <linux/securebits.h>
#include <sched.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/assert.h"

namespace ha::replicatord {
namespace {

thread_local std::uint32_t current_uid = 0;
thread_local std::uint32_t current_gid = 0;

/// Of this thread only: the library's wrappers would change all threads, or need libcap.
void drop_effective(unsigned capability) {
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    __user_cap_data_struct data[2]{};
    if (::syscall(SYS_capget, &header, data) != 0) return;
    data[capability / 32].effective &= ~(1U << (capability % 32));
    static_cast<void>(::syscall(SYS_capset, &header, data));
}

}  // namespace

void prepare_worker_thread() {
    HA_ASSERT(::unshare(CLONE_FS) == 0);
    // Else setfsuid(2) to a user would take CAP_DAC_OVERRIDE and friends away, and a caller that
    // may write a directory by a supplementary group only would be refused.
    HA_ASSERT(::prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP, 0, 0, 0) == 0);
    drop_effective(CAP_SYS_RESOURCE);
    ::umask(0);
}

bool become_io_flusher() {
    return ::prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0) == 0;
}

void act_for(std::uint32_t uid, std::uint32_t gid) {
    if (gid != current_gid) ::setfsgid(gid);
    if (uid != current_uid) ::setfsuid(uid);
    current_uid = uid;
    current_gid = gid;
}

void use_umask(std::uint32_t mask) {
    ::umask(static_cast<mode_t>(mask & 0777U));
}

}  // namespace ha::replicatord
