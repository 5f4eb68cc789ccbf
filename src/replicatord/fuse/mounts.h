#pragma once

#include <sys/types.h>

#include <chrono>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "io/fd.h"

namespace ha::replicatord::fuse {

/// A line of /proc/thread-self/mountinfo (proc_pid_mountinfo(5)).
struct Mount {
    std::string point;
    std::string type;
    unsigned minor = 0;  // of a FUSE mount: the number of its connection
};

std::vector<Mount> read_mounts();

/// The mount type of ours.
inline constexpr const char* kMountType = "fuse.hamirror";

/// Ends one FUSE connection, never another that got its number later: numbers are used again at
/// once.
class Aborter {
  public:
    Aborter() = default;
    /// What is mounted on `point`, on top, must be this connection; ESTALE: it is not.
    static Result<Aborter> open(const std::string& point, unsigned connection);
    /// Every request, waiting or to come, fails with ECONNABORTED/ENOTCONN; a mount stays. Success
    /// if it is gone already.
    [[nodiscard]] Result<> abort() const;

  private:
    [[nodiscard]] Result<> force() const;

    /// The connection's file in the control file system, opened while the mount was there. None:
    /// there is no such file system here (containers).
    io::Fd control_;
    std::string point_;
    unsigned connection_ = 0;
};

/// `path` without symbolic links. Sends no request to a file system mounted there, dead or alive.
Result<std::string> real_path(const std::string& path);

/// Whether what is mounted on `point`, on top, is ours and this connection.
bool uppermost(const std::string& point, unsigned connection);

/// Aborts and removes every mount of ours that an earlier process left on `point`.
Result<> clear_old_mounts(const std::string& point);

/// A process that keeps a mount busy.
struct Holder {
    int pid = 0;
    std::string command;
    std::string what;  // "cwd", "root", "exe", "fd", "map"
};

/// The processes that hold something below `point`: /proc/PID/{cwd,root,exe,fd,maps}, as text; the
/// mount itself is not touched.
std::vector<Holder> find_holders(const std::string& point);
/// Of these, who holds something of the file system `device` (st_dev) and is not this process:
/// what was opened below a mount that has come over `point` since. No request is sent to it.
std::vector<Holder> find_holders(const std::string& point, dev_t device);

}  // namespace ha::replicatord::fuse
