#include "ctl/status_view.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace ha::ctl {
namespace {

using Json = nlohmann::ordered_json;

std::optional<ChangedAloneStatus> changed_alone(const Json& json) {
    if (!json.is_object()) return std::nullopt;
    ChangedAloneStatus changed;
    changed.operations = json.value("operations", changed.operations);
    changed.bytes = json.value("bytes", changed.bytes);
    changed.at_least = json.value("at_least", changed.at_least);
    return changed;
}

NodeStatus node_status(const Json& json) {
    NodeStatus node;
    node.node = json.value("node", node.node);
    node.seen = json.value("seen", node.seen);
    node.state = json.value("state", node.state);
    node.readiness = json.value("readiness", node.readiness);
    if (json.contains("reason")) {
        node.reason_code = json.at("reason").value("code", node.reason_code);
        node.reason = json.at("reason").value("text", node.reason);
    }
    node.epoch = json.value("epoch", node.epoch);
    node.in_sync = json.value("in_sync", node.in_sync);
    node.ever_in_sync = json.value("ever_in_sync", node.ever_in_sync);
    node.at_boot = json.value("at_boot", node.at_boot);
    node.changed_alone = changed_alone(json.value("changed_alone", Json()));
    node.last_seen_unix_ms = json.value("last_seen_unix_ms", node.last_seen_unix_ms);
    return node;
}

ResyncStatus resync_status(const Json& json) {
    ResyncStatus resync;
    resync.running = json.value("running", resync.running);
    resync.files_total = json.value("files_total", resync.files_total);
    resync.files_done = json.value("files_done", resync.files_done);
    resync.bytes_examined = json.value("bytes_examined", resync.bytes_examined);
    resync.bytes_sent = json.value("bytes_sent", resync.bytes_sent);
    return resync;
}

KnownStatus known_status(const Json& json) {
    KnownStatus known;
    known.decision = json.value("decision", known.decision);
    known.peer_decision = json.value("peer_decision", known.peer_decision);
    known.peer_seen = json.value("peer_seen", known.peer_seen);
    known.in_sync = json.value("in_sync", known.in_sync);
    return known;
}

ModuleStatus module_status(const Json& json) {
    ModuleStatus module;
    module.module = json.at("module").get<std::string>();
    module.primary = json.value("primary", module.primary);
    module.policy = json.value("policy", module.policy);
    module.policy_text = json.value("policy_text", module.policy_text);
    module.witness = json.value("witness", module.witness);
    module.automatic_failover = json.value("automatic_failover", module.automatic_failover);
    module.failover_recorded = json.value("failover_recorded", module.failover_recorded);
    module.preferred = json.value("preferred", module.preferred);
    module.preferred_text = json.value("preferred_text", module.preferred_text);
    module.ping_targets = json.value("ping_targets", module.ping_targets);
    module.mode = json.value("mode", module.mode);
    module.virtual_ips = json.value("virtual_ips", module.virtual_ips);
    module.units = json.value("units", module.units);
    module.paths = json.value("paths", module.paths);
    module.since_unix_ms = json.value("since_unix_ms", module.since_unix_ms);
    if (json.contains("known")) module.known = known_status(json.at("known"));
    if (json.contains("resync")) module.resync = resync_status(json.at("resync"));
    for (const auto& node : json.at("nodes")) module.nodes.push_back(node_status(node));
    return module;
}

ClusterStatus cluster_status(const Json& json) {
    ClusterStatus status;
    status.node = json.value("node", status.node);
    status.nodes = json.value("nodes", status.nodes);
    status.paired = json.value("paired", status.paired);
    status.control_connected = json.value("control_connected", status.control_connected);
    status.self_fencing = json.value("self_fencing", status.self_fencing);
    if (const auto witness = json.find("witness"); witness != json.end() && !witness->is_null()) {
        status.witness.emplace();
        status.witness->addresses = witness->value("addresses", status.witness->addresses);
        status.witness->port = witness->value("port", status.witness->port);
        status.witness->etcd = witness->value("etcd", status.witness->etcd);
    }
    for (const auto& network : json.value("networks", Json::array())) {
        status.networks.push_back(
            {network.value("local", ""), network.value("peer", ""), network.value("heard", false)});
    }
    for (const auto& module : json.value("modules", Json::array())) {
        status.modules.push_back(module_status(module));
    }
    return status;
}

tl::unexpected<Error> garbled(const std::exception& why) {
    return fail(std::string("The cluster daemon's answer cannot be read: ") + why.what());
}

}  // namespace

NodeStatus ModuleStatus::on(const std::string& node) const {
    const auto found = std::ranges::find(nodes, node, &NodeStatus::node);
    return found == nodes.end() ? NodeStatus{} : *found;
}

NodeStatus ModuleStatus::other_than(const std::string& node) const {
    const auto found = std::ranges::find_if(
        nodes, [&](const NodeStatus& candidate) { return candidate.node != node; });
    return found == nodes.end() ? NodeStatus{} : *found;
}

const ModuleStatus* ClusterStatus::find(const std::string& module) const {
    const auto found = std::ranges::find(modules, module, &ModuleStatus::module);
    return found == modules.end() ? nullptr : &*found;
}

std::string ClusterStatus::peer() const {
    const auto found =
        std::ranges::find_if(nodes, [&](const std::string& name) { return name != node; });
    return found == nodes.end() ? std::string() : *found;
}

Result<ClusterStatus> parse_status(const std::string& json) {
    try {
        return cluster_status(Json::parse(json));
    } catch (const Json::exception& why) {
        return garbled(why);
    }
}

Result<std::string> only_module(const std::string& json, const std::string& module) {
    try {
        Json whole = Json::parse(json);
        Json kept = Json::array();
        for (const auto& each : whole.at("modules")) {
            if (each.at("module") == module) kept.push_back(each);
        }
        whole["modules"] = kept;
        return whole.dump();
    } catch (const Json::exception& why) {
        return garbled(why);
    }
}

}  // namespace ha::ctl
