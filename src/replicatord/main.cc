// ha-replicatord@M: mirrors the directories of module M (ha-replicatord(8)).

#include <unistd.h>

#include "io/log.h"
#include "replicatord/controller.h"

namespace {

using namespace ha;

Result<> serve(const std::string& module) {
    io::Loop::hold_termination();
    io::Loop loop;
    bool closing = false;
    std::unique_ptr<replicatord::Controller> controller;
    loop.on_terminate([&] {
        if (closing || !controller) return;
        closing = true;
        io::notify_stopping();
        controller->close([&] { loop.stop(); });
    });
    auto identity = io::Identity::load();
    if (!identity) return tl::unexpected(identity.error());
    auto peer = io::load_peer();
    if (!peer) return tl::unexpected(peer.error());
    if (!*peer) return fail("This node is not paired yet: hamirrorctl cluster pair");
    auto tls = io::TlsContext::create(*identity);
    if (!tls) return tl::unexpected(tls.error());
    controller = std::make_unique<replicatord::Controller>(loop, module, *tls, **peer);
    auto started = controller->start();
    if (!started) return started;
    loop.enable_watchdog();
    io::notify_ready();
    return loop.run();
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2) {
        io::log(io::Level::Error, "usage: ha-replicatord MODULE");
        return 2;
    }
    if (chdir("/") != 0) return 1;  // never below a mount of ours
    io::set_log_fields({{"HAMIRROR_MODULE", argv[1]}});
    auto served = serve(argv[1]);
    if (served) return 0;
    io::log(io::Level::Error, served.error().text);
    return 1;
}
