#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <optional>

#include "base/time.h"

namespace ha {

/// How long what a module holds on this node (addresses, units, the mirror's answers) may still be
/// held: 2-safety, "Single execution". It lives in memory that several processes share, so that
/// ha-clusterd and the mirror renew it without a message and each worker enforces it by itself.
///
/// Bounded: it runs out `bound` after the sending of the newest probe that the other node is known
/// to have received. That node counts the silence after which it takes over from receiving it, so
/// it cannot have begun to. Run out, it stays so for everybody, whatever is confirmed later, until
/// begin() or end(). Times are of this boot: the memory must not outlive it.
///
/// All zero is a valid lease that is not bounded. Each call may come from any process or thread;
/// begin() and end() from one only.
class Lease {
  public:
    enum class By : std::uint8_t { Heartbeat, Mirror };

    /// The other node has received what was sent at `sent`, by a heartbeat or on the mirror stream.
    /// Never shortens it. Also while it is not bounded.
    void confirm(By by, Instant sent) {
        auto& confirmed = confirmed_[static_cast<std::size_t>(by)];
        std::int64_t known = confirmed.load();
        const std::int64_t fresh = sent.time_since_epoch().count();
        while (fresh > known && !confirmed.compare_exchange_weak(known, fresh)) {
        }
    }

    /// A new one, bounded, as if something sent `now` were confirmed: the decision it is held under
    /// was agreed to by the other node just now. Instant{}: it was not, and only what was confirmed
    /// counts.
    void begin(Instant now, Duration bound) {
        bounded_ = 0;
        confirm(By::Heartbeat, now);
        bound_ = bound.count();
        ++number_;
        bounded_ = 1;
    }
    /// It has run out, whatever was confirmed. Nothing if it is not bounded. Whoever enforces it
    /// has to look.
    void revoke() {
        if (bounded()) expired_ = number_.load();
    }
    /// Nobody else may take the module over: no expiry.
    void end() { bounded_ = 0; }

    [[nodiscard]] bool bounded() const { return bounded_ != 0; }
    /// None: not bounded.
    [[nodiscard]] std::optional<Instant> expiry() const {
        if (!bounded()) return std::nullopt;
        const auto newest = std::max(confirmed_[0].load(), confirmed_[1].load());
        return Instant(Duration(newest + bound_.load()));
    }
    /// Whether it has run out, also by what another process saw. Asking at or after the expiry
    /// makes it so.
    bool expired(Instant now) {
        const std::uint64_t number = number_;
        const auto at = expiry();
        if (!at) return false;
        if (expired_ == number) return true;
        if (now < *at) return false;
        expired_ = number;
        return true;
    }

  private:
    std::atomic<std::uint64_t> bounded_{0};
    std::atomic<std::uint64_t> number_{0};
    std::atomic<std::uint64_t> expired_{0};  // the number of the last one that ran out
    std::atomic<std::int64_t> bound_{0};
    std::atomic<std::int64_t> confirmed_[2]{};  // by By; nanoseconds of CLOCK_BOOTTIME

    static_assert(std::atomic<std::uint64_t>::is_always_lock_free);
};

}  // namespace ha
