#include <unistd.h>

#include <ctime>
#include <iostream>
#include <utility>

#include "ctl/daemon.h"
#include "ctl/force_text.h"
#include "ctl/status_text.h"
#include "ctl/verbs.h"
#include "ctl/wait.h"
#include "io/clock.h"

// start, stop, swap, restart: one order each and, with --wait, what became of it.

namespace ha::ctl {
namespace {

constexpr timespec kAskAgain{0, 300'000'000};

// What has not moved so long after an order was taken is the order's result.
constexpr Duration kSettled = 2s;

Outcome<> give(Daemon& daemon, Order order, const Options& options) {
    switch (order) {
        case Order::Start:
            if (options.shown) return daemon.force(options.module, *options.shown);
            return daemon.start(options.module, options.as_source);
        case Order::Stop:
            return daemon.stop(options.module, false);
        case Order::StopAll:
            return daemon.stop(options.module, true);
        case Order::Swap:
        case Order::Lead:
            return daemon.swap(options.module, options.to);
        case Order::Restart:
            return daemon.restart(options.module);
    }
    return {};
}

/// With the command that resolves what the module waits for, where the refusal does not name it.
Failure with_advice(Daemon& daemon, const std::string& module, Failure refusal) {
    if (refusal.exit != Exit::Refused) return refusal;
    auto seen = daemon.status();
    const auto* known = seen ? seen->status.find(module) : nullptr;
    if (known == nullptr) return refusal;
    const NodeStatus here = known->on(seen->status.node);
    const bool about_it = here.readiness == "blocked" && !here.reason.empty() &&
                          refusal.text.find(here.reason) != std::string::npos;
    const auto command = about_it ? advice(module, here) : "";
    if (!command.empty()) refusal.text += "\n    " + command;
    return refusal;
}

Outcome<> give_explained(Daemon& daemon, Order order, const Options& options) {
    auto given = give(daemon, order, options);
    if (given) return given;
    return tl::unexpected(with_advice(daemon, options.module, given.error()));
}

/// Refused because what it is for is so already.
bool is_done(const Outcome<>& given) {
    return !given && given.error().code == "AlreadyPrimary";
}

/// That is success, and said.
Outcome<> unless_done(Outcome<> given) {
    if (!is_done(given)) return given;
    std::cout << given.error().text << "\n";
    return {};
}

std::string out_of_time(const Verdict& last, const Options& options) {
    std::string text = "Not complete after " + std::to_string(options.timeout_s) +
                       " s; the order was taken and goes on.";
    if (!last.text.empty()) text += "\n" + last.text;
    return text + "\nFollow it with: hamirrorctl status " + options.module + " --watch";
}

Outcome<> wait(Follower& follower, Waiter& waiter, Instant deadline, const Options& options) {
    const Instant settled = io::boot_now() + kSettled;
    Verdict last;
    auto followed = follower.follow(deadline, settled, [&](const Seen* seen) {
        if (seen == nullptr) return false;
        last = waiter.look(seen->status, io::boot_now() >= settled);
        return last.kind != Verdict::Kind::Pending;
    });
    if (!followed) return tl::unexpected(followed.error());
    if (!*followed) return failed(Exit::TimedOut, out_of_time(last, options));
    if (last.kind == Verdict::Kind::Stuck) return failed(Exit::Stuck, last.text);
    std::cout << last.text << "\n";
    return {};
}

Outcome<> wait_synced(Follower& follower, Instant deadline, const Options& options) {
    std::string awaited;
    auto followed = follower.follow(deadline, {}, [&](const Seen* seen) {
        if (seen == nullptr) return false;
        const auto verdict = look_synced(seen->status, options.module, options.to);
        if (verdict.kind == Verdict::Kind::Done) return true;
        if (std::exchange(awaited, verdict.text) != verdict.text) {
            std::cerr << "Waiting for both nodes to be in sync and ready: " << awaited << "\n";
        }
        return false;
    });
    if (!followed) return tl::unexpected(followed.error());
    if (*followed) return {};
    return failed(Exit::Refused,
                  "Not in sync and ready after " + std::to_string(options.timeout_s) +
                      " s; the roles stay as they are." + (awaited.empty() ? "" : "\n" + awaited));
}

/// Between what status shows and what the order meets a moment may pass in which it cannot be done.
bool may_come(const Failure& refused) {
    return refused.code == "PeerNotReady" || refused.code == "Busy";
}

/// `before`: what it meets.
Outcome<> look_and_give(Daemon& daemon, Order order, const Options& options,
                        ClusterStatus& before) {
    auto seen = daemon.status();
    if (!seen) return tl::unexpected(seen.error());
    before = std::move(seen->status);
    return give_explained(daemon, order, options);
}

Outcome<> swap_when_synced(Daemon& daemon, Follower& follower, Instant deadline,
                           const Options& options, ClusterStatus& before) {
    for (;;) {
        if (auto synced = wait_synced(follower, deadline, options); !synced) return synced;
        auto given = look_and_give(daemon, Order::Swap, options, before);
        if (given || !may_come(given.error()) || io::boot_now() >= deadline) return given;
        nanosleep(&kAskAgain, nullptr);
    }
}

/// What is known right before it is asked for; what comes between is the daemon's to refuse.
Outcome<KnownStatus> show_and_ask(const Options& options) {
    auto daemon = Daemon::connect();
    if (!daemon) return tl::unexpected(daemon.error());
    auto seen = daemon->status();
    if (!seen) return tl::unexpected(seen.error());
    const auto* module = seen->status.find(options.module);
    if (module == nullptr) {
        return failed(Exit::Refused, "There is no module " + options.module +
                                         "; `hamirrorctl status` lists them.");
    }
    std::cout << force_text(*module, seen->status.node) << std::flush;
    if (options.yes) return module->known;
    if (isatty(STDIN_FILENO) == 0) {
        return failed(Exit::Refused,
                      "--force asks, and standard input is no terminal. Who has read the above "
                      "and wants it adds --yes. Nothing was changed.");
    }
    std::cerr << "Type yes to force it: " << std::flush;
    std::string answer;
    std::getline(std::cin, answer);
    if (answer != "yes") return failed(Exit::Refused, "Nothing was changed.");
    return module->known;
}

Outcome<> run(Order order, const Options& options) {
    const Instant deadline = io::boot_now() + std::chrono::seconds(options.timeout_s);
    auto daemon = Daemon::connect();
    if (!daemon) return tl::unexpected(daemon.error());
    if (!options.wait && !options.when_synced) {
        return unless_done(give_explained(*daemon, order, options));
    }
    Follower follower(*daemon);
    if (auto subscribed = follower.subscribe(); !subscribed) return subscribed;
    ClusterStatus before;
    auto given = options.when_synced
                     ? swap_when_synced(*daemon, follower, deadline, options, before)
                     : look_and_give(*daemon, order, options, before);
    const bool nothing_to_do = is_done(given);
    given = unless_done(std::move(given));
    if (!given || !options.wait) return given;
    Waiter waiter(nothing_to_do ? Order::Lead : order, options.module, before, options.to);
    return wait(follower, waiter, deadline, options);
}

}  // namespace

Outcome<> run_start(const Options& options) {
    if (!options.force) return run(Order::Start, options);
    auto shown = show_and_ask(options);
    if (!shown) return tl::unexpected(shown.error());
    Options forced = options;
    forced.shown = *shown;
    return run(Order::Start, forced);
}
Outcome<> run_stop(const Options& options) {
    return run(options.all ? Order::StopAll : Order::Stop, options);
}
Outcome<> run_swap(const Options& options) {
    return run(Order::Swap, options);
}
Outcome<> run_restart(const Options& options) {
    return run(Order::Restart, options);
}

}  // namespace ha::ctl
