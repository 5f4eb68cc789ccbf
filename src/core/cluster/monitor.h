#pragma once

#include <algorithm>
#include <optional>

#include "base/time.h"

// The peer monitor: is there evidence that the other node lives? Evidence is an authenticated
// heartbeat on any network or any frame on a mirror stream, counted from when it arrived. A peer
// that is heard but says, for silent_after without a break, that it has not heard us for take_after
// counts as silent: what it still sends proves that it lives, not that it can go on. What it said
// longer than silent_after ago is no word any more.
//
// A check that comes long after it was due says that this node was stopped, not that the other is
// silent: what came meanwhile waits to be read. The times are counted anew from there.
//
// One monitor serves one module (the timing is the module's). Pure: time is in the calls.

namespace ha::cluster {

struct Timing {
    Duration heartbeat = 100ms;
    Duration silent_after = 1s;
    Duration demote_after = 1500ms;
    Duration kill_bound = 500ms;
    Duration take_after = 2200ms;
};

class Monitor {
  public:
    enum class Change { None, Heard, Silent, Overdue };

    /// Starts silent and overdue: a peer never heard is not missed.
    explicit Monitor(Timing timing) : timing_(timing) {}

    /// Evidence that arrived at `at` (not later than now). Heard: it was silent before.
    Change evidence(Instant at);
    /// The peer's own word, said at `at`, whether it is cut off from us. A new connection with it
    /// that works both ways says that it is not.
    void deaf(bool deaf, Instant at);
    /// Call at next_deadline() or whenever; each of Silent and Overdue is told once, Silent first.
    Change check(Instant now);
    [[nodiscard]] std::optional<Instant> next_deadline() const;
    [[nodiscard]] bool silent() const { return silent_; }
    [[nodiscard]] std::optional<Instant> last_evidence() const { return last_; }

  private:
    [[nodiscard]] Instant counted_from() const { return std::max(*last_, awake_); }
    [[nodiscard]] bool counts_as_deaf() const;

    Timing timing_;
    std::optional<Instant> last_;
    Instant awake_ = Instant::min();  // this node ran again
    std::optional<Instant> deaf_since_;
    Instant deaf_said_ = Instant::min();  // last
    bool silent_ = true;
    bool overdue_ = true;
};

}  // namespace ha::cluster
