#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <filesystem>

#include "core/config/values.h"
#include "io/yaml_config.h"

namespace ha::io {
namespace {

void emit_list(YAML::Emitter& out, const std::vector<std::string>& list) {
    out << YAML::Flow << YAML::BeginSeq;
    for (const auto& each : list) out << YAML::DoubleQuoted << each;
    out << YAML::EndSeq;
}

void emit_etcd(YAML::Emitter& out, const config::EtcdConfig& etcd) {
    out << YAML::Key << "etcd" << YAML::Value << YAML::BeginMap;
    out << YAML::Key << "endpoints" << YAML::Value;
    emit_list(out, etcd.endpoints);
    for (const auto& [name, value] : {std::pair{"cluster", etcd.cluster},
                                      {"prefix", etcd.prefix},
                                      {"ca", etcd.ca},
                                      {"certificate", etcd.certificate},
                                      {"key", etcd.key},
                                      {"user", etcd.user},
                                      {"password_file", etcd.password_file}}) {
        if (value.empty()) continue;
        out << YAML::Key << name << YAML::Value << YAML::DoubleQuoted << value;
    }
    out << YAML::EndMap;
}

void emit_witness(YAML::Emitter& out, const config::WitnessConfig& witness) {
    out << YAML::BeginMap;
    if (witness.etcd) emit_etcd(out, *witness.etcd);
    out << YAML::Key << "addresses" << YAML::Value;
    emit_list(out, witness.addresses);
    if (!witness.etcd) {
        out << YAML::Key << "port" << YAML::Value << witness.port;
        out << YAML::Key << "key" << YAML::Value << YAML::DoubleQuoted << witness.key;
    }
    out << YAML::Key << "store" << YAML::Value << YAML::DoubleQuoted << witness.store.text();
    out << YAML::EndMap;
}

void emit_timing(YAML::Emitter& out, const config::Timing& timing) {
    out << YAML::Key << "timing" << YAML::Value << YAML::BeginMap;
    for (const auto& [name, value] : {std::pair{"heartbeat", timing.heartbeat},
                                      {"silent_after", timing.silent_after},
                                      {"demote_after", timing.demote_after},
                                      {"kill_bound", timing.kill_bound},
                                      {"take_after", timing.take_after}}) {
        out << YAML::Key << name << YAML::Value << config::format_duration(value);
    }
    out << YAML::EndMap;
}

void emit_failover(YAML::Emitter& out, const config::Failover& failover) {
    out << YAML::Key << "failover" << YAML::Value << YAML::BeginMap;
    out << YAML::Key << "automatic" << YAML::Value << failover.automatic;
    out << YAML::Key << "preferred" << YAML::Value
        << (failover.preferred.empty() ? "none" : failover.preferred);
    out << YAML::Key << "restarts" << YAML::Value << config::format_restarts(failover.restarts);
    out << YAML::EndMap;
}

void emit_replicate(YAML::Emitter& out, const config::ModuleConfig& module) {
    out << YAML::Key << "replicate" << YAML::Value << YAML::BeginSeq;
    for (const auto& directory : module.replicate) {
        out << YAML::BeginMap << YAML::Key << "path" << YAML::Value << YAML::DoubleQuoted
            << directory.path << YAML::Key << "exclude" << YAML::Value;
        emit_list(out, directory.exclude);
        out << YAML::EndMap;
    }
    out << YAML::EndSeq;
}

}  // namespace

std::string render(const config::ClusterConfig& cluster) {
    YAML::Emitter out;
    out << YAML::BeginMap << YAML::Key << "nodes" << YAML::Value << YAML::BeginSeq;
    for (const auto& node : cluster.nodes) {
        out << YAML::BeginMap << YAML::Key << "name" << YAML::Value << YAML::DoubleQuoted
            << node.name << YAML::Key << "addresses" << YAML::Value;
        emit_list(out, node.addresses);
        out << YAML::EndMap;
    }
    out << YAML::EndSeq << YAML::Key << "control_port" << YAML::Value << cluster.control_port;
    if (cluster.witness) {
        out << YAML::Key << "witness" << YAML::Value;
        emit_witness(out, *cluster.witness);
    }
    out << YAML::EndMap;
    return std::string(out.c_str()) + "\n";
}

std::string render(const config::WitnessConfig& witness) {
    YAML::Emitter out;
    emit_witness(out, witness);
    return std::string(out.c_str()) + "\n";
}

std::string render(const config::ModuleConfig& module) {
    YAML::Emitter out;
    out << YAML::BeginMap << YAML::Key << "module" << YAML::Value << YAML::DoubleQuoted
        << module.name;
    emit_replicate(out, module);
    out << YAML::Key << "virtual_ips" << YAML::Value;
    emit_list(out, module.virtual_ips);
    out << YAML::Key << "units" << YAML::Value;
    emit_list(out, module.units);
    emit_failover(out, module.failover);
    out << YAML::Key << "mode" << YAML::Value << "strict";
    out << YAML::Key << "without_witness" << YAML::Value << config::name(module.policy);
    if (!module.ping_targets.empty()) {
        out << YAML::Key << "ping_targets" << YAML::Value;
        emit_list(out, module.ping_targets);
    }
    emit_timing(out, module.timing);
    if (module.port != 0) out << YAML::Key << "port" << YAML::Value << module.port;
    out << YAML::EndMap;
    return std::string(out.c_str()) + "\n";
}

Result<std::string> with_port(const std::string& text, std::uint16_t port) {
    std::string more = text;
    if (!more.empty() && more.back() != '\n') more += '\n';
    more += "port: " + std::to_string(port) + "  # of the mirror, assigned by hamirrorctl apply\n";
    try {
        auto root = YAML::Load(more);
        if (root.IsMap() && root["port"].as<std::uint16_t>() == port) return more;
    } catch (const YAML::Exception&) {
    }
    return fail("cannot add the mirror's port to this file; write \"port: " + std::to_string(port) +
                "\" into it");
}

Parsed<std::vector<config::ModuleConfig>> load_modules(const std::string& directory,
                                                       const config::ClusterConfig& cluster) {
    Parsed<std::vector<config::ModuleConfig>> out;
    out.value.emplace();
    std::vector<std::string> paths;
    std::error_code failed;
    for (const auto& entry : std::filesystem::directory_iterator(directory + "/modules", failed)) {
        if (entry.path().extension() == ".yaml") paths.push_back(entry.path());
    }
    if (failed && failed != std::errc::no_such_file_or_directory) {
        out.problems.push_back({directory + "/modules", 0, 0, "cannot read: " + failed.message()});
    }
    std::sort(paths.begin(), paths.end());
    for (const auto& path : paths) {
        auto text = read_config_text(path);
        if (!text) {
            out.problems.push_back({path, 0, 0, text.error().text});
            continue;
        }
        auto module = parse_module(*text, path, cluster, *out.value);
        out.problems.insert(out.problems.end(), module.problems.begin(), module.problems.end());
        if (!module.value) continue;
        if (std::filesystem::path(path).stem() != module.value->name) {
            out.problems.push_back({path, 0, 0,
                                    "the file of module " + module.value->name +
                                        " must be called " + module.value->name + ".yaml"});
            continue;
        }
        out.value->push_back(std::move(*module.value));
    }
    return out;
}

}  // namespace ha::io
