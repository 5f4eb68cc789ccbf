// ha-vipd(8)
#include <cstdio>
#include <exception>
#include <string_view>

#include "io/log.h"
#include "io/loop.h"
#include "vipd/daemon.h"
#include "vipd/drop_all.h"

namespace {

int run() {
    ha::io::Loop::hold_termination();
    ha::io::Loop loop;
    // The addresses stay: whether they go is decided by what systemd does next (--drop-all).
    loop.on_terminate([&loop] {
        ha::io::notify_stopping();
        loop.stop();
    });
    loop.enable_watchdog();
    auto ended = ha::io::Netlink::open().and_then([&](ha::io::Netlink netlink) -> ha::Result<> {
        ha::vipd::Daemon daemon(loop, std::move(netlink));
        if (auto started = daemon.start(); !started) return started;
        ha::io::notify_ready();
        if (auto ran = loop.run(); !ran) return ran;
        return daemon.outcome();
    });
    if (ended) return 0;
    ha::io::log(ha::io::Level::Critical, ended.error().text);
    return 1;
}

}  // namespace

int main(int argc, char** argv) try {
    if (argc == 2 && std::string_view(argv[1]) == "--drop-all") return ha::vipd::drop_all();
    if (argc == 1) return run();
    std::fputs("usage: ha-vipd [--drop-all]\n", stderr);
    return 2;
} catch (const std::exception& error) {
    ha::io::log(ha::io::Level::Critical, error.what());
    return 1;
}
