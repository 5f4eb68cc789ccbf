#pragma once

#include <string>

#include "ctl/status_view.h"

// When `--wait` is over: pure, so that it can be tested without a daemon.

namespace ha::ctl {

/// Lead: none was given, for `to` was primary already; it may still be starting the application.
enum class Order : std::uint8_t { Start, Stop, StopAll, Swap, Lead, Restart };

struct Verdict {
    enum class Kind : std::uint8_t { Pending, Done, Stuck };
    Kind kind = Kind::Pending;
    std::string text;  // what was reached, why it cannot be, or how far it is
};

/// Follows one order on one module from what was seen before it was given.
class Waiter {
  public:
    /// `to`: of a swap to a named node; else empty.
    Waiter(Order order, std::string module, const ClusterStatus& before, std::string to = "");

    /// `settled`: the order was taken long enough ago that the daemon has begun with it, so what
    /// has not moved by now is not going to.
    Verdict look(const ClusterStatus& now, bool settled);

  private:
    [[nodiscard]] Verdict look_start(const ModuleStatus& module, bool settled) const;
    [[nodiscard]] Verdict look_stop(const ModuleStatus& module) const;
    Verdict look_swap(const ModuleStatus& module);
    [[nodiscard]] Verdict look_lead(const ModuleStatus& module) const;
    Verdict look_restart(const ModuleStatus& module, bool settled);

    Order order_;
    std::string module_;
    std::string self_;
    std::string to_;
    NodeStatus before_;
    std::string primary_before_;
    std::int64_t since_before_ = 0;
    bool moved_ = false;  // the swap, the restart was seen under way
};

/// What `swap --when-synced` waits for before it gives its order. Done: both nodes are in sync and
/// ready, or the order itself is what answers (`to` is primary; there is no such module or node).
/// Else Pending, and the text says how far it is.
Verdict look_synced(const ClusterStatus& now, const std::string& module, const std::string& to);

}  // namespace ha::ctl
