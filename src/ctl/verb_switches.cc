#include <algorithm>
#include <iostream>

#include "ctl/daemon.h"
#include "ctl/verbs.h"
#include "io/clock.h"

// failover on, off; enable, disable: what holds until it is said otherwise.

namespace ha::ctl {
namespace {

/// Both nodes write it down at once or one of them is in trouble.
constexpr Duration kRecorded = 10s;

/// All of them, if none is named.
Outcome<std::vector<std::string>> wanted_modules(Daemon& daemon, const std::string& module) {
    if (!module.empty()) return std::vector<std::string>{module};
    auto seen = daemon.status();
    if (!seen) return tl::unexpected(seen.error());
    std::vector<std::string> names;
    for (const auto& each : seen->status.modules) names.push_back(each.module);
    if (names.empty())
        return failed(Exit::Refused, "There is no module yet: hamirrorctl apply FILE");
    return names;
}

Outcome<> wait_recorded(Follower& follower, const std::string& name, bool automatic) {
    auto followed = follower.follow(io::boot_now() + kRecorded, {}, [&](const Seen* seen) {
        const auto* module = seen == nullptr ? nullptr : seen->status.find(name);
        return module != nullptr && module->automatic_failover == automatic &&
               module->failover_recorded;
    });
    if (!followed) return tl::unexpected(followed.error());
    if (*followed) return {};
    return failed(Exit::TimedOut, name +
                                      ": recorded here, and not on the other node yet; it will be "
                                      "when the two have met. See: hamirrorctl status " +
                                      name);
}

Outcome<> switch_failover(const Options& options, bool automatic) {
    auto daemon = Daemon::connect();
    if (!daemon) return tl::unexpected(daemon.error());
    auto names = wanted_modules(*daemon, options.module);
    if (!names) return tl::unexpected(names.error());
    Follower follower(*daemon);
    if (auto subscribed = follower.subscribe(); !subscribed) return subscribed;
    for (const auto& name : *names) {
        if (auto given = daemon->set_failover(name, automatic); !given) return given;
        if (auto recorded = wait_recorded(follower, name, automatic); !recorded) return recorded;
        std::cout << name
                  << (automatic ? ": automatic failover is on.\n"
                                : ": automatic failover is OFF. When the primary is lost nobody "
                                  "takes over until a person does.\n");
    }
    return {};
}

Outcome<> switch_at_boot(const Options& options, bool starts) {
    auto daemon = Daemon::connect();
    if (!daemon) return tl::unexpected(daemon.error());
    return daemon->set_at_boot(options.module, starts);
}

}  // namespace

Outcome<> run_failover_on(const Options& options) {
    return switch_failover(options, true);
}
Outcome<> run_failover_off(const Options& options) {
    return switch_failover(options, false);
}
Outcome<> run_enable(const Options& options) {
    return switch_at_boot(options, true);
}
Outcome<> run_disable(const Options& options) {
    return switch_at_boot(options, false);
}

}  // namespace ha::ctl
