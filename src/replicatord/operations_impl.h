#pragma once

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <string>

#include "replicatord/operations.h"

// Private to operations*.cc.

namespace ha::replicatord {

/// Steps 1 and 6 of journal.h around a modification: declared before the order locks, so that it
/// leaves after they are released.
class Admission {
  public:
    explicit Admission(Journal& journal) : journal_(journal), error_(journal.admit()) {}
    ~Admission() {
        if (error_ == 0) journal_.leave();
    }
    Admission(const Admission&) = delete;
    Admission& operator=(const Admission&) = delete;
    /// 0, or the errno to answer with.
    [[nodiscard]] int error() const { return error_; }

  private:
    Journal& journal_;
    const int error_;
};

inline replication::FileTime file_time(const timespec& time) {
    return {time.tv_sec, static_cast<std::uint32_t>(time.tv_nsec)};
}

/// The time stamp of the inode behind a descriptor, as it is now.
inline replication::TimeStamp stamp_of(FileId id, int fd) {
    struct stat now {};
    // Fails on a broken disk only; then the next call on it fails, too, and says so.
    static_cast<void>(::fstat(fd, &now));
    return {id, file_time(now.st_mtim)};
}

inline constexpr int kDirectory = O_RDONLY | O_DIRECTORY;

}  // namespace ha::replicatord
