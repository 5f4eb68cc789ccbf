#pragma once

#include <array>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "core/cluster/effects.h"
#include "core/cluster/lease_keeper.h"
#include "core/cluster/machine.h"
#include "core/cluster/monitor.h"
#include "core/cluster/probes.h"
#include "scheduler.h"

namespace ha::sim {

class Host;

/// ha-clusterd of one node: the machine under test and everything between it and the world: the
/// executor of its effects, the peer monitor, its end of the control stream.
class ClusterdModel {
  public:
    explicit ClusterdModel(Host& host) : host_(host) {}

    void start();
    void crash();
    /// Once, in the middle of its next record's way to the disk: the content is half written beside
    /// the old one; or it is renamed over that, and the directory is not synced.
    void interrupt_write(bool renamed, std::function<void()> how);
    [[nodiscard]] bool alive() const { return machine_ != nullptr; }
    [[nodiscard]] const cluster::Machine* machine() const { return machine_.get(); }

    /// An operator's command or the like; nothing if clusterd is not running.
    void deliver(const cluster::Event& event);
    /// From a worker, over its socket: in order, a little later.
    void fact(const cluster::Event& event);
    /// The replicator's process is there (again): it gets the orders that wait for it.
    void mirror_connected();
    void mirror_gone();

    // the peer
    struct Said {  // a heartbeat
        std::uint64_t probe = 0;
        std::uint64_t echo = 0;  // of ours, the newest heard
        Duration heard_ago;
        Epoch newest;
        Id128 decision;
        Instant clock;
    };
    /// An operator's orders, given on this node.
    void swap(std::optional<cluster::Node> to);
    void restart();
    /// He is shown what this node knows, and says `after` that that its data is the module's.
    void force(Duration after);
    /// The newest decisions that operators who forced this node were shown.
    [[nodiscard]] const std::set<Id128>& shown() const { return shown_; }
    void evidence();
    void heartbeat(const Said& said);
    [[nodiscard]] Duration heard_ago() const;
    void control_up();
    void tick();
    void lease_expired();
    /// The other node is silent, since when.
    [[nodiscard]] const std::optional<Time>& silent_since() const { return silent_since_; }
    /// Its last word was that it does not serve: it cannot begin to without this node's consent.
    /// Its newest decision when this process began.
    [[nodiscard]] const Id128& began_under() const { return began_under_; }
    [[nodiscard]] bool peer_gave_up() const { return peer_gave_up_; }

  private:
    void ping();
    void workers_ready();
    void take_effects();
    void run();
    void execute(const cluster::Effect& effect);
    void execute_persist(const cluster::Record& record);
    void write_record(bool renamed, Duration rest);
    void interrupt(bool renamed);
    void abort_full();
    void order_mirror(const cluster::Effect& effect);
    void give_mirror(const cluster::Effect& effect);
    bool mutated(const cluster::Effect& effect);
    void give_on(const cluster::Event& event);
    [[nodiscard]] std::optional<Instant> order_bound() const;
    void send_report();
    void receive(const cluster::Report& report);
    void arm();
    void update_lease();
    void bound_demotion();
    void told(cluster::Monitor::Change change);
    [[nodiscard]] Instant clock() const;

    Host& host_;
    std::unique_ptr<cluster::Machine> machine_;
    std::uint64_t process_ = 0;
    std::vector<cluster::Effect> effects_;
    std::deque<cluster::Effect> queue_;
    std::optional<cluster::Record> persisting_;
    std::uint64_t writes_ = 0;
    std::array<std::function<void()>, 2> interruptions_;  // by `renamed`
    std::optional<Instant> armed_;

    std::optional<cluster::Report> last_report_;
    Time last_fact_{};
    Time last_order_{};
    std::vector<cluster::Effect> mirror_waiting_;
    std::optional<cluster::Effect> lifecycle_;  // the last OpenMirror or CloseMirror

    std::optional<cluster::Monitor> monitor_;
    std::optional<cluster::Probes> probes_;  // of this process
    Id128 began_under_;
    std::uint64_t probe_heard_ = 0;  // of the peer's present boot
    std::optional<cluster::LeaseKeeper> keeper_;
    std::optional<cluster::Report> peer_report_;
    bool demoting_ = false;
    std::uint64_t demotions_ = 0;
    bool peer_gave_up_ = false;
    bool peer_ahead_ = false;
    std::optional<Time> silent_since_;
    std::optional<Instant> peer_clock_;
    std::set<Id128> shown_;
};

}  // namespace ha::sim
