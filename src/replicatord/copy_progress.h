#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>

#include "base/id128.h"
#include "base/result.h"
#include "core/cluster/record.h"
#include "replicatord/tree.h"

namespace ha::replicatord {

/// How far this node's copy has come and how far the peer said its own had, noted on the trees
/// themselves: what of this is known of a node elsewhere was durable there, so a copy that has come
/// less far than that was put back to an earlier moment (2-safety, "Is this really our tree?"). A
/// count of syncs, of no relation to the mirror's sequences (docs/formats.md, "Progress").
///
/// From any thread.
class CopyProgress {
  public:
    /// What the trees say, durable by now. Of several roots the least counts of this copy, the most
    /// of the peer's; a root without a note that counts has come nowhere.
    static Result<std::unique_ptr<CopyProgress>> open(const Tree& tree, const Id128& module);

    /// What is on the trees.
    [[nodiscard]] cluster::Progress now() const;
    /// Before the trees are synced. `further`: they were changed since the last time. Returns what
    /// this copy has come to once they are, for synced(); nothing if it cannot be noted, as on a
    /// full disk: then the peer is told nothing new.
    std::optional<std::uint64_t> note(bool further);
    void synced(std::uint64_t number);

    /// For the peer. Never above what is on this node's disk.
    [[nodiscard]] std::uint64_t durable() const { return durable_; }
    /// The peer's, as it says now: what was known before counts no more. False: it was further.
    bool heard(std::uint64_t peer);
    /// The peer said something that is not noted yet.
    [[nodiscard]] bool stale() const { return heard_ != peer_; }

  private:
    CopyProgress(const Tree& tree, const Id128& module) : tree_(tree), module_(module) {}

    const Tree& tree_;
    const Id128 module_;
    std::mutex mutex_;                       // one notes at a time
    std::atomic<std::uint64_t> own_{0};      // noted
    std::atomic<std::uint64_t> durable_{0};  // noted and synced
    std::atomic<std::uint64_t> peer_{0};     // noted
    std::atomic<std::uint64_t> heard_{0};
    bool failed_ = false;  // at the last try
};

}  // namespace ha::replicatord
