#include "core/cluster/monitor.h"

namespace ha::cluster {

Monitor::Change Monitor::evidence(Instant at) {
    if (!last_ || at > *last_) last_ = at;
    if (!silent_ || deaf_) return Change::None;
    silent_ = false;
    overdue_ = false;
    return Change::Heard;
}

Monitor::Change Monitor::check(Instant now) {
    if (!last_) return Change::None;
    bool quiet = deaf_ || now >= *last_ + timing_.silent_after;
    if (!silent_ && quiet) {
        silent_ = true;
        return Change::Silent;
    }
    bool gone = deaf_ || now >= *last_ + timing_.take_after;
    if (silent_ && !overdue_ && gone) {
        overdue_ = true;
        return Change::Overdue;
    }
    return Change::None;
}

std::optional<Instant> Monitor::next_deadline() const {
    if (!last_ || overdue_) return std::nullopt;
    if (deaf_) return *last_;
    return *last_ + (silent_ ? timing_.take_after : timing_.silent_after);
}

}  // namespace ha::cluster
