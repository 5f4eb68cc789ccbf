#include <unistd.h>

#include <cstdio>
#include <ctime>
#include <iostream>

#include "ctl/daemon.h"
#include "ctl/status_text.h"
#include "ctl/verbs.h"

namespace ha::ctl {
namespace {

Outcome<std::string> render(const Seen& seen, const Options& options) {
    const ModuleStatus* module = nullptr;
    if (!options.module.empty()) {
        module = seen.status.find(options.module);
        if (module == nullptr) {
            return failed(Exit::Refused, "There is no module " + options.module + ".");
        }
    }
    if (!options.json) {
        return module == nullptr ? status_text(seen.status) : module_text(*module, seen.status);
    }
    if (module == nullptr) return seen.json + "\n";
    auto json = only_module(seen.json, options.module);
    if (!json) return failed(Exit::Refused, json.error().text);
    return *json + "\n";
}

std::string clock_time() {
    const std::time_t now = std::time(nullptr);
    std::tm local{};
    localtime_r(&now, &local);
    char text[16];
    return {text, std::strftime(text, sizeof text, "%H:%M:%S", &local)};
}

/// A terminal shows the newest only; a file or pipe gets one after the other.
void print_frame(const std::string& text, bool json) {
    if (json) {
        std::cout << text;
    } else if (isatty(STDOUT_FILENO) != 0) {
        std::cout << "\033[H\033[2J" << clock_time() << "\n\n" << text;
    } else {
        std::cout << "-- " << clock_time() << "\n" << text;
    }
    std::cout.flush();
}

Outcome<> watch(Daemon& daemon, const Options& options) {
    Follower follower(daemon);
    if (auto subscribed = follower.subscribe(); !subscribed) return subscribed;
    std::string shown;
    Outcome<> result;
    auto followed = follower.follow({}, {}, [&](const Seen* seen) {
        if (seen == nullptr) {
            shown.clear();
            std::cerr << "hamirrorctl: the cluster daemon does not run; waiting for it\n";
            return false;
        }
        auto text = render(*seen, options);
        if (!text) {
            result = tl::unexpected(text.error());
            return true;
        }
        if (*text != shown) print_frame(*text, options.json);
        shown = *text;
        return !std::cout;
    });
    if (!followed) return tl::unexpected(followed.error());
    return result;
}

}  // namespace

Outcome<> run_status(const Options& options) {
    auto daemon = Daemon::connect();
    if (!daemon) return tl::unexpected(daemon.error());
    if (options.watch) return watch(*daemon, options);
    auto seen = daemon->status();
    if (!seen) return tl::unexpected(seen.error());
    auto text = render(*seen, options);
    if (!text) return tl::unexpected(text.error());
    std::cout << *text;
    return {};
}

Outcome<> run_cluster_status(const Options& options) {
    auto daemon = Daemon::connect();
    if (!daemon) return tl::unexpected(daemon.error());
    auto seen = daemon->status();
    if (!seen) return tl::unexpected(seen.error());
    std::cout << (options.json ? seen->json + "\n" : cluster_text(seen->status));
    return {};
}

}  // namespace ha::ctl
