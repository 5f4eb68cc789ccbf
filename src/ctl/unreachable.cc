#include "ctl/unreachable.h"

#include <unistd.h>

#include <cstdlib>

#include "ctl/systemd_unit.h"
#include "io/yaml_config.h"

namespace ha::ctl {

std::string explain_unreachable(const std::string& load, const std::string& active,
                                bool initialised) {
    std::string text = "The cluster daemon of this node does not answer.\n";
    if (load.empty()) {
        return text +
               "systemd does not answer either; is this a running system? See:\n"
               "    systemctl status ha-clusterd";
    }
    if (load == "not-found") {
        return text +
               "systemd knows no ha-clusterd.service. Install the package hamirror, then:\n"
               "    systemctl daemon-reload";
    }
    text += "ha-clusterd.service is " + active + ". ";
    if (!initialised) {
        return text +
               "This server is not part of a pair yet. On the first server:\n"
               "    hamirrorctl cluster init --name NAME --address ADDRESS\n"
               "and then on this one, or the other way round:\n"
               "    hamirrorctl cluster pair FIRST-SERVER --name NAME --address ADDRESS";
    }
    if (active == "active" || active == "activating" || active == "reloading") {
        return text +
               "It is just starting, or the system bus has lost it; it comes back by itself. If "
               "not:\n"
               "    journalctl -u ha-clusterd -u dbus -n 30";
    }
    return text +
           "Start it:\n"
           "    systemctl start ha-cluster.target\n"
           "If it does not stay up, its last words say why:\n"
           "    journalctl -u ha-clusterd -n 30";
}

std::string explain_unreachable() {
    const auto unit = unit_state("ha-clusterd.service");
    const std::string file = std::string(io::kConfigDirectory) + "/cluster.yaml";
    const bool initialised = access(file.c_str(), F_OK) == 0;
    if (!unit) return explain_unreachable("", "", initialised);
    return explain_unreachable(unit->load, unit->active, initialised);
}

}  // namespace ha::ctl
