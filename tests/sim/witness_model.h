#pragma once

#include <array>
#include <map>
#include <optional>

#include "core/cluster/events.h"
#include "network.h"

namespace ha::sim {

class Host;
class World;

/// What a pair has in the way of witnesses.
enum class Witnesses {
    None,
    One,
    Changing,   // added, replaced and removed while everything runs (R14)
    PingTarget  // none, but a ping target; always `available`
};

/// The witness: a durable register on a third machine, the ways to it, and each node's client of
/// it. Frames that a node sent may arrive long after it gave them up, and after it crashed. Each
/// witness a pair ever had goes on existing there, in a store of its own.
class WitnessModel {
  public:
    explicit WitnessModel(World& world) : world_(world) {}

    /// Not every pair has one.
    void begin();
    /// The node's cluster.yaml names this one from now on; none: no witness.
    void configure(Host& host, const Id128& store);
    [[nodiscard]] const Id128& configured(Node node) const { return configured_[index_of(node)]; }
    /// What an administrator may write there next: a new one, one of before, or none.
    [[nodiscard]] Id128 another(Node node);
    /// The node's clusterd asks; only if the client believes to be connected.
    void ask(Host& host, const cluster::AskWitness& order);
    /// The node's clusterd ended, or begins: the client knows nothing.
    void forget(Node node);

    void power(bool on);
    void block(Node node) { blocked_[index_of(node)] = true; }
    void unblock_all() { blocked_ = {}; }

  private:
    struct Store {
        std::optional<cluster::Registered> value;
        std::optional<cluster::Registered> before;  // the value it replaced
    };
    struct Client {
        bool reached = false;
        std::uint64_t sent = 0;      // the serial of the last request
        std::uint64_t answered = 0;  // of the last answer
        std::uint64_t pending = 0;   // of an exchange that is not answered
        Time last_answer{};
        std::optional<cluster::Registered> told;  // clusterd, while it is reached
    };

    void tick();
    void request(Host& host, std::optional<cluster::AskWitness> exchange);
    void answer(Host& host, const Store& store, std::uint64_t serial, bool asked);
    [[nodiscard]] bool passes(Node node) const { return powered_ && !blocked_[index_of(node)]; }

    World& world_;
    bool powered_ = true;
    std::array<bool, 2> blocked_{};
    std::map<Id128, Store> stores_;
    std::array<Id128, 2> configured_;
    std::array<Client, 2> clients_;
};

}  // namespace ha::sim
