#pragma once

#include <array>
#include <deque>
#include <functional>
#include <memory>
#include <optional>

#include "core/cluster/decision.h"
#include "scheduler.h"

namespace ha::sim {

class World;
using cluster::Node;

constexpr std::size_t index_of(Node node) {
    return static_cast<std::size_t>(node);
}
constexpr Owner owner_of(Node node) {
    return node == Node::First ? Owner::First : Owner::Second;
}

constexpr Owner mirror_of(Node node) {
    return node == Node::First ? Owner::FirstMirror : Owner::SecondMirror;
}

/// The two ordered streams between the nodes. Heartbeats travel beside the control stream.
enum class Link : std::uint8_t { Control, Mirror };
constexpr Owner end_of(Link link, Node node) {
    return link == Link::Mirror ? mirror_of(node) : owner_of(node);
}

/// One connection of an ordered stream. Each end learns by itself, and late, that it broke; what
/// was under way may still arrive at the end that has not, as with a real one.
class Stream {
  public:
    using Message = std::function<void()>;

    Stream(World& world, Link link) : world_(world), link_(link) {}
    [[nodiscard]] bool open(Node end) const { return open_[index_of(end)]; }
    /// Delivered in order unless an end closes first.
    void send(Node from, Message message);
    /// The end stops reading and writing; the other is told if the message gets through.
    void close(Node end);

  private:
    friend class Network;
    struct Pipe {
        std::deque<std::pair<Time, Message>> messages;
        Time last_due{};
    };
    void pump(Node from);
    void lost(Node end);

    World& world_;
    Link link_;
    std::array<bool, 2> open_{true, true};
    std::array<Pipe, 2> pipes_;  // by sender
    std::weak_ptr<Stream> self_;
};

/// What carries bytes from one node to the other, and what goes wrong there.
class Network {
  public:
    explicit Network(World& world) : world_(world) {}

    /// Nothing passes from `from` on `link` until unblocked.
    void block(Link link, Node from);
    void unblock_all();
    [[nodiscard]] bool blocked(Link link, Node from) const {
        return blocked_[static_cast<std::size_t>(link)][index_of(from)];
    }
    [[nodiscard]] bool any_blocked() const;
    /// The ping target does not answer this node until unblock_all().
    void block_target(Node node);
    /// When a probe of this node could be answered last.
    [[nodiscard]] Time target_reached(Node node) const;
    /// The network of the addresses: nothing passes between the nodes, or this node's link has no
    /// carrier; until unblock_all().
    void cut_addresses() { addresses_cut_ = true; }
    void unplug_addresses(Node node) { addresses_unplugged_ = node; }
    [[nodiscard]] bool carries_addresses(Node node) const { return addresses_unplugged_ != node; }
    /// Who holds an address answers the other node. Since when, if so.
    [[nodiscard]] std::optional<Time> addresses_meet() const;
    /// Datagrams: lost, delayed, doubled, out of order; never three lost in a row unless blocked.
    void datagram(Node from, const std::function<void()>& deliver);

    /// Both ends are willing: a new connection, if the way is free. The old one must be closed at
    /// both ends.
    void connect(Link link);
    [[nodiscard]] const std::shared_ptr<Stream>& stream(Link link) const {
        return streams_[static_cast<std::size_t>(link)];
    }
    /// The node is gone without a word (power): the other end finds out by itself.
    void vanish(Node end);
    /// The connection as `end` may use it; none: not connected.
    [[nodiscard]] Stream* usable(Link link, Node end) const;
    Duration latency();

    /// An end of the present connection was lost (not closed by its owner).
    std::function<void(Link, Node)> on_lost;
    std::function<void(Link)> on_connected;

  private:
    void watch(const std::shared_ptr<Stream>& stream, Link link);
    void give_up_later(const std::shared_ptr<Stream>& stream, Node end,
                       std::function<bool()> still);

    World& world_;
    std::array<std::array<bool, 2>, 2> blocked_{};
    std::array<std::uint64_t, 2> blocks_{};  // by link: counts changes
    std::array<std::shared_ptr<Stream>, 2> streams_;
    std::array<int, 2> lost_in_a_row_{};
    std::array<std::optional<Time>, 2> target_blocked_;  // since when
    bool addresses_cut_ = false;
    std::optional<Node> addresses_unplugged_;
    Time addresses_met_{};  // unblock_all()
};

}  // namespace ha::sim
