#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <unistd.h>

#include <array>
#include <iostream>
#include <memory>

#include "ctl/systemd_unit.h"
#include "ctl/verbs.h"
#include "io/pairing.h"

// cluster init, token, pair: the two servers learn each other's keys. These work on the files of
// this node, so they need root and no daemon; the daemon is started when they have succeeded.

namespace ha::ctl {
namespace {

constexpr const char* kDaemonUnit = "ha-clusterd.service";
constexpr Duration kStartTimeout = 30s;

std::string host_name() {
    std::array<char, 256> name{};
    gethostname(name.data(), name.size() - 1);
    const std::string text(name.data());
    return text.substr(0, text.find('.'));
}

/// "    10.0.0.1  (eth0)" for each address that could be meant.
std::string addresses_found() {
    ifaddrs* raw = nullptr;
    if (getifaddrs(&raw) < 0) return "";
    std::unique_ptr<ifaddrs, decltype(&freeifaddrs)> list(raw, freeifaddrs);
    std::string found;
    for (auto* each = raw; each != nullptr; each = each->ifa_next) {
        if (each->ifa_addr == nullptr || each->ifa_addr->sa_family != AF_INET) continue;
        if ((each->ifa_flags & IFF_LOOPBACK) != 0 || (each->ifa_flags & IFF_UP) == 0) continue;
        std::array<char, INET_ADDRSTRLEN> text{};
        const auto* address = reinterpret_cast<const sockaddr_in*>(each->ifa_addr);
        inet_ntop(AF_INET, &address->sin_addr, text.data(), text.size());
        found += std::string("\n    --address ") + text.data() + "    (" + each->ifa_name + ")";
    }
    return found;
}

Outcome<config::NodeConfig> this_node(const Options& options) {
    if (geteuid() != 0) return failed(Exit::Refused, "Only root may do this: repeat it with sudo.");
    if (!options.addresses.empty()) {
        return config::NodeConfig{options.name.empty() ? host_name() : options.name,
                                  options.addresses};
    }
    const std::string found = addresses_found();
    return failed(Exit::Usage,
                  "By which of its addresses does the other server reach this one? One for each "
                  "network between them, in the same order on both." +
                      (found.empty() ? std::string(" This server has no address yet.")
                                     : " This server has:" + found));
}

/// It listens for the other server, or begins to look for it.
Outcome<> start_daemon() {
    auto started = restart_unit(kDaemonUnit, kStartTimeout);
    if (started) return {};
    return failed(Exit::Stuck,
                  "That is recorded, but the cluster daemon is not up: " + started.error().text);
}

void show_token(const io::InitResult& result, const std::string& address, int port) {
    std::cout << "On the other server run, within 15 minutes:\n"
              << "    hamirrorctl cluster pair " << address
              << (port == 7400 ? "" : " --port " + std::to_string(port))
              << " --address ITS-ADDRESS...\n"
              << "It asks for this token, which is good for one pairing:\n    " << result.token
              << "\n";
}

/// As cluster.yaml has it.
Outcome<config::ClusterConfig> recorded_cluster() {
    const auto file = io::NodePaths{}.cluster_file();
    auto text = io::read_config_text(file);
    if (!text) return failed(Exit::Refused, text.error().text);
    auto cluster = io::parse_cluster(*text, file);
    if (!cluster.value) return failed(Exit::Refused, cluster.messages());
    return *cluster.value;
}

}  // namespace

Outcome<> run_cluster_init(const Options& options) {
    auto self = this_node(options);
    if (!self) return tl::unexpected(self.error());
    auto done = io::init_cluster({}, *self, static_cast<std::uint16_t>(options.port));
    if (!done) return failed(Exit::Refused, done.error().text);
    if (auto started = start_daemon(); !started) {
        return failed(started.error().exit,
                      started.error().text + "\nWhen it runs: hamirrorctl cluster token");
    }
    std::cout << "This is " << self->name << ", the first of two.\n";
    show_token(*done, self->addresses.front(), options.port);
    return {};
}

Outcome<> run_cluster_token(const Options&) {
    if (geteuid() != 0) return failed(Exit::Refused, "Only root may do this: repeat it with sudo.");
    auto made = io::new_token({});
    if (!made) return failed(Exit::Refused, made.error().text);
    auto cluster = recorded_cluster();
    if (!cluster) return tl::unexpected(cluster.error());
    show_token(*made, cluster->nodes.front().addresses.front(), cluster->control_port);
    return {};
}

Outcome<> run_cluster_pair(const Options& options) {
    auto self = this_node(options);
    if (!self) return tl::unexpected(self.error());
    // Recorded last of all: nothing is left to repeat, and the token is used up.
    auto known = io::load_peer();
    if (!known) return failed(Exit::Refused, known.error().text);
    if (*known) {
        return failed(Exit::Refused, "This node is already paired with " + (*known)->name +
                                         ". See: hamirrorctl cluster status");
    }
    auto text =
        io::read_secret_line("Token shown by 'hamirrorctl cluster init' on " + options.host + ": ");
    if (!text) return failed(Exit::Refused, text.error().text);
    auto token = io::PairingToken::parse(*text);
    if (!token) return failed(Exit::Refused, token.error().text);
    auto peer =
        io::pair_with({}, {options.host, static_cast<std::uint16_t>(options.port), *token, *self});
    if (!peer) return failed(Exit::Refused, peer.error().text);
    if (auto started = start_daemon(); !started) return started;
    std::cout << self->name << " and " << peer->name << " are a pair. On both servers run:\n"
              << "    systemctl enable --now ha-cluster.target\n"
              << "and on one of them, for each application:\n"
              << "    hamirrorctl apply FILE\n";
    return {};
}

}  // namespace ha::ctl
