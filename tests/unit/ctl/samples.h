#pragma once

#include "ctl/status_view.h"

namespace ha::ctl {

inline NodeStatus node(const char* name, const char* state, const char* readiness,
                       const char* code = "", const char* reason = "") {
    NodeStatus status;
    status.node = name;
    status.seen = true;
    status.state = state;
    status.readiness = readiness;
    status.reason_code = code;
    status.reason = reason;
    status.in_sync = std::string(state) != "waiting";
    status.epoch = 3;
    return status;
}

/// What node1 shows of one module "db".
inline ClusterStatus cluster(const NodeStatus& first, const NodeStatus& second) {
    ClusterStatus status;
    status.node = "node1";
    status.nodes = {"node1", "node2"};
    status.paired = true;
    status.control_connected = true;
    status.networks = {{"10.0.0.1", "10.0.0.2", true}, {"10.1.0.1", "10.1.0.2", false}};
    ModuleStatus module;
    module.module = "db";
    module.nodes = {first, second};
    for (const auto& each : module.nodes) {
        if (each.state == "primary" || each.state == "alone") module.primary = each.node;
    }
    module.virtual_ips = {"192.0.2.10/24"};
    module.units = {"db.service"};
    module.paths = {"/var/lib/db"};
    module.mode = "strict";
    module.policy = "available";
    module.policy_text = "on total silence both nodes may serve.";
    status.modules = {module};
    return status;
}

}  // namespace ha::ctl
