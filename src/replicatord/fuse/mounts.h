#pragma once

#include <sys/types.h>

#include <chrono>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "io/fd.h"

namespace ha::replicatord::fuse {

/// A line of /proc/self/mountinfo (proc_pid_mountinfo(5)).
struct Mount {
    std::string point;
    std::string type;
    unsigned minor = 0;  // of a FUSE mount: the number of its connection
};

std::vector<Mount> read_mounts();

/// The mount type of ours.
inline constexpr const char* kMountType = "fuse.hamirror";

/// Ends one FUSE connection. It is opened while the mount is there and means that connection for
/// ever: the number of one that is gone is soon another's.
class Aborter {
  public:
    Aborter() = default;
    /// ENOENT: there is no such connection. The caller then makes sure that the mount still is the
    /// one it meant.
    static Result<Aborter> open(unsigned connection);
    /// Every request, waiting or to come, fails with ECONNABORTED/ENOTCONN. Success if it is gone
    /// already.
    [[nodiscard]] Result<> abort() const;

  private:
    explicit Aborter(io::Fd fd) : fd_(std::move(fd)) {}
    io::Fd fd_;
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
