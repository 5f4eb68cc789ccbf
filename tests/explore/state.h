#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "bounds.h"
#include "core/cluster/lease_keeper.h"
#include "core/cluster/machine.h"
#include "truth.h"

// Everything there is in one moment: two nodes with the real machine, the mirror between them as
// far as promises depend on it, the register and what is on its way. Plain values, so that a
// successor is a copy.

namespace ha::explore {

using cluster::Node;

constexpr std::size_t index_of(Node node) {
    return static_cast<std::size_t>(node);
}
inline constexpr std::array<Node, 2> kNodes{Node::First, Node::Second};

/// Shared between states until it is changed.
template <typename T>
class Shared {
  public:
    Shared() : value_(std::make_shared<T>()) {}
    const T& operator*() const { return *value_; }
    const T* operator->() const { return value_.get(); }
    T& change() {
        if (value_.use_count() != 1) value_ = std::make_shared<T>(*value_);
        return *value_;
    }

  private:
    std::shared_ptr<T> value_;
};

/// What the node's disk and page cache hold of the tree. Of what only the cache holds a power loss
/// leaves any part.
struct Copy {
    Writes kernel = 0;
    Writes disk = 0;
    Epoch sealed;         // durable
    bool frozen = false;  // nothing becomes durable
};

enum class Role : std::uint8_t { Closed, Hold, Serving, Following };

/// An operation of the application or of the mirror itself, numbered by its place.
struct Operation {
    enum class Kind : std::uint8_t { Write, Fsync, Drain, Join } kind = Kind::Write;
    Writes covers = 0;
    bool done = false;
    std::array<bool, 2> lost{};  // this node lost power since it was begun
};

/// ha-replicatord of one node.
struct Mirror {
    Role role = Role::Closed;
    Id128 term;
    Epoch epoch;

    // serving
    Id128 decision;
    bool member = false;
    bool rebuild = false;  // StartResync stands
    bool mirrored = false;
    bool joining = false;  // the synchronous overlap
    bool join_ready = false;
    bool hold = false;
    bool draining = false;
    bool failing = false;
    bool asked = false;
    Id128 allowed;
    std::uint64_t resync_token = 0;
    std::uint32_t overlap_from = 0;
    std::uint32_t peer_accepted = 0;
    std::uint32_t peer_durable = 0;
    std::vector<Operation> operations;

    // following
    bool resync_target = false;
    std::uint32_t last = 0;
};

struct Frame {
    enum class Kind : std::uint8_t { Operation, Zone, TellIn } kind = Kind::Operation;
    Epoch epoch;
    std::uint32_t sequence = 0;
    Writes data = 0;
    bool sync = false;
    cluster::Decision decision;
};

/// The mirror's connection. Each end learns by itself that it broke; what was sent before may still
/// arrive at an end that has not.
struct Stream {
    std::array<bool, 2> open{};
    Node primary = Node::First;  // who began it
    std::vector<Frame> frames;   // to the other
};

enum class Hearing : std::uint8_t { Hears, Silent, Overdue };

using SharedReport = std::shared_ptr<const cluster::Report>;

/// base/lease.h without its clock, kept by the real LeaseKeeper. What is left of the clock: who is
/// overdue has heard nothing for take_after, so a lease that rests on anything it has heard has run
/// out by then, and everything held under it is let go.
struct Held {
    bool bounded = false;
    bool run_out = false;
    bool heard = true;   // the other node has heard something since it began
    bool stale = false;  // nothing has been confirmed since the other node was overdue
};

/// One server.
struct Side {
    bool powered = false;
    Id128 boot;

    // the disk
    cluster::Record record;
    Copy copy;

    // ha-clusterd
    std::optional<cluster::Machine> machine;
    std::vector<cluster::Effect> queue;
    std::optional<cluster::Record> persisting;
    std::vector<cluster::Event> facts;  // of its workers, on their way
    SharedReport said;                  // the last one
    SharedReport heard;
    std::vector<SharedReport> mail;  // to this node, the oldest first
    Hearing hearing = Hearing::Hears;
    bool peer_ahead = false;
    bool answered = false;  // by a ping target, in this silence

    // its client of the witness
    bool reached = false;
    std::shared_ptr<const cluster::Registered> shown;

    // shared by all its processes, until the power is lost
    Held lease;
    std::optional<cluster::LeaseKeeper> keeper;  // all it knows is the machine's
    bool on_its_own = false;  // the lease ended because nobody decides but the policy

    // the other workers
    Mirror mirror;
    bool units = false;
    bool addresses = false;
    std::optional<std::uint64_t> probe;     // ha-vipd asks whether they are elsewhere
    std::optional<std::uint64_t> flushing;  // the last MakeDurable that waits for a frozen disk

    /// Something here goes on by itself.
    [[nodiscard]] bool busy() const { return persisting || !queue.empty() || !facts.empty(); }
};

/// An exchange that was sent and has not arrived.
struct Asked {
    Node from = Node::First;
    bool awaited = true;  // the client would still take the answer
    Id128 expected;
    std::shared_ptr<const cluster::Registered> value;
};

struct Left {
    std::uint8_t writes = 0, fsyncs = 0, crashes = 0, breaks = 0, losses = 0, commands = 0,
                 stalls = 0, slow = 0;
};

struct State {
    std::array<Shared<Side>, 2> sides;
    Shared<Truth> truth;
    Stream stream;
    std::shared_ptr<const cluster::Registered> value;   // the register's
    std::shared_ptr<const cluster::Registered> before;  // a mutant's: the one it replaced
    std::vector<Id128> replaced;                        // what the register showed once
    std::vector<Asked> asked;
    std::array<bool, 2> reached{};  // by node: a ping target has answered it
    Left left;
    Writes written = 0;
    std::uint32_t minted = 0;  // ids that the world made

    [[nodiscard]] const Side& at(Node node) const { return *sides[index_of(node)]; }
    Side& change(Node node) { return sides[index_of(node)].change(); }
    [[nodiscard]] bool busy() const { return at(Node::First).busy() || at(Node::Second).busy(); }
};

}  // namespace ha::explore
