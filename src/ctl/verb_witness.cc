#include <unistd.h>

#include <algorithm>
#include <iostream>

#include "ctl/daemon.h"
#include "ctl/verbs.h"
#include "io/pairing.h"
#include "io/socket_address.h"
#include "io/witness_config.h"
#include "io/witness_pairing.h"

// witness add, remove. The witness learns the pair's keys from here; that both nodes name it in
// cluster.yaml is the daemons' work.

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

/// Whether this host can be the pair's witness, by its addresses; key and store are not known yet.
Outcome<> fits(const Options& options, config::ClusterConfig cluster) {
    auto addresses = io::resolve(options.host);
    if (!addresses) return failed(Exit::Refused, addresses.error().text);
    std::erase_if(*addresses, [](const auto& each) { return each.find(':') != std::string::npos; });
    if (addresses->empty()) {
        return failed(Exit::Refused,
                      options.host + " has no IPv4 address, and others are not supported yet.");
    }
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
