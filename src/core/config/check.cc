#include <algorithm>

#include "core/config/config.h"
#include "core/config/values.h"

namespace ha::config {
namespace {

std::string quoted(const std::string& text) {
    return '"' + text + '"';
}

std::string index(const char* list, std::size_t i) {
    return std::string(list) + "[" + std::to_string(i) + "]";
}

/// `unreachable` is the advice for an address that no other machine reaches.
void check_address(const std::string& text, const std::string& where, const char* of_whom,
                   const char* unreachable, std::vector<Problem>& out) {
    if (text.find(':') != std::string::npos) {
        out.push_back({where, std::string("IPv6 addresses of ") + of_whom +
                                  " are not supported yet; give an IPv4 address"});
        return;
    }
    auto address = parse_ipv4(text);
    if (!address) {
        out.push_back({where, quoted(text) + " is not an IPv4 address such as 192.0.2.1"});
    } else if ((*address)[0] == 0 || (*address)[0] == 127 || (*address)[0] >= 224) {
        out.push_back({where, text + " cannot be reached from " + unreachable});
    }
}

void check_node(const NodeConfig& node, const std::string& where, std::vector<Problem>& out) {
    if (!valid_node_name(node.name)) {
        out.push_back({where + ".name", quoted(node.name) +
                                            " is no name for a node; use up to 63 letters, digits, "
                                            "'.' and '-', and not \"none\""});
    }
    if (node.addresses.empty() || node.addresses.size() > 4) {
        out.push_back({where + ".addresses", "give one address for each network, 1 to 4 of them"});
    }
    for (std::size_t i = 0; i < node.addresses.size(); ++i) {
        check_address(node.addresses[i], where + index(".addresses", i), "nodes",
                      "the peer; give an address of a network both nodes are on", out);
    }
}

void check_pair(const NodeConfig& first, const NodeConfig& second, std::vector<Problem>& out) {
    if (first.name == second.name) {
        out.push_back({"nodes[1].name", "both nodes are called " + quoted(first.name)});
    }
    if (first.addresses.size() != second.addresses.size()) {
        out.push_back({"nodes[1].addresses",
                       "the nodes have " + std::to_string(first.addresses.size()) + " and " +
                           std::to_string(second.addresses.size()) +
                           " addresses; give each node one for each network, in the same order"});
    }
}

void check_unique_addresses(const ClusterConfig& cluster, std::vector<Problem>& out) {
    std::vector<std::string> seen;
    for (std::size_t n = 0; n < cluster.nodes.size(); ++n) {
        const auto& addresses = cluster.nodes[n].addresses;
        for (std::size_t i = 0; i < addresses.size(); ++i) {
            if (std::find(seen.begin(), seen.end(), addresses[i]) != seen.end()) {
                out.push_back({index("nodes", n) + index(".addresses", i),
                               "address " + addresses[i] + " appears twice"});
            }
            seen.push_back(addresses[i]);
        }
    }
}

bool is_key(const std::string& text) {
    return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

bool is_address_of(const NodeConfig& node, const std::string& address) {
    return std::find(node.addresses.begin(), node.addresses.end(), address) != node.addresses.end();
}

/// A witness on a node of the pair would be lost together with it. An etcd may have members there,
/// if it has enough of them elsewhere; one that is nowhere else has not.
void check_witness_of(const ClusterConfig& cluster, std::vector<Problem>& out) {
    const auto& addresses = cluster.witness->addresses;
    bool elsewhere = false;
    for (std::size_t i = 0; i < addresses.size(); ++i) {
        bool on_node = false;
        for (const auto& node : cluster.nodes) {
            if (!is_address_of(node, addresses[i])) continue;
            on_node = true;
            if (cluster.witness->etcd) continue;
            out.push_back(
                {index("witness.addresses", i), addresses[i] + " is the address of " + node.name +
                                                    "; a witness needs a machine of its own"});
        }
        elsewhere = elsewhere || !on_node;
    }
    if (!cluster.witness->etcd || elsewhere || addresses.empty()) return;
    out.push_back({"witness.addresses",
                   "all these members are on the two nodes; an etcd that outlives either of them "
                   "has members elsewhere: give those, too"});
}

void check_witness_addresses(const WitnessConfig& witness, std::vector<Problem>& out) {
    const auto& addresses = witness.addresses;
    for (std::size_t i = 0; i < addresses.size(); ++i) {
        check_address(addresses[i], index("addresses", i), "witnesses",
                      "both nodes; give an address of the witness's machine", out);
        auto here = addresses.begin() + static_cast<std::ptrdiff_t>(i);
        // Members of an etcd are told apart by their ports, too.
        if (!witness.etcd && std::find(addresses.begin(), here, *here) != here) {
            out.push_back({index("addresses", i), "address " + *here + " appears twice"});
        }
    }
}

/// Each endpoint has the address that is its own, or the one that its name stood for.
void check_etcd_addresses(const WitnessConfig& witness, std::vector<Problem>& out) {
    const auto& endpoints = witness.etcd->endpoints;
    if (endpoints.size() != witness.addresses.size()) {
        out.push_back({"addresses", "give the address of each endpoint, in the same order"});
        return;
    }
    for (std::size_t i = 0; i < endpoints.size(); ++i) {
        const auto endpoint = parse_endpoint(endpoints[i]);
        if (!endpoint || !parse_ipv4(endpoint->host) || endpoint->host == witness.addresses[i]) {
            continue;
        }
        out.push_back({index("addresses", i),
                       witness.addresses[i] + " is not the address in " + endpoints[i]});
    }
}

void check_hamirror_witness(const WitnessConfig& witness, std::vector<Problem>& out) {
    if (witness.port == 0) out.push_back({"port", "port 0 is not between 1 and 65535"});
    if (!is_key(witness.key)) {
        out.push_back({"key",
                       "the witness's key is not 64 lower-case hexadecimal digits; `hamirrorctl "
                       "witness add` writes it"});
    }
}

}  // namespace

std::vector<Problem> check(const WitnessConfig& witness) {
    std::vector<Problem> out;
    const auto& addresses = witness.addresses;
    if (!witness.etcd && (addresses.empty() || addresses.size() > 4)) {
        out.push_back({"addresses", "give 1 to 4 addresses of the witness"});
        return out;
    }
    if (witness.etcd) {
        for (auto& problem : check(*witness.etcd)) {
            out.push_back({"etcd." + problem.where, std::move(problem.text)});
        }
        check_etcd_addresses(witness, out);
    }
    check_witness_addresses(witness, out);
    if (!witness.etcd) check_hamirror_witness(witness, out);
    if (witness.store.none()) {
        out.push_back({"store",
                       "the store's identifier is zero, which is none; `hamirrorctl witness add` "
                       "writes it"});
    }
    return out;
}

std::vector<Problem> check(const ClusterConfig& cluster) {
    std::vector<Problem> out;
    if (cluster.nodes.empty() || cluster.nodes.size() > 2) {
        out.push_back(
            {"nodes", "a cluster has two nodes; found " + std::to_string(cluster.nodes.size())});
    }
    for (std::size_t i = 0; i < cluster.nodes.size(); ++i) {
        check_node(cluster.nodes[i], index("nodes", i), out);
    }
    if (cluster.nodes.size() == 2) check_pair(cluster.nodes[0], cluster.nodes[1], out);
    check_unique_addresses(cluster, out);
    if (cluster.control_port < 1024) {
        out.push_back({"control_port", "port " + std::to_string(cluster.control_port) +
                                           " is not between 1024 and 65535"});
    }
    if (cluster.witness) {
        for (auto& problem : check(*cluster.witness)) {
            out.push_back({"witness." + problem.where, std::move(problem.text)});
        }
        check_witness_of(cluster, out);
    }
    return out;
}

std::uint16_t free_port(const ClusterConfig& cluster, const std::vector<ModuleConfig>& modules) {
    for (std::uint32_t port = kFirstModulePort; port <= 65535; ++port) {
        bool taken = port == cluster.control_port ||
                     std::any_of(modules.begin(), modules.end(),
                                 [&](const ModuleConfig& module) { return module.port == port; });
        if (!taken) return static_cast<std::uint16_t>(port);
    }
    return 0;
}

const char* name(Policy policy) {
    return policy == Policy::Available ? "available" : "safe";
}

}  // namespace ha::config
