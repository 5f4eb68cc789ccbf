#include "clusterd/ping_targets.h"

#include <utility>

#include "io/clock.h"
#include "io/log.h"

namespace ha::clusterd {
namespace {

constexpr Duration kAtLeisure = 1s;
// For people: two probes may be lost.
constexpr Duration kFresh = 3 * kAtLeisure;

}  // namespace

PingTargets::PingTargets(io::Loop& loop, const std::string& module,
                         std::vector<std::string> targets, Duration heartbeat, Callbacks callbacks)
    : targets_(std::move(targets)),
      heartbeat_(heartbeat),
      callbacks_(std::move(callbacks)),
      answered_at_(targets_.size()),
      timer_(loop) {
    if (targets_.empty()) return;
    auto pinger = io::Pinger::open(
        loop, targets_, [this](std::size_t target, Instant sent) { note(target, sent); });
    if (pinger) {
        pinger_ = std::move(*pinger);
        pinger_->every(kAtLeisure);
        shown_ = view();
        timer_.arm(io::boot_now() + kAtLeisure, [this] { look(); });
    } else {
        trouble_ = pinger.error().text;
        io::log(io::Level::Error, module + ": " + trouble_);
    }
}

void PingTargets::heard() {
    if (pinger_) pinger_->every(kAtLeisure);
}

void PingTargets::silent() {
    if (pinger_) pinger_->every(heartbeat_);
}

void PingTargets::note(std::size_t target, Instant sent) {
    auto& newest = answered_at_[target];
    if (!newest || sent > *newest) newest = sent;
    callbacks_.answered(sent);
}

/// For people: what they see is made anew only when it changes.
void PingTargets::look() {
    timer_.arm(io::boot_now() + kAtLeisure, [this] { look(); });
    auto now = view();
    if (std::exchange(shown_, now) != now) callbacks_.changed();
}

std::string PingTargets::view() const {
    if (!trouble_.empty()) return trouble_;
    std::string out;
    for (std::size_t i = 0; i < targets_.size(); ++i) {
        const auto& at = answered_at_[i];
        const bool answers = at && io::boot_now() - *at <= kFresh;
        out += (i == 0 ? "" : "; ") + targets_[i] + (answers ? " answers" : " does NOT answer");
    }
    return out;
}

}  // namespace ha::clusterd
