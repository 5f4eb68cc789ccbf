// ha-watchdog(8)
#include <exception>

#include "io/log.h"
#include "io/loop.h"
#include "watchdog/daemon.h"

int main() try {
    ha::io::Loop::hold_termination();
    ha::io::Loop loop;
    loop.on_terminate([&loop] {
        ha::io::notify_stopping();
        loop.stop();
    });
    loop.enable_watchdog();
    ha::watchdog::Daemon daemon(loop);
    daemon.start();
    ha::io::notify_ready();
    auto ended = loop.run();
    if (ended) return 0;
    ha::io::log(ha::io::Level::Critical, ended.error().text);
    return 1;
} catch (const std::exception& error) {
    ha::io::log(ha::io::Level::Critical, error.what());
    return 1;
}
