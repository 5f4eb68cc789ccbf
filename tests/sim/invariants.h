#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "core/cluster/machine.h"
#include "network.h"
#include "write_set.h"

namespace ha::sim {

class Host;
class World;

/// What must hold, stated without looking into the machine: from the records on disk, the orders
/// the workers got, the copies, and the ledger of what was promised. Each throws Violation.
class Invariants {
  public:
    explicit Invariants(World& world) : world_(world) {}

    /// A record is about to be written.
    void decides(const Host& host, const cluster::Record& record) const;
    /// A record is durable now.
    void recorded(Host& host, const cluster::Record& record);
    /// It has heard nothing from the other for take_after: what that one holds under a lease it has
    /// let go by now.
    void overdue(const Host& host);
    /// An order leaves for a worker.
    void ordered(Host& host, const cluster::Effect& effect);
    void reported(Host& host, const cluster::Report& report);
    /// The mirror begins to act on it.
    void serve_begins(Host& host, Epoch epoch);
    void told_in(Host& follower, const cluster::Decision& decision);
    void frame_accepted(Host& host, Epoch epoch);
    /// A stream without resync begins: the copies are equal up to `last`.
    void resumed(Host& follower, const WriteSet& expected, std::uint64_t last);
    /// `issued`: who lost power since then may have accepted it and lost it again.
    void acknowledged(Host& host, const Id128& decision, std::uint32_t write, Duration issued);
    void acknowledged_durable(Host& host, const Id128& decision, const WriteSet& covered);
    /// What must hold at every moment.
    void always(Host& host);

  private:
    void one_branch(const Host& host, std::size_t decision);
    void legal_state(const Host& host) const;
    void single_execution();
    void addresses_asked(const Host& host) const;
    [[nodiscard]] bool both_may_by_policy() const;
    [[nodiscard]] bool holds_late(const Host& host, bool addresses) const;
    void serving_copy(const Host& host);
    void in_sync_copies(const Host& host);
    void grows(const Host& host, const cluster::Record& record) const;
    void takes_over_alone(const Host& host, const cluster::Record& record) const;
    void learn(Host& host, const cluster::Record& record);
    void decided(const cluster::Decision& decision, std::size_t known);
    [[nodiscard]] bool cut_off(const Host& host) const;
    void sealed_before(const cluster::Decision& decision, cluster::Node before);
    void joined(const Host& host, const cluster::Decision& decision);
    void only_member(const cluster::Decision& decision, std::size_t known);
    void count(const cluster::Decision& decision);
    [[nodiscard]] bool fork_known(const Host& host, std::size_t decision) const;
    void may_lead(const Host& host, const char* what) const;
    [[nodiscard]] std::size_t child_towards(std::size_t ancestor, std::size_t descendant) const;
    [[nodiscard]] bool legitimate_fork(std::size_t left, std::size_t right) const;

    World& world_;
};

}  // namespace ha::sim
