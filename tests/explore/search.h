#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include "canon.h"
#include "move.h"

namespace ha::explore {

struct DigestHash {
    std::size_t operator()(const Digest& digest) const { return digest.low; }
};

/// Breadth first over all histories within the bounds: every state once, so the first violation
/// found has the fewest moves. Each state remembers the action it came by; a trace is played again
/// from the beginning.
class Search {
  public:
    struct Result {
        std::uint64_t states = 0;
        std::uint64_t moves = 0;
        std::uint64_t depth = 0;  // moves after which every state was seen
        bool complete = false;    // nothing within the bounds is left
        std::string violation;    // empty: none
    };

    Search(Setup setup, State first) : setup_(setup), first_(std::move(first)) {}
    Result run(std::uint64_t max_states);
    /// The actions up to the last one that was tried: where run() ended, or is.
    [[nodiscard]] std::vector<Action> trying() const;
    /// Says each step.
    void replay(const std::vector<Action>& actions, const Move::Say& say) const;

  private:
    static constexpr std::uint32_t kNobody = 0xffffffffU;
    struct Seen {
        std::uint32_t parent;
        std::uint32_t action;
    };
    struct Waiting {
        State state;
        std::uint32_t index;
    };

    void expand(const Waiting& waiting);
    void note(State state, std::uint32_t parent, Action action);
    void share(State& state);
    [[nodiscard]] bool within(const State& state) const;
    [[nodiscard]] std::vector<Action> way_to(std::uint32_t index) const;

    const Setup setup_;
    const State first_;
    std::unordered_map<Digest, std::uint32_t, DigestHash> index_;
    std::vector<Seen> seen_;
    std::vector<Waiting> next_;
    std::unordered_map<Digest, Shared<Side>, DigestHash> sides_;  // of next_
    Result result_;
    std::uint32_t from_ = kNobody;
    Action action_;
};

}  // namespace ha::explore
