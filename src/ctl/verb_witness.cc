#include <unistd.h>

#include <algorithm>
#include <iostream>

#include "core/config/values.h"
#include "ctl/daemon.h"
#include "ctl/verbs.h"
#include "io/etcd_config.h"
#include "io/etcd_setup.h"
#include "io/pairing.h"
#include "io/socket_address.h"
#include "io/witness_config.h"
#include "io/witness_pairing.h"

// witness add, remove. The witness learns the pair's keys from here, or an etcd is given a store;
// that both nodes name it in cluster.yaml is the daemons' work.

namespace ha::ctl {
namespace {

/// The pair as far as enrolling it needs to know it.
struct Pair {
    io::PeerRecord peer;
    io::Identity own;
    config::ClusterConfig cluster;
};

/// Nothing that is known before would stop the daemons from recording a witness.
Outcome<> ready(const ClusterStatus& status) {
    if (!status.paired) {
        return failed(Exit::Refused,
                      "This node is not paired yet, and a witness is for a pair. On the other "
                      "server: hamirrorctl cluster pair HOST --name NAME --address ADDRESS");
    }
    if (status.control_connected) return {};
    return failed(Exit::Refused, status.peer() +
                                     " is not connected, and both nodes must record the witness. "
                                     "See: hamirrorctl cluster status");
}

Outcome<Pair> this_pair() {
    const io::NodePaths paths;
    auto peer = io::load_peer(paths.state);
    if (!peer) return failed(Exit::Refused, peer.error().text);
    if (!*peer) return failed(Exit::Refused, "This node is not paired yet.");
    auto own = io::Identity::load(paths.keys);
    if (!own) return failed(Exit::Refused, own.error().text);
    auto text = io::read_config_text(paths.cluster_file());
    if (!text) return failed(Exit::Refused, text.error().text);
    auto cluster = io::parse_cluster(*text, paths.cluster_file());
    if (!cluster.value) return failed(Exit::Refused, cluster.messages());
    return Pair{std::move(**peer), *own, std::move(*cluster.value)};
}

Outcome<std::vector<std::string>> ipv4_of(const std::string& host) {
    auto addresses = io::resolve(host);
    if (!addresses) return failed(Exit::Refused, addresses.error().text);
    std::erase_if(*addresses, [](const auto& each) { return each.find(':') != std::string::npos; });
    if (!addresses->empty()) return *addresses;
    return failed(Exit::Refused, host + " has no IPv4 address, and others are not supported yet.");
}

/// Whether this host can be the pair's witness, by its addresses; key and store are not known yet.
Outcome<> fits(const Options& options, config::ClusterConfig cluster) {
    auto addresses = ipv4_of(options.host);
    if (!addresses) return tl::unexpected(addresses.error());
    for (const auto& address : *addresses) {
        cluster.witness = config::WitnessConfig{{address},
                                                static_cast<std::uint16_t>(options.witness_port),
                                                std::string(64, '0'),
                                                Id128{0, 1}};
        auto problems = config::check(cluster);
        if (!problems.empty()) return failed(Exit::Refused, problems.front().text);
    }
    return {};
}

Outcome<config::WitnessConfig> enrol(const Options& options, const Pair& pair) {
    auto text =
        io::read_secret_line("Token shown by 'hamirror-witness token' on " + options.host + ": ");
    if (!text) return failed(Exit::Refused, text.error().text);
    auto token = io::PairingToken::parse(*text);
    if (!token) return failed(Exit::Refused, token.error().text);
    const auto& nodes = pair.cluster.nodes;
    auto record = io::enrol_at_witness(
        pair.own, {options.host, static_cast<std::uint16_t>(options.witness_port), *token,
                   nodes.front().name + "+" + nodes.back().name, pair.peer.fingerprint});
    if (!record) return failed(Exit::Refused, record.error().text);
    return io::config_of(*record);
}

// ---- an etcd

/// "https://HOST:PORT" of "HOST", "HOST:PORT" or itself.
std::string endpoint_of(std::string word) {
    constexpr std::string_view kScheme = "://";
    if (word.find(kScheme) == std::string::npos) word = "https://" + word;
    const auto host = word.find(kScheme) + kScheme.size();
    if (word.find(':', host) == std::string::npos) word += ":2379";
    return word;
}

struct Member {
    std::string endpoint;
    std::string address;
};

/// One address for each: the daemons ask no name servers, for these may be cut off just when a
/// witness is needed.
Outcome<Member> member_of(const std::string& given) {
    Member out{endpoint_of(given), ""};
    const auto endpoint = config::parse_endpoint(out.endpoint);
    if (!endpoint) {
        return failed(Exit::Refused, given +
                                         " is no endpoint of an etcd; give HOST:PORT, of its "
                                         "port for clients, with TLS.");
    }
    auto addresses = ipv4_of(endpoint->host);
    if (!addresses) return tl::unexpected(addresses.error());
    if (addresses->size() != 1) {
        return failed(Exit::Refused, endpoint->host +
                                         " has several addresses; give each member of the etcd by "
                                         "a name or an address of its own.");
    }
    out.address = addresses->front();
    return out;
}

Outcome<config::WitnessConfig> wanted_etcd(const Options& options, config::ClusterConfig cluster) {
    std::vector<Member> members;
    for (const auto& given : options.etcd.endpoints) {
        auto member = member_of(given);
        if (!member) return tl::unexpected(member.error());
        members.push_back(std::move(*member));
    }
    // A member on a node is lost with it, just when the etcd is asked: the others are asked first.
    std::ranges::stable_partition(members, [&](const Member& member) {
        return std::ranges::none_of(cluster.nodes, [&](const auto& node) {
            return std::ranges::find(node.addresses, member.address) != node.addresses.end();
        });
    });
    config::WitnessConfig wanted;
    wanted.store = Id128{0, 1};  // not known yet, and neither is the etcd's id
    wanted.etcd = options.etcd;
    wanted.etcd->cluster = std::string(16, 'f');
    wanted.etcd->endpoints.clear();
    for (const auto& member : members) {
        wanted.etcd->endpoints.push_back(member.endpoint);
        wanted.addresses.push_back(member.address);
    }
    cluster.witness = wanted;
    const auto wrong = config::check(cluster);
    if (!wrong.empty()) return failed(Exit::Refused, wrong.front().text);
    return wanted;
}

Outcome<> add_etcd(Daemon& daemon, const Options& options, const Pair& pair) {
    auto wanted = wanted_etcd(options, pair.cluster);
    if (!wanted) return tl::unexpected(wanted.error());
    if (auto files = io::check_etcd_files(*wanted->etcd); !files) {
        return failed(Exit::Refused, files.error().text);
    }
    auto made = io::set_up_etcd(*wanted, pair.cluster.witness);
    if (!made) {
        return failed(Exit::Refused,
                      "The etcd cannot be used: " + made.error().text + "; nothing was changed.");
    }
    for (const auto& each : made->unanswered) {
        std::cout << "Does not answer now, but is recorded: " << each << "\n";
    }
    auto outcome = daemon.set_witness(io::render(made->witness));
    if (!outcome) return tl::unexpected(outcome.error());
    std::cout << *outcome << "Next: hamirrorctl status\n";
    return {};
}

}  // namespace

Outcome<> run_witness_add(const Options& options) {
    if (geteuid() != 0) return failed(Exit::Refused, "Only root may do this: repeat it with sudo.");
    auto daemon = Daemon::connect();
    if (!daemon) return tl::unexpected(daemon.error());
    auto seen = daemon->status();
    if (!seen) return tl::unexpected(seen.error());
    if (auto able = ready(seen->status); !able) return able;
    auto pair = this_pair();
    if (!pair) return tl::unexpected(pair.error());
    if (!options.etcd.endpoints.empty()) return add_etcd(*daemon, options, *pair);
    if (auto fit = fits(options, pair->cluster); !fit) return fit;
    auto witness = enrol(options, *pair);
    if (!witness) return tl::unexpected(witness.error());
    auto outcome = daemon->set_witness(io::render(*witness));
    if (!outcome) {
        return failed(outcome.error().exit, outcome.error().text +
                                                "\nThe witness knows the pair already; the same "
                                                "command with the same token completes it.");
    }
    std::cout << "The witness knows the pair.\n" << *outcome << "Next: hamirrorctl status\n";
    return {};
}

Outcome<> run_witness_remove(const Options&) {
    auto daemon = Daemon::connect();
    if (!daemon) return tl::unexpected(daemon.error());
    auto outcome = daemon->set_witness("");
    if (!outcome) return tl::unexpected(outcome.error());
    std::cout << *outcome;
    return {};
}

}  // namespace ha::ctl
