#pragma once

#include <cstdint>
#include <deque>
#include <optional>

#include "api/worker.h"
#include "base/strong.h"
#include "core/replication/operation.h"

namespace ha::replicatord {

/// What an operation counts for: the content it writes, in bytes; none: it modifies nothing (an
/// fsync, the end of an orphan).
std::optional<std::uint64_t> weight(const replication::Operation& operation);

/// How much this node changed that the other one does not have, from the decision on under which it
/// went alone. What a member was sent and had not accepted by then belongs to it: that is done
/// here, and whether there is not known. Pure; the mirror's lock protects it.
class AloneCount {
  public:
    /// `kept`: by an earlier process.
    explicit AloneCount(api::ChangedAlone kept = {}) : now_(kept) {}

    /// A modification was made. `waits`: it took this number and the other node has to accept it.
    void made(std::uint64_t bytes, std::optional<Sequence> waits);
    /// By the other node, up to this number.
    void accepted(Sequence last);
    /// Nobody else is required; since this decision, unless this node is alone already.
    void alone(const Id128& decision);
    /// The other node has all this node had.
    void together() { now_ = {}; }
    /// This node's copy is another's from now on.
    void forget();

    /// Without a decision: nothing.
    [[nodiscard]] const api::ChangedAlone& now() const { return now_; }

  private:
    struct Waiting {
        Sequence sequence;
        std::uint64_t bytes = 0;
    };
    void count(std::uint64_t bytes);

    api::ChangedAlone now_;
    std::deque<Waiting> waiting_;  // as many as the sender's queue holds
};

}  // namespace ha::replicatord
