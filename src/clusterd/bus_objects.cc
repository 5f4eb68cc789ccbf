#include "clusterd/bus_objects.h"

#include <systemd/sd-bus.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "api/bus.h"
#include "base/assert.h"
#include "clusterd/status_json.h"

namespace ha::clusterd {
namespace {

std::string object_path(const char* prefix, const std::string& name) {
    char* raw = nullptr;
    HA_ASSERT(sd_bus_path_encode(prefix, name.c_str(), &raw) >= 0);
    std::string path(raw);
    std::free(raw);
    return path;
}

std::vector<std::string> to_utf8_list(const std::vector<std::string>& texts) {
    std::vector<std::string> result;
    for (const auto& text : texts) result.push_back(to_utf8(text));
    return result;
}

BusObject cluster_object(const ClusterView& view, const std::string& peer, BusFace* face) {
    return {face,
            api::bus::kCluster,
            "",
            {{"Node", to_utf8(view.node)},
             {"Peer", to_utf8(peer)},
             {"Paired", view.paired},
             {"ControlConnected", view.control_connected}}};
}

BusObject node_object(const ClusterView& view, const std::string& node, BusFace* face) {
    const bool seen = node == view.node || view.control_connected ||
                      std::ranges::any_of(view.networks, &NetworkView::heard);
    return {face, api::bus::kNode, node, {{"Name", to_utf8(node)}, {"Seen", seen}}};
}

BusObject module_object(const ModuleView& module, std::size_t self, BusFace* face) {
    const NodeView& here = module.nodes[self];
    const NodeView& there = module.nodes[1 - self];
    return {face,
            api::bus::kModule,
            module.module,
            {{"State", here.state},
             {"Readiness", here.readiness},
             {"ReasonCode", here.reason_code},
             {"Reason", to_utf8(here.reason)},
             {"PeerState", there.state},
             {"PeerReadiness", there.readiness},
             {"PeerReasonCode", there.reason_code},
             {"PeerReason", to_utf8(there.reason)},
             {"Epoch", here.epoch},
             {"Primary", to_utf8(module.primary)},
             {"InSync",
              [&] {
                  std::vector<std::string> members;
                  for (const auto& node : module.nodes) {
                      if (node.in_sync) members.push_back(to_utf8(node.node));
                  }
                  return members;
              }()},
             {"Policy", module.policy},
             {"AutomaticFailover", module.automatic_failover},
             {"Preferred", to_utf8(module.preferred)},
             {"AtBoot", here.at_boot},
             {"Mode", module.mode},
             {"VirtualIPs", to_utf8_list(module.virtual_ips)},
             {"Units", to_utf8_list(module.units)},
             {"Paths", to_utf8_list(module.paths)}}};
}

}  // namespace

const BusValue* BusObject::find(const char* property) const {
    for (const auto& [candidate, value] : properties) {
        if (std::strcmp(candidate, property) == 0) return &value;
    }
    return nullptr;
}

BusObjects bus_objects(const ClusterView& view, BusFace* face) {
    BusObjects objects;
    const std::size_t self = view.nodes[0] == view.node ? 0 : 1;
    objects.emplace(api::bus::kClusterPath, cluster_object(view, view.nodes[1 - self], face));
    for (const auto& node : view.nodes) {
        if (node.empty()) continue;  // not paired: there is no other yet
        objects.emplace(object_path(api::bus::kNodePrefix, node), node_object(view, node, face));
    }
    for (const auto& module : view.modules) {
        objects.emplace(object_path(api::bus::kModulePrefix, module.module),
                        module_object(module, self, face));
    }
    return objects;
}

std::vector<const char*> changed_properties(const BusObject& before, const BusObject& after) {
    std::vector<const char*> names;
    for (const auto& [name, value] : after.properties) {
        const BusValue* old = before.find(name);
        if (old == nullptr || *old != value) names.push_back(name);
    }
    return names;
}

}  // namespace ha::clusterd
