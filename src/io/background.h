#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

#include "io/loop.h"

namespace ha::io {

/// One thread for work that may block (an fsync, a call to systemd), so that the loop never does.
/// Work runs in the order given; its answer is posted to the loop. Give work only from the loop's
/// thread. The destructor waits for the work under way and drops the rest.
class Background {
  public:
    explicit Background(Loop& loop);
    ~Background();
    Background(const Background&) = delete;
    Background& operator=(const Background&) = delete;

    /// `work` runs in the thread and returns what the loop shall run afterwards (may be empty).
    void run(std::function<std::function<void()>()> work);

  private:
    void serve();

    Loop& loop_;
    std::mutex mutex_;
    std::condition_variable wake_;
    std::deque<std::function<std::function<void()>()>> queue_;
    bool stopping_ = false;
    std::thread thread_;
};

}  // namespace ha::io
