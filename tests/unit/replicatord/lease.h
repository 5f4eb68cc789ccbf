#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>

#include <csignal>
#include <cstring>
#include <string>
#include <thread>

#include "io/fd.h"

namespace ha::replicatord {

/// Nobody can open this file while it exists: open(2) waits (fcntl(2), F_SETLEASE). A disk that
/// takes its time, at a place of our choice. Nobody may have it open when it begins.
class Lease {
  public:
    explicit Lease(const std::string& path) : fd_(::open(path.c_str(), O_RDWR | O_CLOEXEC)) {
        ::signal(SIGIO, SIG_IGN);  // how the kernel tells that somebody waits
        EXPECT_EQ(::fcntl(fd_.get(), F_SETLEASE, F_WRLCK), 0) << path << std::strerror(errno);
    }
    ~Lease() { end(); }
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;

    void wait_until_somebody_waits() const {
        while (::fcntl(fd_.get(), F_GETLEASE) == F_WRLCK) std::this_thread::yield();
    }
    void end() { ::fcntl(fd_.get(), F_SETLEASE, F_UNLCK); }

  private:
    io::Fd fd_;
};

}  // namespace ha::replicatord
