#include "core/cluster/monitor.h"

namespace ha::cluster {

void Monitor::deaf(bool deaf, Instant at) {
    if (!deaf) {
        deaf_since_.reset();
    } else if (!deaf_since_) {
        deaf_since_ = at;
    }
    deaf_said_ = at;
}

bool Monitor::counts_as_deaf() const {
    return deaf_since_ && deaf_said_ >= *deaf_since_ + timing_.silent_after;
}

Monitor::Change Monitor::evidence(Instant at) {
    if (!last_ || at > *last_) last_ = at;
    if (deaf_since_ && at >= deaf_said_ + timing_.silent_after) deaf_since_.reset();
    if (!silent_ || deaf_since_) return Change::None;
    silent_ = false;
    overdue_ = false;
    return Change::Heard;
}

Monitor::Change Monitor::check(Instant now) {
    if (!last_) return Change::None;
    auto due = next_deadline();
    if (due && now > *due + timing_.silent_after / 4) {
        awake_ = now;
        deaf_since_.reset();
    }
    const bool deaf = counts_as_deaf();
    if (!silent_ && (deaf || now >= counted_from() + timing_.silent_after)) {
        silent_ = true;
        return Change::Silent;
    }
    if (silent_ && !overdue_ && (deaf || now >= counted_from() + timing_.take_after)) {
        overdue_ = true;
        return Change::Overdue;
    }
    return Change::None;
}

std::optional<Instant> Monitor::next_deadline() const {
    if (!last_ || overdue_) return std::nullopt;
    Instant due = counted_from() + (silent_ ? timing_.take_after : timing_.silent_after);
    return due;
}

}  // namespace ha::cluster
