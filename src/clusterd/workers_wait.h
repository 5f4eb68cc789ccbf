#pragma once

#include <functional>
#include <vector>

#include "io/loop.h"

namespace ha::clusterd {

/// Orders that need ha-vipd and ha-watchdog, held while these connect. Each is called once: with
/// true when they are there, with false `bound` after the first of them was held.
class WorkersWait {
  public:
    using Go = std::function<void(bool there)>;

    explicit WorkersWait(io::Loop& loop, Duration bound = 10s) : timer_(loop), bound_(bound) {}

    void hold(Go go);
    void release(bool there);

  private:
    io::Timer timer_;
    Duration bound_;
    std::vector<Go> held_;
};

}  // namespace ha::clusterd
