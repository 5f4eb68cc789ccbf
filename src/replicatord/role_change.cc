#include "replicatord/role_change.h"

#include <cerrno>
#include <condition_variable>
#include <mutex>

namespace ha::replicatord {
namespace {

/// Lets a time pass without a thread that only sleeps being needed elsewhere.
void let_pass(Duration duration) {
    if (duration <= Duration::zero()) return;
    std::mutex mutex;
    std::condition_variable never;
    std::unique_lock lock(mutex);
    never.wait_for(lock, duration, [] { return false; });
}

}  // namespace

// The order matters. A write that is not answered keeps its page locked, and a stored-to mapping is
// written out by the invalidation itself: neither may be waiting for the role that begins here.
Result<> begin_role(Mirror& mirror, FileSystem& files, Role role) {
    mirror.withdraw();
    if (!mirror.wait_until_left(kSystemCallPatience))
        return fail(
            "a modification begun under the role before has not come back from the disk; until it "
            "has, this node can take no other role",
            ETIMEDOUT);
    files.set_role(role);
    auto names = files.invalidate_all(kInvalidationPatience);
    if (!names) return tl::unexpected(names.error());
    let_pass(*names);
    return {};
}

}  // namespace ha::replicatord
