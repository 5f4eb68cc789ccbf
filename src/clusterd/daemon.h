#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "clusterd/beat.h"
#include "clusterd/bus_face.h"
#include "clusterd/configurations.h"
#include "clusterd/module.h"
#include "clusterd/peer_link.h"
#include "clusterd/witness_driver.h"
#include "clusterd/workers_wait.h"
#include "core/cluster/probes.h"
#include "io/background.h"
#include "io/boot_id.h"
#include "io/etcd_setup.h"
#include "io/heartbeat.h"
#include "io/identity.h"
#include "io/pairing.h"
#include "io/tls_stream.h"
#include "io/worker_link.h"

namespace ha::clusterd {

/// ha-clusterd: holds the modules, the worker connections and the way to the peer together. It
/// decides nothing about roles: that is core/cluster's.
class Daemon final : public Commands {
  public:
    Daemon(io::Loop& loop, Configurations configurations, io::Identity identity,
           std::optional<io::PeerRecord> peer, Id128 boot);

    /// Listens, begins to dial, opens the modules. An error: it cannot do its work; the text says
    /// why.
    Result<> start();

    // Commands
    [[nodiscard]] ClusterView view() const override;
    void start(const std::string& module, const cluster::StartRequested& order, Done done) override;
    void stop(const std::string& module, bool all, Done done) override;
    void swap(const std::string& module, const std::string& to, Done done) override;
    void restart(const std::string& module, Done done) override;
    void set_failover(const std::string& module, bool automatic, Done done) override;
    void set_at_boot(const std::string& module, bool starts, Done done) override;
    void apply(const std::string& yaml, const std::string& file_name, bool dry_run,
               bool without_peer, Done done) override;
    void set_witness(std::optional<config::WitnessConfig> witness, Done done) override;

  private:
    struct Worker {
        api::WorkerKind kind;
        std::string module;
        bool leaving = false;  // systemd was asked to stop it
    };
    struct Apply;  // one `apply` on its way
    struct GivenOn;

    // daemon.cc
    Result<> find_self();
    Result<> listen();
    Result<> open_modules();
    Result<> add_module(const config::ModuleConfig& config);
    [[nodiscard]] ModuleOutside outside(const std::string& module);
    void run_replicator(const std::string& module, bool start,
                        std::function<void(std::string)> failed);
    void ask_for_hardware_watchdog();
    void ask_whether_runs(const std::string& unit, std::function<void(bool)> answer);
    [[nodiscard]] MirrorProcess replicator(const std::string& module) const;
    void worker_fact(io::WorkerId id, const api::Fact& fact);
    void worker_hello(io::WorkerId id, const api::WorkerHello& hello);
    void worker_gone(io::WorkerId id, const std::string& reason);
    [[nodiscard]] std::optional<io::WorkerId> worker(api::WorkerKind kind,
                                                     const std::string& module) const;
    void changed();
    void terminate();
    void leave_if_stopped();
    Module* find(const std::string& module, const Done& done);
    void start_now(const std::string& module, const cluster::StartRequested& order,
                   const Done& done);

    // daemon_peer.cc
    Result<> start_peer();
    void paired(const io::PeerRecord& peer);
    void incoming(std::unique_ptr<io::TlsStream> stream);
    void control_up(const ControlHello& hello, io::TlsStream& stream);
    void control_down(const std::string& reason);
    void control_message(const ControlMessage& message);
    void peer_reported(const ModuleReport& message);
    void peer_evidence();
    void send_heartbeat();
    void heard(std::size_t network, std::span<const std::byte> payload);
    void check_networks();
    void request(ControlRequest::Verb verb, const std::string& name, const std::string& text,
                 std::function<void(const ControlReply&)> answered, Instant before = {});
    void serve_request(const ControlRequest& request);

    // daemon_orders.cc
    [[nodiscard]] tl::expected<cluster::SwapRequested, CommandError> swap_to(
        const std::string& node) const;
    void give_on(ControlRequest::Verb verb, const std::string& name, const std::string& text,
                 Done done);
    [[nodiscard]] Done answer_to(const ControlRequest& asked);
    void serve_stop(const ControlRequest& asked);
    void serve_swap(const ControlRequest& asked);
    void serve_restart(const ControlRequest& asked);

    // daemon_apply.cc
    void find_problems(const std::string& text, const std::string& file,
                       std::function<void(std::string)> found);
    void apply_checked(std::shared_ptr<Apply> apply);
    void apply_agreed(std::shared_ptr<Apply> apply);
    void apply_installed(std::shared_ptr<Apply> apply);
    void serve_check(const ControlRequest& request);
    void serve_install(const ControlRequest& request);
    void install_here(const Candidate& candidate, std::function<void(Result<>)> done);
    [[nodiscard]] std::optional<CommandError> obstacle(const Candidate& candidate) const;
    [[nodiscard]] const std::string& self_name() const;
    [[nodiscard]] const std::string& peer_name() const;  // of a node that is paired
    [[nodiscard]] CommandError from_peer(const ControlReply& answer) const;
    void reply(std::uint64_t id, const Result<>& result, const char* code);
    void refuse(std::uint64_t id, const CommandError& why);

    // daemon_witness.cc
    [[nodiscard]] std::optional<CommandError> witness_obstacle() const;
    void check_witness(const std::optional<config::WitnessConfig>& witness,
                       std::function<void(std::optional<CommandError>)> checked);
    void probe_etcd(const config::WitnessConfig& witness,
                    const std::function<void(std::optional<CommandError>)>& checked);
    void ask_for_witness(const std::optional<config::WitnessConfig>& witness, const Done& done);
    void peer_has_witness(const std::optional<config::WitnessConfig>& witness, const Done& done);
    void record_witness(const std::optional<config::WitnessConfig>& witness,
                        std::function<void(Result<>)> done);
    /// cluster.yaml of this node names another witness now, durably, or the same once more.
    void witness_changed();
    void serve_witness(const ControlRequest& request);
    Result<std::unique_ptr<ports::Register>> registers_of(const config::WitnessConfig& witness);
    Result<> open_witness();

    io::Loop& loop_;
    Configurations configurations_;
    io::Identity identity_;
    std::optional<io::PeerRecord> peer_;
    Id128 boot_;
    cluster::Node self_ = cluster::Node::First;

    RecordStore store_;
    io::Background background_;
    std::unique_ptr<WitnessDriver> witness_;  // none: no witness
    io::WorkerServer workers_;
    std::map<io::WorkerId, Worker> connected_;
    std::map<std::string, std::unique_ptr<Module>> modules_;
    /// The peer's last word on each module, also on one that is not installed here yet. At most 32.
    std::map<std::string, cluster::Report> last_reports_;
    bool workers_were_ready_ = false;
    WorkersWait workers_wait_;
    std::set<std::string> installing_;      // modules whose new files are being installed
    bool changing_witness_ = false;         // for us or for the other node
    std::unique_ptr<io::EtcdProbe> probe_;  // of the change under way

    std::unique_ptr<io::TlsListener> listener_;
    std::unique_ptr<PeerLink> link_;
    std::unique_ptr<io::Heartbeat> heartbeats_;
    std::unique_ptr<io::PairingServer> pairing_;
    io::Timer heartbeat_timer_;
    cluster::Probes probes_{io::random_id().low >> 1U};
    std::uint64_t probe_heard_ = 0;  // of the peer's present boot
    std::vector<std::optional<Instant>> network_heard_;
    std::optional<Instant> peer_clock_;  // as it said it last; none: not on this connection
    std::vector<bool> network_up_;
    std::uint64_t last_request_ = io::random_id().low >> 1U;  // never those of an earlier process
    std::map<std::uint64_t, std::function<void(const ControlReply&)>> requests_;

    std::string self_fencing_;  // in words; empty: systemd has not said yet
    bool terminating_ = false;
    std::string shown_line_;  // by systemctl status
    BusFace face_;
};

}  // namespace ha::clusterd
