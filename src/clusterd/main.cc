// ha-clusterd: decides which node serves each module (ha-clusterd(8)).

#include <cerrno>

#include "clusterd/daemon.h"
#include "io/boot_id.h"
#include "io/log.h"
#include "io/text_file.h"

namespace {

using namespace ha;

Result<> serve() {
    io::Loop::hold_termination();
    io::Loop loop;
    clusterd::Configurations configurations(io::kConfigDirectory);
    auto loaded = configurations.load();
    if (!loaded) return loaded;
    auto identity = io::Identity::load();
    if (!identity) return tl::unexpected(identity.error());
    auto peer = io::load_peer();
    if (!peer) return tl::unexpected(peer.error());
    auto boot = io::boot_id();
    if (!boot) return tl::unexpected(boot.error());
    auto made = io::make_directory(clusterd::kStateDirectory, 0700);
    if (!made) return made;

    clusterd::Daemon daemon(loop, std::move(configurations), *identity, *peer, *boot);
    auto started = daemon.start();
    if (!started) return started;
    loop.enable_watchdog();
    io::log(io::Level::Info, api::message::kDaemonStarted, {}, "ha-clusterd is ready.");
    io::notify_ready();
    return loop.run();
}

}  // namespace

int main() {
    auto served = serve();
    if (served) return 0;
    io::log(io::Level::Error, api::message::kConfigurationRefused, {}, served.error().text);
    return 1;
}
