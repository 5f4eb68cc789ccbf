#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "core/config/config.h"
#include "io/loop.h"

namespace ha::io {

/// For an answer of an etcd that is given as a witness, or tried before it is recorded.
inline constexpr Duration kEtcdPatience = 5s;

struct EtcdSetUp {
    config::WitnessConfig witness;        // with the etcd's id and the pair's store there
    std::vector<std::string> unanswered;  // "ENDPOINT: WHY", if not all endpoints answered
};
/// Makes this etcd a witness: the part of `hamirrorctl witness add --etcd` that speaks to it. At
/// least one endpoint answers, and those that do are of one etcd. If `before`, what the pair has
/// now, is the same etcd with the same prefix and its store is whole, the store stays the same:
/// only the way there is new. Else it is a new one. An error, with nothing done but perhaps a store
/// nobody knows: one sentence. Blocks for at most twice the patience.
Result<EtcdSetUp> set_up_etcd(const config::WitnessConfig& wanted,
                              const std::optional<config::WitnessConfig>& before,
                              Duration patience = kEtcdPatience);

/// Whether an etcd shows its store to this node now: calls `done` once, within kEtcdPatience, never
/// from within the call. Given up when destroyed, as `done` may. Loop's thread.
class EtcdProbe {
  public:
    EtcdProbe(Loop& loop, const config::WitnessConfig& witness,
              std::function<void(const Result<>&)> done);
    ~EtcdProbe();
    EtcdProbe(const EtcdProbe&) = delete;
    EtcdProbe& operator=(const EtcdProbe&) = delete;

  private:
    class Asked;
    std::unique_ptr<Asked> asked_;
};

}  // namespace ha::io
