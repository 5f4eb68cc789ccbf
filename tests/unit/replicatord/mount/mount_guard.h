#pragma once

#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <future>
#include <string>
#include <thread>

#include "io/fd.h"

namespace ha::replicatord {

/// A process that both serves a mount and uses it must not be killed: its threads that serve are
/// gone at once, the one that waits for them never ends, and with it the mount stays. The guard is
/// a process of its own that notices (a robust mutex, held by a thread that does nothing else) and
/// aborts the connection.
class MountGuard {
  public:
    MountGuard(unsigned connection, std::string point) : point_(std::move(point)) {
        const std::string path =
            "/sys/fs/fuse/connections/" + std::to_string(connection) + "/abort";
        abort_ = io::Fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
        mutex_ = static_cast<pthread_mutex_t*>(::mmap(nullptr, sizeof(pthread_mutex_t),
                                                      PROT_READ | PROT_WRITE,
                                                      MAP_SHARED | MAP_ANONYMOUS, -1, 0));
        pthread_mutexattr_t attributes;
        pthread_mutexattr_init(&attributes);
        pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
        pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
        pthread_mutex_init(mutex_, &attributes);
        std::promise<void> locked;
        holder_ = std::thread([this, &locked] {
            pthread_mutex_lock(mutex_);
            locked.set_value();
            over_.get_future().wait();
            pthread_mutex_unlock(mutex_);
        });
        locked.get_future().wait();
        guard_ = ::fork();
        if (guard_ == 0) watch();
    }
    ~MountGuard() {
        over_.set_value();
        holder_.join();
        ::waitpid(guard_, nullptr, 0);
        ::munmap(mutex_, sizeof(*mutex_));
    }
    MountGuard(const MountGuard&) = delete;
    MountGuard& operator=(const MountGuard&) = delete;

  private:
    [[noreturn]] void watch() {
        // Nothing of the parent's may live on here: locks, pipes, the FUSE descriptor.
        ::dup2(abort_.get(), 0);
        ::close_range(1, ~0U, 0);
        ::setsid();
        if (pthread_mutex_lock(mutex_) == EOWNERDEAD) {
            [[maybe_unused]] ssize_t ignored = ::write(0, "1", 1);
            ::umount2(point_.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW);
        }
        ::_exit(0);
    }

    std::string point_;
    io::Fd abort_;
    pthread_mutex_t* mutex_ = nullptr;
    std::promise<void> over_;
    std::thread holder_;
    pid_t guard_ = -1;
};

}  // namespace ha::replicatord
