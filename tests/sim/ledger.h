#pragma once

#include <array>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/cluster/decision.h"
#include "network.h"
#include "write_set.h"

namespace ha::sim {

/// What was really promised, by whom and under which decision: the truth the copies are held
/// against. It knows no machine, only what applications were told and which nodes lost power.
///
/// A write is promised from its acknowledgement on. write() promises to survive the loss of one
/// node: the promise stands while one node that accepted it has not lost power since. fsync, and
/// the flush before a node becomes the only member of S, promise for ever ("durable").
class Ledger {
  public:
    struct Known {
        cluster::Decision decision;
        std::optional<std::size_t> parent;
        std::array<bool, 2> acknowledged{};  // by node: something was, under this very decision
        WriteSet promised;
        bool overruled = false;   // an operator forced a child of it
        bool by_policy = false;   // taken where no witness was in force
        bool in_silence = false;  // first recorded when the nodes could not hear each other
        Time learned{};
    };

    /// Every decision recorded anywhere. The same id must always mean the same decision.
    std::size_t learn(const cluster::Decision& decision, Time now, bool in_silence, bool by_policy);
    bool trust_ids = false;  // a mutant forges what a decision says

    [[nodiscard]] std::optional<std::size_t> find(const Id128& id) const;
    [[nodiscard]] const Known& known(std::size_t index) const { return decisions_[index]; }
    [[nodiscard]] std::size_t decisions() const { return decisions_.size(); }
    /// `older` is `newer` or an ancestor of it.
    [[nodiscard]] bool descends(std::size_t newer, std::size_t older) const;
    [[nodiscard]] std::size_t fork(std::size_t left, std::size_t right) const;

    std::uint32_t new_write() { return writes_++; }
    /// `holders`: who accepted it, by the rule R1 of the decision.
    void acknowledge(std::size_t decision, Node node, std::uint32_t write,
                     const std::array<bool, 2>& holders);
    /// An fsync under `decision` was acknowledged: all it covered is promised for ever.
    void acknowledge_durable(std::size_t decision, Node node, const WriteSet& covered);
    /// S={somebody} was recorded: all promised so far under its ancestry is durable there.
    void only_member(std::size_t decision);
    /// A join: the node holds all that is promised under the ancestry of `decision`.
    void joined(std::size_t decision, Node node);
    void power_lost(Node node);
    /// An operator decided that `copy` is the module's data: what it lacks is given up.
    void give_up(std::size_t decision, const WriteSet& copy);

    /// All that is promised under the ancestry of `head`, and what of it must survive anything.
    [[nodiscard]] const WriteSet& promised(std::size_t head) const;
    [[nodiscard]] WriteSet durable(std::size_t head) const;
    /// What `node` answers for: it accepted it and has not lost power since, or it is durable.
    [[nodiscard]] WriteSet owed_by(Node node, std::size_t head) const;

    [[nodiscard]] std::uint64_t acknowledged() const { return acknowledged_; }
    [[nodiscard]] std::uint64_t released() const { return released_; }

  private:
    std::vector<Known> decisions_;
    std::map<Id128, std::size_t> by_id_;
    std::uint32_t writes_ = 0;
    std::uint64_t acknowledged_ = 0;
    std::uint64_t released_ = 0;
    WriteSet durable_;
    std::array<WriteSet, 2> holds_;
    std::uint64_t version_ = 1;
    mutable std::uint64_t cached_version_ = 0;
    mutable std::size_t cached_head_ = 0;
    mutable WriteSet cached_;
};

}  // namespace ha::sim
