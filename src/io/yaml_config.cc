#include "io/yaml_config.h"

#include <openssl/evp.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "core/config/values.h"
#include "io/yaml_reader.h"

namespace ha::io {
namespace {

using Node = YAML::Node;
using Where = const std::string&;

void read_node(YamlReader& reader, const Node& node, Where where, config::NodeConfig& out) {
    reader.map(
        node, where, "a node",
        {{"name", [&](const Node& n, Where w) { reader.text(n, w, out.name); }, true},
         {"addresses",
          [&](const Node& n, Where w) { reader.texts(n, w, "addresses", out.addresses); }, true}});
}

void read_store(YamlReader& reader, const Node& node, Where where, Id128& out) {
    std::string word;
    reader.text(node, where, word);
    if (!node.IsScalar()) return;
    if (auto parsed = Id128::parse(word)) {
        out = *parsed;
        return;
    }
    reader.problem(node, "expected 32 lower-case hexadecimal digits for " + where + "; found \"" +
                             word + "\"");
}

void read_etcd(YamlReader& reader, const Node& node, Where where, config::EtcdConfig& out) {
    auto text = [&reader](std::string& into) {
        return [&reader, &into](const Node& n, Where w) { reader.text(n, w, into); };
    };
    reader.map(
        node, where, "an etcd",
        {{"endpoints",
          [&](const Node& n, Where w) { reader.texts(n, w, "endpoints", out.endpoints); }, true},
         {"cluster", text(out.cluster), true},
         {"prefix", text(out.prefix)},
         {"ca", text(out.ca)},
         {"certificate", text(out.certificate)},
         {"key", text(out.key)},
         {"user", text(out.user)},
         {"password_file", text(out.password_file)}});
}

void read_witness(YamlReader& reader, const Node& node, Where where, config::WitnessConfig& out) {
    const YamlReader::Key addresses = {
        "addresses",
        [&](const Node& n, Where w) { reader.texts(n, w, "addresses", out.addresses); }, true};
    const YamlReader::Key store = {
        "store", [&](const Node& n, Where w) { read_store(reader, n, w, out.store); }, true};
    if (node.IsMap() && node["etcd"]) {
        auto etcd = [&](const Node& n, Where w) { read_etcd(reader, n, w, out.etcd.emplace()); };
        return reader.map(node, where, "a witness that is an etcd",
                          {{"etcd", etcd}, addresses, store});
    }
    reader.map(node, where, "a witness",
               {addresses,
                {"port", [&](const Node& n, Where w) { reader.port(n, w, out.port); }},
                {"key", [&](const Node& n, Where w) { reader.text(n, w, out.key); }, true},
                store});
}

void read_cluster(YamlReader& reader, const Node& root, config::ClusterConfig& out) {
    auto nodes = [&](const Node& n, Where w) {
        reader.list(n, w, "nodes", [&](const Node& each, Where place) {
            read_node(reader, each, place, out.nodes.emplace_back());
        });
    };
    auto control = [&](const Node& n, Where w) { reader.port(n, w, out.control_port); };
    auto witness = [&](const Node& n, Where w) {
        read_witness(reader, n, w, out.witness.emplace());
    };
    reader.map(root, "", "a cluster",
               {{"nodes", nodes, true}, {"control_port", control}, {"witness", witness}},
               {"links", "networks", "ping_targets"});
}

void read_directory(YamlReader& reader, const Node& node, Where where,
                    config::ReplicatedDirectory& out) {
    reader.map(
        node, where, "an entry of replicate",
        {{"path", [&](const Node& n, Where w) { reader.text(n, w, out.path); }, true},
         {"exclude", [&](const Node& n, Where w) { reader.texts(n, w, "patterns", out.exclude); }}},
        {"mode", "secondary"});
}

void read_restarts(YamlReader& reader, const Node& node, Where where, config::Restarts& out) {
    std::string word;
    reader.text(node, where, word);
    if (!node.IsScalar()) return;
    if (auto parsed = config::parse_restarts(word)) {
        out = *parsed;
        return;
    }
    reader.problem(
        node, "expected a budget such as \"3 per 24h\" for " + where + "; found \"" + word + "\"");
}

void read_failover(YamlReader& reader, const Node& node, Where where, config::Failover& out) {
    auto preferred = [&](const Node& n, Where w) {
        reader.text(n, w, out.preferred);
        if (out.preferred == "none") out.preferred.clear();
    };
    reader.map(
        node, where, "failover",
        {{"automatic", [&](const Node& n, Where w) { reader.boolean(n, w, out.automatic); }},
         {"preferred", preferred},
         {"restarts", [&](const Node& n, Where w) { read_restarts(reader, n, w, out.restarts); }}});
}

void read_timing(YamlReader& reader, const Node& node, Where where, config::Timing& out) {
    auto into = [&](Duration& field) {
        return [&reader, &field](const Node& n, Where w) { reader.duration(n, w, field); };
    };
    reader.map(node, where, "timing",
               {{"heartbeat", into(out.heartbeat)},
                {"silent_after", into(out.silent_after)},
                {"demote_after", into(out.demote_after)},
                {"kill_bound", into(out.kill_bound)},
                {"take_after", into(out.take_after)}},
               {"mirror_dead", "mirror_restart_grace", "stop_hold", "boot_wait", "profile"});
}

void read_mode(YamlReader& reader, const Node& node, Where where) {
    std::string word;
    reader.text(node, where, word);
    if (!node.IsScalar() || word == "strict") return;
    if (word == "ordered" || word == "writeback") {
        return reader.problem(node, "mode \"" + word + "\" is not supported yet; use strict");
    }
    reader.problem(node, "expected strict for mode; found \"" + word + "\"");
}

void read_policy(YamlReader& reader, const Node& node, Where where, config::Policy& out) {
    std::string word;
    reader.text(node, where, word);
    if (!node.IsScalar()) return;
    out = word == "safe" ? config::Policy::Safe : config::Policy::Available;
    if (word != "safe" && word != "available") {
        reader.problem(node,
                       "expected available or safe for without_witness; found \"" + word + "\"");
    }
}

std::vector<YamlReader::Key> module_keys(YamlReader& reader, config::ModuleConfig& out) {
    auto directories = [&](const Node& n, Where w) {
        reader.list(n, w, "directories", [&](const Node& each, Where place) {
            read_directory(reader, each, place, out.replicate.emplace_back());
        });
    };
    return {
        {"module", [&](const Node& n, Where w) { reader.text(n, w, out.name); }, true},
        {"replicate", directories, true},
        {"virtual_ips",
         [&](const Node& n, Where w) { reader.texts(n, w, "virtual IPs", out.virtual_ips); }},
        {"units", [&](const Node& n, Where w) { reader.texts(n, w, "units", out.units); }},
        {"failover", [&](const Node& n, Where w) { read_failover(reader, n, w, out.failover); }},
        {"mode", [&](const Node& n, Where w) { read_mode(reader, n, w); }},
        {"without_witness", [&](const Node& n, Where w) { read_policy(reader, n, w, out.policy); }},
        {"ping_targets",
         [&](const Node& n, Where w) { reader.texts(n, w, "addresses", out.ping_targets); }},
        {"timing", [&](const Node& n, Where w) { read_timing(reader, n, w, out.timing); }},
        {"port", [&](const Node& n, Where w) { reader.port(n, w, out.port); }},
    };
}

template <typename T>
Parsed<T> finish(YamlReader& reader, T value) {
    Parsed<T> out;
    out.problems = reader.take_problems();
    if (out.problems.empty()) out.value = std::move(value);
    return out;
}

/// A field that nothing was said of yet; in a half-read file, one that was read at all. Anything
/// else would only repeat what was said already.
void add_new(YamlReader& reader, bool half_read, const std::vector<config::Problem>& problems) {
    for (const auto& problem : problems) {
        if (!half_read || reader.read_well(problem.where)) reader.problem(problem);
    }
}

}  // namespace

std::string FileProblem::message() const {
    if (line == 0) return file + ": " + text;
    return file + ":" + std::to_string(line) + ":" + std::to_string(column) + ": " + text;
}

Parsed<config::ClusterConfig> parse_cluster(std::string_view text, const std::string& file) {
    YamlReader reader(file);
    config::ClusterConfig out;
    if (auto root = reader.load(text)) read_cluster(reader, *root, out);
    if (!reader.has_problems()) add_new(reader, false, config::check(out));
    return finish(reader, std::move(out));
}

Parsed<config::WitnessConfig> parse_witness(std::string_view text, const std::string& file) {
    if (text.size() > kMaxWitnessText) {
        return {std::nullopt, {FileProblem{file, 0, 0, "it is longer than 4 KiB"}}};
    }
    YamlReader reader(file);
    config::WitnessConfig out;
    if (auto root = reader.load(text)) read_witness(reader, *root, "", out);
    if (!reader.has_problems()) add_new(reader, false, config::check(out));
    return finish(reader, std::move(out));
}

Parsed<config::ModuleConfig> parse_module(std::string_view text, const std::string& file,
                                          const config::ClusterConfig& cluster,
                                          const std::vector<config::ModuleConfig>& others,
                                          const ModuleCheck& system) {
    YamlReader reader(file);
    config::ModuleConfig out;
    if (auto root = reader.load(text)) {
        reader.map(*root, "", "a module", module_keys(reader, out),
                   {"checks", "secondary", "depends_on", "follows", "avoids", "group", "hooks",
                    "encryption", "witness"});
    }
    const bool half_read = reader.has_problems();
    add_new(reader, half_read, config::check(out, cluster));
    add_new(reader, half_read, config::check_against(out, others));
    if (system) add_new(reader, true, system(out));
    return finish(reader, std::move(out));
}

Result<std::string> read_config_text(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    if (!in) return fail("cannot read " + path + ": " + std::strerror(errno), errno);
    std::string text(kMaxConfigText + 1, '\0');
    in.read(text.data(), static_cast<std::streamsize>(text.size()));
    if (in.bad()) return fail("cannot read " + path + ": " + std::strerror(errno), errno);
    text.resize(static_cast<std::size_t>(in.gcount()));
    if (text.size() > kMaxConfigText) return fail(path + " is over 1 MiB", EFBIG);
    return text;
}

std::string content_hash(std::string_view text) {
    unsigned char digest[32];
    unsigned int size = sizeof digest;
    EVP_Digest(text.data(), text.size(), digest, &size, EVP_sha256(), nullptr);
    std::string out;
    for (unsigned char byte : digest) {
        out += "0123456789abcdef"[byte >> 4];
        out += "0123456789abcdef"[byte & 15];
    }
    return out;
}

}  // namespace ha::io
