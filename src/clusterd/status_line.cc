#include "clusterd/status_line.h"

namespace ha::clusterd {
namespace {

std::string alone(const ModuleView& module, const NodeView& there) {
    if (module.resync.running) return "alone, " + there.node + " is being brought up to date";
    return "alone, not redundant";
}

std::string words(const ModuleView& module, const NodeView& here, const NodeView& there) {
    if (here.readiness == "blocked") return here.state + ", see hamirrorctl status";
    if (here.state == "alone") return alone(module, there);
    if (here.state == "primary") {
        const bool ready = there.state == "secondary" && there.readiness == "ready";
        return ready ? "primary, redundant" : "primary, " + there.node + " is not ready";
    }
    if (here.state != "secondary") return here.state;
    return here.readiness == "ready" ? "secondary, in sync" : "secondary, being brought up to date";
}

}  // namespace

std::string status_line(const ClusterView& view) {
    if (!view.paired) return "Not paired yet: hamirrorctl cluster pair on the other server.";
    const std::size_t self = view.nodes[0] == view.node ? 0 : 1;
    const auto& peer = view.nodes[1 - self];
    std::string line;
    for (const auto& module : view.modules) {
        line += (line.empty() ? "" : "; ") + module.module + ": " +
                words(module, module.nodes[self], module.nodes[1 - self]) +
                (module.automatic_failover ? "" : ", failover OFF");
    }
    if (line.empty()) line = "No module yet";
    return line + (view.control_connected ? "; " : "; NOT ") + "connected to " + peer;
}

}  // namespace ha::clusterd
