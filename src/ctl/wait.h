#pragma once

#include <string>

#include "ctl/status_view.h"

// When `--wait` is over: pure, so that it can be tested without a daemon.

namespace ha::ctl {

enum class Order : std::uint8_t { Start, Stop, StopAll, Swap };

struct Verdict {
    enum class Kind : std::uint8_t { Pending, Done, Stuck };
    Kind kind = Kind::Pending;
    std::string text;  // what was reached, why it cannot be, or how far it is
};

/// Follows one order on one module from what was seen before it was given.
class Waiter {
  public:
    Waiter(Order order, std::string module, const ClusterStatus& before);

    /// `settled`: the order was taken long enough ago that the daemon has begun with it, so what
    /// has not moved by now is not going to.
    Verdict look(const ClusterStatus& now, bool settled);

  private:
    [[nodiscard]] Verdict look_start(const ModuleStatus& module, bool settled) const;
    [[nodiscard]] Verdict look_stop(const ModuleStatus& module) const;
    Verdict look_swap(const ModuleStatus& module);

    Order order_;
    std::string module_;
    std::string self_;
    NodeStatus before_;
    std::string primary_before_;
    bool moved_ = false;  // the swap was seen under way
};

}  // namespace ha::ctl
