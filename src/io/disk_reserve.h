#pragma once

#include <sys/types.h>

#include <string>

namespace ha::io {

/// Blocks of a file system that nobody else can have, for what has to be written when it is full:
/// a file of `bytes` that holds nothing. Whoever meets ENOSPC gives them up, and takes them again
/// once there is room. No promise: somebody else may be quicker to use what was given up.
class DiskReserve {
  public:
    DiskReserve(std::string path, off_t bytes) : path_(std::move(path)), bytes_(bytes) {}

    /// Makes the file if it is not there. A full disk is no error: the next call tries again.
    void keep() const;
    /// True if there were blocks to give up.
    [[nodiscard]] bool give_up() const;

  private:
    std::string path_;
    off_t bytes_;
};

}  // namespace ha::io
