#include <iostream>

#include "ctl/daemon.h"
#include "ctl/status_text.h"
#include "ctl/verbs.h"
#include "ctl/wait.h"
#include "io/clock.h"

// start, stop, swap: one order each and, with --wait, what became of it.

namespace ha::ctl {
namespace {

// What has not moved so long after an order was taken is the order's result.
constexpr Duration kSettled = 2s;

Outcome<> give(Daemon& daemon, Order order, const Options& options) {
    switch (order) {
        case Order::Start:
            return daemon.start(options.module, options.as_source);
        case Order::Stop:
            return daemon.stop(options.module, false);
        case Order::StopAll:
            return daemon.stop(options.module, true);
        case Order::Swap:
            return daemon.swap(options.module);
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

std::string out_of_time(const Verdict& last, const Options& options) {
    std::string text = "Not complete after " + std::to_string(options.timeout_s) +
                       " s; the order was taken and goes on.";
    if (!last.text.empty()) text += "\n" + last.text;
    return text + "\nFollow it with: hamirrorctl status " + options.module + " --watch";
}

Outcome<> wait(Follower& follower, Waiter& waiter, const Options& options) {
    const Instant begun = io::boot_now();
    const Instant settled = begun + kSettled;
    Verdict last;
    auto followed = follower.follow(begun + std::chrono::seconds(options.timeout_s), settled,
                                    [&](const Seen* seen) {
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

Outcome<> run(Order order, const Options& options) {
    auto daemon = Daemon::connect();
    if (!daemon) return tl::unexpected(daemon.error());
    if (!options.wait) return give_explained(*daemon, order, options);
    Follower follower(*daemon);
    if (auto subscribed = follower.subscribe(); !subscribed) return subscribed;
    auto before = daemon->status();
    if (!before) return tl::unexpected(before.error());
    Waiter waiter(order, options.module, before->status);
    if (auto given = give_explained(*daemon, order, options); !given) return given;
    return wait(follower, waiter, options);
}

}  // namespace

Outcome<> run_start(const Options& options) {
    return run(Order::Start, options);
}
Outcome<> run_stop(const Options& options) {
    return run(options.all ? Order::StopAll : Order::Stop, options);
}
Outcome<> run_swap(const Options& options) {
    return run(Order::Swap, options);
}

}  // namespace ha::ctl
