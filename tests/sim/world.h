#pragma once

#include <array>
#include <memory>
#include <string>

#include "core/cluster/machine.h"
#include "host.h"
#include "invariants.h"
#include "ledger.h"
#include "mutants.h"
#include "network.h"
#include "random.h"
#include "scheduler.h"
#include "trace.h"
#include "witness_model.h"

namespace ha::sim {

/// How bad a run is; drawn from its seed. Chances are per mille.
struct Weather {
    explicit Weather(Random& random);

    cluster::Policy policy = cluster::Policy::Available;
    bool automatic_failover = true;
    std::optional<cluster::Node> preferred;
    Duration boot_wait{};
    Duration stop_hold{};
    std::uint64_t datagram_loss = 0;
    Duration latency{};
    std::uint64_t slow_disk = 0;
    std::uint64_t start_failures = 0;
    std::uint64_t hanging_units = 0;          // at a start, at a stop
    std::array<std::int64_t, 2> drift_ppm{};  // of each node's clock
    Duration think_time{};                    // of the application, at most
    Duration zone_time{};                     // of a resync, at most
    Duration calm_between_faults{};
    bool forces = false;  // an operator who forces (start --force) when he should not
};

struct Totals {
    std::uint64_t seeds = 0, events = 0, crashes = 0, power_losses = 0, cuts = 0, pauses = 0;
    std::uint64_t commands = 0, failovers = 0, joins = 0, swaps = 0, shrinks = 0, elections = 0;
    std::uint64_t divergences = 0, witness_losses = 0, acknowledged = 0, released = 0,
                  witness_changes = 0, torn_writes = 0, torn_records = 0, stuck_units = 0,
                  hangs = 0, resets = 0, full_disks = 0, frozen_disks = 0, refused_writes = 0,
                  copy_failures = 0, expired_leases = 0, rollbacks = 0, simulated_seconds = 0;
    void add(const Totals& other);
};

/// One run: two nodes, what is between them, and the truth about them.
class World {
  public:
    World(std::uint64_t seed, Mutant the_mutant, Witnesses the_witnesses, std::size_t trace_lines);

    /// `events` machine steps with faults, then the calm phase. Throws Violation.
    void run(std::uint64_t events);

    /// The same in steps: everything is switched on and the module started with this node's data;
    /// until the nodes are a healthy pair; for a while.
    void begin(Node source);
    bool run_until_pair(Duration patience);
    void run_for(Duration time) { run_until(now() + time); }

    [[nodiscard]] Time now() const { return scheduler.now(); }
    Host& host(Node node) { return *hosts_[index_of(node)]; }
    [[nodiscard]] cluster::Settings settings(Node node) const;
    /// After anything that may have changed what the invariants speak of.
    void stepped(Host& host);
    /// Nothing one node says has reached the other for most of silent_after, or did until lately.
    [[nodiscard]] bool in_silence(Duration lately) const {
        return now() - last_silence_ <= lately && last_silence_ > Time{};
    }
    /// A node is paused, or was until lately.
    [[nodiscard]] bool paused_lately(Duration lately) const {
        const bool now_paused = scheduler.paused(Owner::First) || scheduler.paused(Owner::Second);
        return now_paused || now() - scheduler.last_resumed() <= lately;
    }
    template <typename Text>
    void say(const Host& host, Text text) {
        if (trace.on())
            trace.add(now(), std::string(host.self == Node::First ? "A " : "   B ") + text());
    }
    void note(const std::string& text) { trace.add(now(), "-- " + text); }

    Random random;
    Weather weather;
    const Mutant mutant;
    const Witnesses witnesses;
    Trace trace;
    Totals totals;
    Scheduler scheduler;
    Network network;
    WitnessModel witness;
    Ledger ledger;
    Invariants invariants;
    bool application_on = true;
    bool copies_changed = false;
    bool faults_over = false;
    bool disks_put_back = false;  // that is among the faults; without a witness
    bool forced = false;          // an operator overruled what the module knew

  private:
    void watch();
    void try_connect();
    void run_until(Time end);
    void calm();
    void help_out();
    [[nodiscard]] bool converged();
    [[nodiscard]] bool healthy_pair(Node primary);

    std::array<std::unique_ptr<Host>, 2> hosts_;
    std::array<Time, 2> last_path_{};
    Time last_silence_{};
    Time last_talk_{};
};

}  // namespace ha::sim
