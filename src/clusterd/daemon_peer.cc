// ha-clusterd and the other node: control connection, heartbeats, requests.

#include <algorithm>

#include "clusterd/daemon.h"
#include "core/cluster/codec.h"
#include "io/clock.h"
#include "io/log.h"

namespace ha::clusterd {
namespace {

constexpr std::size_t kMaxModules = 32;

/// The smallest interval any module asks for; what counts when there is none.
Duration heartbeat_interval(const std::vector<config::ModuleConfig>& modules) {
    Duration least = config::Timing{}.heartbeat;
    for (const auto& module : modules) least = std::min(least, module.timing.heartbeat);
    return least;
}

Duration silent_after(const std::vector<config::ModuleConfig>& modules) {
    Duration least = config::Timing{}.silent_after;
    for (const auto& module : modules) least = std::min(least, module.timing.silent_after);
    return least;
}

}  // namespace

Result<> Daemon::listen() {
    auto context = io::TlsContext::create(identity_);
    if (!context) return tl::unexpected(context.error());
    io::TlsListener::Callbacks callbacks;
    callbacks.on_stream = [this](std::unique_ptr<io::TlsStream> stream) {
        incoming(std::move(stream));
    };
    callbacks.on_failed = [](const std::string& why) {
        io::log(io::Level::Debug, "A connection to the control port failed: " + why);
    };
    io::PairingServer::Callbacks pairing;
    pairing.on_paired = [this](const io::PeerRecord& peer) { paired(peer); };
    pairing.on_refused = [](const std::string& why) {
        io::log(io::Level::Warning, api::message::kPairingRefused, {},
                "Somebody tried to pair and was refused: " + why);
    };
    pairing_ =
        std::make_unique<io::PairingServer>(loop_, io::NodePaths{}, identity_, std::move(pairing));
    listener_ = std::make_unique<io::TlsListener>(loop_, *context, std::move(callbacks));
    const auto& cluster = configurations_.cluster();
    for (const auto& address : cluster.nodes[static_cast<std::size_t>(self_)].addresses) {
        auto port = listener_->listen(address, cluster.control_port);
        if (!port) return tl::unexpected(port.error());
    }
    if (cluster.nodes.size() == 2) {
        listener_->keep_room_for(cluster.nodes[1 - static_cast<std::size_t>(self_)].addresses);
    }
    return {};
}

Result<> Daemon::start_peer() {
    if (!peer_) return {};
    auto context = io::TlsContext::create(identity_);
    if (!context) return tl::unexpected(context.error());
    PeerLink::Callbacks callbacks;
    callbacks.on_up = [this](const ControlHello& hello, io::TlsStream& stream) {
        control_up(hello, stream);
    };
    callbacks.on_down = [this](const std::string& why) { control_down(why); };
    callbacks.on_message = [this](const ControlMessage& message) { control_message(message); };
    link_ = std::make_unique<PeerLink>(loop_, *context, configurations_.cluster(), self_,
                                       peer_->fingerprint, boot_, std::move(callbacks));
    link_->start();

    const auto& nodes = configurations_.cluster().nodes;
    auto mine = static_cast<std::size_t>(self_);
    std::vector<io::Heartbeat::Network> networks;
    for (std::size_t i = 0; i < nodes[mine].addresses.size(); ++i) {
        networks.push_back({nodes[mine].addresses[i], nodes[1 - mine].addresses[i]});
    }
    network_heard_.resize(networks.size());
    network_up_.resize(networks.size(), false);
    io::Heartbeat::Callbacks beats;
    beats.on_heartbeat = [this](std::size_t network, std::span<const std::byte> payload) {
        heard(network, payload);
    };
    beats.on_refused = [](std::size_t, io::HeartbeatVerdict) {};
    auto opened = io::Heartbeat::open(loop_, networks, configurations_.cluster().control_port,
                                      boot_, std::move(beats));
    if (!opened) return tl::unexpected(opened.error());
    heartbeats_ = std::move(*opened);
    send_heartbeat();
    return {};
}

/// Whoever connected to the control port and proved to hold some key.
void Daemon::incoming(std::unique_ptr<io::TlsStream> stream) {
    if (peer_ && stream->peer() == peer_->fingerprint) return link_->accepted(std::move(stream));
    if (stream->protocol() == io::kPairingProtocol) return pairing_->adopt(std::move(stream));
    io::log(io::Level::Warning, api::message::kStrangerRefused, {},
            "A connection to the control port was refused: its key is not the peer's.");
}

/// Everything is on disk. No module exists before a node is paired, so beginning again is the way
/// to read it all: systemd starts us anew.
void Daemon::paired(const io::PeerRecord& peer) {
    io::log(io::Level::Notice, api::message::kPaired, {}, "Paired with " + peer.name + ".");
    loop_.post([this] {
        face_.stop();
        loop_.stop();
    });
}

// ---- the control connection
// -----------------------------------------------------------------------

void Daemon::control_up(const ControlHello& hello, io::TlsStream& stream) {
    auto keys = io::heartbeat_keys(stream, identity_.fingerprint());
    if (keys) {
        heartbeats_->set_keys(*keys, hello.boot);
        probe_heard_ = 0;  // another boot's number would be taken for one of this
    } else {
        io::log(io::Level::Error, "No heartbeats: " + keys.error().text);
    }
    io::log(io::Level::Notice, api::message::kPeerConnected, {},
            "The control connection to " + hello.node + " is up.");
    peer_evidence();
    for (auto& [name, module] : modules_) module->control_up();
    changed();
}

void Daemon::control_down(const std::string& reason) {
    io::log(io::Level::Warning, api::message::kPeerDisconnected, {},
            "The control connection to the other node broke: " + reason + ".");
    last_reports_.clear();
    peer_clock_.reset();
    auto waiting = std::move(requests_);
    requests_.clear();
    ControlReply lost{0, false, "PeerUnreachable",
                      "the connection to the other node broke before it answered"};
    for (auto& [id, answered] : waiting) answered(lost);
    changed();
}

void Daemon::control_message(const ControlMessage& message) {
    peer_evidence();
    if (const auto* report = std::get_if<ModuleReport>(&message)) {
        peer_reported(*report);
    } else if (const auto* asked = std::get_if<ControlRequest>(&message)) {
        serve_request(*asked);
    } else if (const auto* answer = std::get_if<ControlReply>(&message)) {
        auto waiting = requests_.extract(answer->id);
        if (!waiting.empty()) waiting.mapped()(*answer);
    }
}

void Daemon::peer_reported(const ModuleReport& message) {
    auto report = cluster::decode_report(message.report);
    if (!report) return io::log(io::Level::Error, message.module + ": " + report.error().text);
    if (last_reports_.size() < kMaxModules || last_reports_.contains(message.module)) {
        last_reports_[message.module] = *report;
    }
    auto module = modules_.find(message.module);
    if (module != modules_.end()) module->second->report(std::move(*report));
}

void Daemon::request(ControlRequest::Verb verb, const std::string& name, const std::string& text,
                     std::function<void(const ControlReply&)> answered, Instant before) {
    ControlRequest asked{++last_request_, verb, name, text, before};
    if (!link_->send(asked)) {
        return answered({asked.id, false, "PeerUnreachable", "it is not connected"});
    }
    requests_[asked.id] = std::move(answered);
}

void Daemon::serve_request(const ControlRequest& asked) {
    switch (asked.verb) {
        case ControlRequest::Verb::CheckModule:
            return serve_check(asked);
        case ControlRequest::Verb::InstallModule:
            return serve_install(asked);
        case ControlRequest::Verb::SetWitness:
            return serve_witness(asked);
        case ControlRequest::Verb::Stop:
            return serve_stop(asked);
        case ControlRequest::Verb::Swap:
            return serve_swap(asked);
        case ControlRequest::Verb::Restart:
            return serve_restart(asked);
    }
}

// ---- heartbeats
// -----------------------------------------------------------------------------------

void Daemon::peer_evidence() {
    Instant now = io::boot_now();
    for (auto& [name, module] : modules_) module->evidence(now);
}

void Daemon::send_heartbeat() {
    Instant now = io::boot_now();
    Beat beat;
    beat.clock = now;
    beat.probe = probes_.send(now);
    beat.echo = probe_heard_;
    for (const auto& [name, module] : modules_) beat.modules.push_back(module->beat(now));
    heartbeats_->send(encode(beat));
    check_networks();
    heartbeat_timer_.arm(now + heartbeat_interval(configurations_.modules()),
                         [this] { send_heartbeat(); });
}

void Daemon::heard(std::size_t network, std::span<const std::byte> payload) {
    auto beat = decode_beat(payload);
    if (!beat) {
        return io::log(io::Level::Error, "From the other node: " + beat.error().text);
    }
    network_heard_[network] = io::boot_now();
    peer_clock_ = std::max(peer_clock_.value_or(beat->clock), beat->clock);
    probe_heard_ = beat->probe;
    const auto confirmed = probes_.echoed(beat->echo);
    for (auto& [name, module] : modules_) {
        const std::string& known = name;  // clang 14 captures no structured binding
        auto theirs = std::find_if(beat->modules.begin(), beat->modules.end(),
                                   [&](const ModuleBeat& one) { return one.module == known; });
        const bool named = theirs != beat->modules.end();
        if (named && confirmed) module->confirmed(*confirmed);
        module->heard(named ? &*theirs : nullptr);
    }
    peer_evidence();
}

/// For people: no role depends on one network among several.
void Daemon::check_networks() {
    Instant now = io::boot_now();
    Duration limit = silent_after(configurations_.modules());
    for (std::size_t i = 0; i < network_heard_.size(); ++i) {
        bool up = network_heard_[i] && now - *network_heard_[i] < limit;
        if (up == network_up_[i]) continue;
        network_up_[i] = up;
        const auto& address =
            configurations_.cluster().nodes[1 - static_cast<std::size_t>(self_)].addresses[i];
        io::log(up ? io::Level::Notice : io::Level::Warning,
                up ? api::message::kNetworkUp : api::message::kNetworkDown, {},
                "The other node is " + std::string(up ? "heard" : "not heard") + " at " + address +
                    ".");
        changed();
    }
}

}  // namespace ha::clusterd
