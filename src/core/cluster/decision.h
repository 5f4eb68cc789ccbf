#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/id128.h"
#include "base/result.h"
#include "base/strong.h"

// A decision is a change of membership of a module; each node keeps the chain of decisions it
// knows, durably. Everything about who may serve is read off two chains: this file holds those
// readings.

namespace ha::cluster {

/// Our two nodes, by their place in cluster.yaml.
enum class Node : std::uint8_t { First = 0, Second = 1 };
constexpr Node other(Node node) {
    return node == Node::First ? Node::Second : Node::First;
}

/// The in-sync set S: the nodes that hold everything acknowledged at its promised level.
struct InSync {
    bool first = false;
    bool second = false;

    static constexpr InSync only(Node node) { return {node == Node::First, node == Node::Second}; }
    static constexpr InSync both() { return {true, true}; }
    [[nodiscard]] constexpr bool has(Node node) const {
        return node == Node::First ? first : second;
    }
    auto operator<=>(const InSync&) const = default;
};

/// Why a decision was taken; for people, and for what "confirmed" starts as.
enum class Cause : std::uint8_t { Birth, Shrink, Takeover, Join, Swap, HandOver, Election, Forced };

/// Who agreed. Alone: by the policy's leave, nobody else asked. See 2-safety, "confirmed".
enum class Confirmation : std::uint8_t { Alone, Birth, PeerConsent, Register, Operator };

struct Decision {
    Epoch number;
    Id128 id;
    Id128 parent;  // none: the birth
    Node primary = Node::First;
    InSync in_sync;
    Cause cause = Cause::Birth;
    Id128 overrides;  // Cause::Forced: the head of the branch the operator gave up

    auto operator<=>(const Decision&) const = default;
};

struct ChainEntry {
    Decision decision;
    bool used = false;  // durable before the first acknowledgement given under it
    Confirmation confirmation = Confirmation::Alone;

    auto operator<=>(const ChainEntry&) const = default;
};

/// The decisions of one module a node knows, oldest first, each the child of the one before.
/// Bounded: the oldest are forgotten beyond kMaxChain, which only matters to chains that forked
/// longer ago than that many decisions: they are then foreign to each other and a person decides.
class Chain {
  public:
    static constexpr std::size_t kMaxChain = 256;

    [[nodiscard]] bool empty() const { return entries_.empty(); }
    [[nodiscard]] const ChainEntry& head() const { return entries_.back(); }
    [[nodiscard]] const std::vector<ChainEntry>& entries() const { return entries_; }
    [[nodiscard]] bool contains(const Id128& id) const { return index_of(id).has_value(); }

    /// The child of the head (or a first entry). HA_ASSERTs that it is one.
    void append(const ChainEntry& entry);
    void mark_used(const Id128& id);
    void mark_confirmed(const Id128& id, Confirmation confirmation);

    [[nodiscard]] std::optional<std::size_t> index_of(const Id128& id) const;

    auto operator<=>(const Chain&) const = default;

  private:
    std::vector<ChainEntry> entries_;
};

/// How two chains stand to each other.
enum class Relation : std::uint8_t {
    Same,      // one head
    Behind,    // the other's head descends from ours
    Ahead,     // ours descends from the other's
    Yield,     // forked; our branch holds no used decision (or loses the tie): it is abandoned
    Prevail,   // forked; the other's branch is abandoned
    Diverged,  // forked; both branches contain a used decision
    Foreign    // no common ancestor
};

/// 2-safety: Vocabulary (diverged) and Boot (neither used: the higher number, else the common
/// ancestor's primary). A Forced decision that overrides the other side's head makes that side
/// yield. Symmetric: relation(a, b) and relation(b, a) are Same/Same, Behind/Ahead, Yield/Prevail,
/// Diverged/Diverged or Foreign/Foreign. An empty chain is Behind any other.
Relation relation(const Chain& ours, const Chain& theirs, Node self);

/// The primary of the newest decision both contain; none if they share none.
std::optional<Node> common_primary(const Chain& ours, const Chain& theirs);

/// `theirs`, with the used marks and the stronger confirmations of both.
Chain merged(const Chain& ours, const Chain& theirs);

/// Checks what comes from a file or the network: consecutive numbers, parents, at most kMaxChain.
Result<Chain> make_chain(std::vector<ChainEntry> entries);

const char* name(Cause cause);
/// "12 (primary node1, in sync node1+node2)".
std::string describe(const Decision& decision, const std::string& first, const std::string& second);

}  // namespace ha::cluster
