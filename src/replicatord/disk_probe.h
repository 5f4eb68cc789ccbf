#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>

#include "base/time.h"

namespace ha::replicatord {

/// Asks whether the disks under a module's directories answer at all, in a thread of its own that
/// may hang with them. That something takes long proves nothing: a file of a terabyte is deleted in
/// its own time. A small write that never ends does.
class DiskProbe {
  public:
    /// `write` is one probe: it returns when the disk has answered, be it with an error.
    explicit DiskProbe(std::function<void()> write);
    /// Waits for a probe that runs.
    ~DiskProbe();
    DiskProbe(const DiskProbe&) = delete;
    DiskProbe& operator=(const DiskProbe&) = delete;

    // Any thread.
    /// Begins one, unless one runs.
    void ask();
    /// Since when one runs; none: the last one was answered.
    [[nodiscard]] std::optional<Instant> running_since() const;

  private:
    void loop();

    const std::function<void()> write_;
    mutable std::mutex mutex_;
    std::condition_variable changed_;
    std::optional<Instant> running_since_;
    bool stopping_ = false;
    std::thread thread_;
};

}  // namespace ha::replicatord
