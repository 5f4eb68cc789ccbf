#include "clusterd/status_json.h"

#include <nlohmann/json.hpp>

namespace ha::clusterd {
namespace {

using Json = nlohmann::ordered_json;

Json alone_json(const std::optional<ChangedAloneView>& alone) {
    if (!alone) return nullptr;
    return {
        {"operations", alone->operations}, {"bytes", alone->bytes}, {"at_least", alone->at_least}};
}

Json node_json(const NodeView& node) {
    return {{"node", node.node},
            {"seen", node.seen},
            {"state", node.state},
            {"readiness", node.readiness},
            {"reason", {{"code", node.reason_code}, {"text", node.reason}}},
            {"epoch", node.epoch},
            {"in_sync", node.in_sync},
            {"ever_in_sync", node.ever_in_sync},
            {"at_boot", node.at_boot},
            {"last_seen_unix_ms", node.last_seen_unix_ms},
            {"changed_alone", alone_json(node.changed_alone)}};
}

Json resync_json(const ResyncView& resync) {
    return {{"running", resync.running},
            {"files_total", resync.files_total},
            {"files_done", resync.files_done},
            {"bytes_examined", resync.bytes_examined},
            {"bytes_sent", resync.bytes_sent}};
}

std::string id_text(const Id128& id) {
    return id.none() ? "" : id.text();
}

Json known_json(const ModuleView& module) {
    return {{"decision", id_text(module.known.decision)},
            {"peer_decision", id_text(module.known.peer_decision)},
            {"peer_seen", module.known.peer_seen},
            {"in_sync", module.known_in_sync}};
}

Json module_json(const ModuleView& module) {
    Json json = {{"module", module.module},
                 {"primary", module.primary},
                 {"policy", module.policy},
                 {"policy_text", module.policy_text},
                 {"witness", module.witness},
                 {"automatic_failover", module.automatic_failover},
                 {"failover_recorded", module.failover_recorded},
                 {"preferred", module.preferred},
                 {"preferred_text", module.preferred_text},
                 {"ping_targets", module.ping_targets},
                 {"mode", module.mode},
                 {"virtual_ips", module.virtual_ips},
                 {"units", module.units},
                 {"paths", module.paths},
                 {"known", known_json(module)},
                 {"resync", resync_json(module.resync)},
                 {"since_unix_ms", module.since_unix_ms},
                 {"nodes", Json::array()}};
    for (const auto& node : module.nodes) json["nodes"].push_back(node_json(node));
    return json;
}

std::string dump(const Json& json) {
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

bool is_letter_or_digit(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

}  // namespace

std::string to_json(const ClusterView& view) {
    Json json = {{"node", view.node},         {"nodes", view.nodes},
                 {"paired", view.paired},     {"control_connected", view.control_connected},
                 {"witness", nullptr},        {"self_fencing", view.self_fencing},
                 {"networks", Json::array()}, {"modules", Json::array()}};
    if (view.witness && view.witness->etcd.empty()) {
        json["witness"] = {{"addresses", view.witness->addresses}, {"port", view.witness->port}};
    } else if (view.witness) {
        json["witness"] = {{"addresses", view.witness->addresses}, {"etcd", view.witness->etcd}};
    }
    for (const auto& network : view.networks) {
        json["networks"].push_back({{"local", network.local_address},
                                    {"peer", network.peer_address},
                                    {"heard", network.heard}});
    }
    for (const auto& module : view.modules) json["modules"].push_back(module_json(module));
    return dump(json);
}

std::string to_utf8(const std::string& text) {
    return Json::parse(dump(Json(text))).get<std::string>();
}

std::string error_member(const std::string& code) {
    std::string member;
    bool upper = true;
    for (char c : code) {
        if (!is_letter_or_digit(c)) {
            upper = true;
            continue;
        }
        const bool lower_case = c >= 'a' && c <= 'z';
        member += upper && lower_case ? static_cast<char>(c - 'a' + 'A') : c;
        upper = false;
    }
    if (member.empty() || (member[0] >= '0' && member[0] <= '9')) member.insert(0, "Failed");
    return member;
}

}  // namespace ha::clusterd
