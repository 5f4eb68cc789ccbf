#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "api/worker.h"
#include "clusterd/beat.h"
#include "clusterd/demotion_bound.h"
#include "clusterd/face.h"
#include "clusterd/ping_targets.h"
#include "clusterd/record_store.h"
#include "core/cluster/effects.h"
#include "core/cluster/lease_keeper.h"
#include "core/cluster/machine.h"
#include "core/cluster/monitor.h"
#include "core/config/config.h"
#include "io/lease_page.h"
#include "io/loop.h"

namespace ha::clusterd {

/// ha-replicatord@M as the daemon sees it. Leaving: connected, but systemd was asked to stop it, so
/// it takes no more orders.
enum class MirrorProcess : std::uint8_t { Away, Connected, Leaving };

/// What a module needs of the daemon around it.
struct ModuleOutside {
    /// False: not connected now; the latest report is asked for again on the next connection.
    std::function<bool(const cluster::Report&)> send_report;
    /// To the worker of that kind (for a replicator: this module's). False: it is not connected.
    std::function<bool(api::WorkerKind, const api::Order&)> send_order;
    /// Under which this node holds what it holds of the module.
    std::shared_ptr<io::LeasePage> lease;
    /// To the witness, if there is one now; see WitnessDriver.
    std::function<void(const cluster::AskWitness&)> ask_witness;
    /// Asks systemd to start or stop ha-replicatord@M; a failure to do so comes back as text.
    std::function<void(bool start, std::function<void(std::string)> failed)> run_replicator;
    std::function<MirrorProcess()> replicator;
    /// Whether systemd has the process running, which then connects soon; true also when systemd
    /// does not say.
    std::function<void(std::function<void(bool)> answer)> replicator_runs;
    /// The view changed.
    std::function<void()> changed;
};

/// One module on this node: carries out what its failover machine wants, in order, and tells it
/// what happened. Everything runs in the loop's thread.
///
/// Effects are a queue. Persist holds the queue until the record is durable, so nothing that
/// depends on a decision happens before it could survive a power loss.
class Module {
  public:
    Module(io::Loop& loop, RecordStore& store, config::ModuleConfig config,
           const config::ClusterConfig& cluster, cluster::Node self, cluster::Record record,
           Id128 boot, ModuleOutside outside);

    /// After construction, and again with workers_ready() when ha-vipd and ha-watchdog are
    /// connected.
    void begin();
    void workers_ready();

    void fact(const api::Fact& fact);
    void replicator_up();
    /// `expected`: it was Leaving.
    void replicator_gone(const std::string& why, bool expected);
    /// A worker that serves all modules is back: it is told again what holds.
    void worker_up(api::WorkerKind kind);

    void report(cluster::Report report);
    void control_up();
    void evidence(Instant at);
    /// The peer has heard what we sent it then.
    void confirmed(Instant sent) { lease_.lease().confirm(Lease::By::Heartbeat, sent); }
    /// A heartbeat: what it says of this module; nullptr: nothing.
    void heard(const ModuleBeat* beat);
    [[nodiscard]] ModuleBeat beat(Instant now) const;

    void witness_shown(const std::optional<cluster::Registered>& value);
    void witness_lost(const std::string& why);
    /// cluster.yaml names another one, or none.
    void witness_configured(const std::optional<config::WitnessConfig>& witness);

    void command(const cluster::Event& event, Done done);

    [[nodiscard]] const std::string& name() const { return config_.name; }
    [[nodiscard]] const config::ModuleConfig& config() const { return config_; }
    [[nodiscard]] const cluster::Machine& machine() const { return machine_; }
    [[nodiscard]] ModuleView view() const;
    [[nodiscard]] bool stopped() const;

  private:
    void step(const cluster::Event& event);
    void target_answered(Instant sent);
    void queue(std::vector<cluster::Effect> effects);
    void pump();
    void execute(const cluster::Effect& effect);
    void execute_report(const cluster::Report& report);
    void open_mirror();
    void send_open();
    [[nodiscard]] bool awaits_hello() const;
    void stop_units_first();
    void close_mirror();
    void start_replicator();
    void stop_replicator();
    void stop_failed(const std::string& why);
    void drop_strays();
    void order(api::WorkerKind kind, api::Order order);
    void update_lease();
    void not_given_up();
    void all_look_at_lease();
    void look_at_lease(api::WorkerKind kind);
    void arm_machine();
    void arm_monitor();
    void told(cluster::Monitor::Change change);
    void note_status();
    void show();
    void fill_known(ModuleView& view) const;
    void fill_alone(ModuleView& view) const;
    void note_alone(api::ChangedAlone& known, const api::ChangedAlone& changed);
    void tell_given_up();
    void write_status_file();
    void log_tell(const cluster::Tell& tell);
    [[nodiscard]] std::string witness_view() const;
    [[nodiscard]] api::OpenMirror open_order() const;
    [[nodiscard]] api::CloseMirror close_order() const;
    [[nodiscard]] std::string names(const std::vector<std::string>& list) const;

    io::Loop& loop_;
    RecordStore& store_;
    config::ModuleConfig config_;
    config::ClusterConfig cluster_;
    cluster::Node self_;
    ModuleOutside outside_;
    cluster::Machine machine_;
    cluster::Monitor monitor_;
    PingTargets ping_targets_;
    cluster::LeaseKeeper keeper_;
    io::LeaseWatch lease_;
    bool expiry_posted_ = false;  // a lease of an earlier process, found run out
    DemotionBound demotion_bound_;
    io::Timer machine_timer_;
    io::Timer monitor_timer_;
    io::Timer mirror_timer_;  // for its process to say hello, or to be stopped again

    std::deque<cluster::Effect> effects_;
    bool persisting_ = false;
    std::optional<cluster::Report> sent_report_;
    std::optional<cluster::Report> peer_report_;
    bool peer_ahead_ = false;  // its last heartbeat knew a newer decision than that report
    std::int64_t peer_seen_unix_ms_ = 0;  // evidence of it, the newest; 0: none since we began

    bool open_wanted_ = false;   // OpenMirror was the last of the two that the machine ordered
    bool close_wanted_ = false;  // CloseMirror was
    bool units_first_ = false;   // the units are being stopped before the mirror is opened
    std::optional<api::Order> vip_order_;       // what ha-vipd shall hold, for repeating
    std::optional<api::Order> watchdog_order_;  // what ha-watchdog shall run, for repeating

    // for people alone
    api::ChangedAlone alone_;       // by this node
    api::ChangedAlone peer_alone_;  // by the other, as it said last
    cluster::Status shown_;
    bool witness_reached_ = false;
    std::string witness_trouble_ = "it has not answered yet";
    ResyncView resync_;
    std::int64_t since_unix_ms_ = 0;
    /// What is answered later (a save, systemd) holds it weakly: `apply` replaces a module.
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace ha::clusterd
