#include <algorithm>
#include <cstring>

#include "api/bus.h"
#include "ctl/daemon.h"
#include "io/clock.h"

namespace ha::ctl {
namespace {

constexpr Duration kBusRetry = 1s;

std::uint64_t usec_until(const std::optional<Instant>& when) {
    if (!when) return UINT64_MAX;
    const auto left = *when - io::boot_now();
    if (left <= Duration::zero()) return 0;
    return static_cast<std::uint64_t>(std::chrono::ceil<std::chrono::microseconds>(left).count());
}

std::optional<Instant> earlier(const std::optional<Instant>& a, const std::optional<Instant>& b) {
    if (!a || !b) return a ? a : b;
    return std::min(*a, *b);
}

}  // namespace

Follower::Follower(Daemon& daemon) : daemon_(&daemon) {}

Outcome<> Follower::subscribe() {
    changed_.reset();
    owner_.reset();
    sd_bus* bus = daemon_->raw();
    sd_bus_slot* raw = nullptr;
    int code = sd_bus_match_signal(bus, &raw, api::bus::kName, api::bus::kClusterPath,
                                   api::bus::kCluster, "Changed", on_changed, this);
    changed_.reset(raw);
    if (code >= 0) {
        raw = nullptr;
        code = sd_bus_add_match(
            bus, &raw,
            "type='signal',sender='org.freedesktop.DBus',member='NameOwnerChanged',"
            "arg0='org.hamirror'",
            on_owner, this);
        owner_.reset(raw);
    }
    if (code >= 0) return {};
    return failed(Exit::Unreachable,
                  std::string("The system bus does not answer: ") + std::strerror(-code));
}

int Follower::on_changed(sd_bus_message* message, void* self, sd_bus_error*) noexcept {
    auto* follower = static_cast<Follower*>(self);
    const char* json = nullptr;
    if (sd_bus_message_read(message, "s", &json) < 0) return 0;
    auto parsed = parse_status(json);
    if (!parsed) return 0;
    follower->seen_ = Seen{json, std::move(*parsed)};
    follower->news_ = true;
    return 0;
}

int Follower::on_owner(sd_bus_message* message, void* self, sd_bus_error*) noexcept {
    auto* follower = static_cast<Follower*>(self);
    const char* name = nullptr;
    const char* before = nullptr;
    const char* after = nullptr;
    if (sd_bus_message_read(message, "sss", &name, &before, &after) < 0) return 0;
    follower->seen_.reset();
    follower->news_ = true;
    follower->stale_ = *after != '\0';
    return 0;
}

Outcome<> Follower::reread() {
    stale_ = false;
    news_ = true;
    auto seen = daemon_->status();
    if (seen) {
        seen_ = std::move(*seen);
        return {};
    }
    seen_.reset();
    if (seen.error().exit == Exit::Unreachable) return {};
    return tl::unexpected(seen.error());
}

Outcome<bool> Follower::show(const See& see) {
    if (stale_) {
        if (auto read = reread(); !read) return tl::unexpected(read.error());
    }
    news_ = false;
    return see(seen_ ? &*seen_ : nullptr);
}

/// Handles one message, or waits for one.
Outcome<> Follower::turn(std::optional<Instant> until) {
    int code = sd_bus_process(daemon_->raw(), nullptr);
    if (code == 0) code = sd_bus_wait(daemon_->raw(), usec_until(until));
    if (code == -EINTR || code >= 0) return {};
    return renew_bus();
}

Outcome<> Follower::renew_bus() {
    const bool knew = seen_.has_value();
    seen_.reset();
    news_ = knew;
    const timespec pause{kBusRetry / 1s, 0};
    nanosleep(&pause, nullptr);
    auto again = Daemon::connect();
    if (!again) return {};
    changed_.reset();
    owner_.reset();
    *daemon_ = std::move(*again);
    if (subscribe()) stale_ = news_ = true;
    return {};
}

Outcome<bool> Follower::follow(const std::optional<Instant>& deadline,
                               const std::optional<Instant>& look_again, const See& see) {
    stale_ = news_ = true;
    std::optional<Instant> second_look = look_again;
    for (;;) {
        const auto now = io::boot_now();
        const bool look = second_look && now >= *second_look;
        if (look) second_look.reset();
        if (news_ || look) {
            auto over = show(see);
            if (!over || *over) return over;
        }
        if (deadline && now >= *deadline) return false;
        if (auto turned = turn(earlier(deadline, second_look)); !turned) {
            return tl::unexpected(turned.error());
        }
    }
}

}  // namespace ha::ctl
