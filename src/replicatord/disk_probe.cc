#include "replicatord/disk_probe.h"

#include <utility>

#include "io/clock.h"

namespace ha::replicatord {

DiskProbe::DiskProbe(std::function<void()> write)
    : write_(std::move(write)), thread_([this] { loop(); }) {}

DiskProbe::~DiskProbe() {
    {
        std::scoped_lock lock(mutex_);
        stopping_ = true;
    }
    changed_.notify_all();
    thread_.join();
}

void DiskProbe::ask() {
    {
        std::scoped_lock lock(mutex_);
        if (running_since_) return;
        running_since_ = io::boot_now();
    }
    changed_.notify_all();
}

std::optional<Instant> DiskProbe::running_since() const {
    std::scoped_lock lock(mutex_);
    return running_since_;
}

void DiskProbe::loop() {
    std::unique_lock lock(mutex_);
    for (;;) {
        changed_.wait(lock, [this] { return stopping_ || running_since_; });
        if (stopping_) return;
        lock.unlock();
        write_();
        lock.lock();
        running_since_.reset();
    }
}

}  // namespace ha::replicatord
