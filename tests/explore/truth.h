#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "bounds.h"
#include "core/cluster/record.h"

namespace ha::explore {

struct State;

/// A set of numbered writes.
using Writes = std::uint16_t;

/// What was really promised, by whom and under which decision. It knows no machine, only what
/// applications were told and which nodes lost power.
///
/// write() promises to survive the loss of one node: the promise stands while one node that
/// accepted it has not lost power since. fsync promises for ever.
struct Truth {
    struct Known {
        cluster::Decision decision;
        std::optional<std::size_t> parent;
        bool alone = false;              // first recorded as taken by its node alone
        bool served = false;             // a mirror acted under it
        bool given = false;              // its primary recorded that it ceded (R8)
        std::array<bool, 2> promises{};  // by node: something was acknowledged under this decision
        Writes promised = 0;
    };
    std::vector<Known> decisions;
    Writes durable = 0;
    std::array<Writes, 2> holds{};

    [[nodiscard]] std::optional<std::size_t> find(const Id128& id) const;
    /// `older` is `newer` or an ancestor of it.
    [[nodiscard]] bool descends(std::size_t newer, std::size_t older) const;
    /// Under the ancestry of this decision.
    [[nodiscard]] Writes promised(std::size_t head) const;
};

/// The invariants; each throws sim::Violation. See docs/safety.md.
class Invariants {
  public:
    /// `in_time`: single execution, too. `trust_ids`: a mutant forges what a decision says.
    Invariants(State& state, Decider decider, bool in_time, bool trust_ids)
        : state_(state), decider_(decider), in_time_(in_time), trust_ids_(trust_ids) {}

    /// The machine has a new head.
    void decided(cluster::Node node, const cluster::ChainEntry& entry) const;
    /// Before it replaces what the node's disk has.
    void recorded(cluster::Node node, const cluster::Record& record);
    /// A mirror begins to act under a decision of its own.
    void serves(cluster::Node node, const Id128& decision);
    void acknowledged(cluster::Node node, const Id128& decision, Writes write,
                      const std::array<bool, 2>& lost);
    void acknowledged_durable(cluster::Node node, const Id128& decision, Writes covered);
    /// Goes on without having been compared; `unsent`: what it gets next.
    void resumed(cluster::Node follower, Writes unsent) const;
    void power_lost(cluster::Node node);
    /// After every move.
    void always() const;

  private:
    void learn(const cluster::Record& record);
    void note_ceding(const cluster::Record& record);
    void accept_loss(const cluster::ChainEntry& entry, std::size_t known);
    void joined(cluster::Node node, const cluster::Record& record);
    void used(cluster::Node node, std::size_t known) const;
    void one_branch(cluster::Node node, std::size_t known) const;
    [[nodiscard]] bool policy_decides() const;
    [[nodiscard]] bool policy_fork(std::size_t left, std::size_t right) const;
    void single_execution() const;
    void served(cluster::Node node) const;
    void serving_copy(cluster::Node node) const;
    void in_sync_copies(cluster::Node node) const;

    State& state_;
    Decider decider_;
    bool in_time_;
    bool trust_ids_;
};

}  // namespace ha::explore
