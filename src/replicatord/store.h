#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include "base/result.h"
#include "base/strong.h"

namespace ha::replicatord {

/// The small durable state of one module on this node: /var/lib/hamirror/replicatord/MODULE/state.
/// Every change is on disk before the call that made it returns. A damaged file is an error, never
/// a fresh start (docs/formats.md, "Store of replicatord"). Thread-safe.
class Store {
  public:
    /// Ids are minted from blocks of this many; a crash wastes at most one block.
    static constexpr std::uint64_t kBlock = 1U << 16U;
    static constexpr std::uint64_t kMaxEpoch = (1U << 22U) - 1;  // above: transient ids
    static constexpr std::uint64_t kMaxCounter = (1ULL << 40U) - 1;

    /// The stamp on the tree's marker may be `current`, or `next` if that is not 0 (2-safety, "Is
    /// this really our tree?"). `current` 0: none was ever written
    /// to its end. Both 0: none was ever begun.
    struct Stamps {
        std::uint64_t current = 0;
        std::uint64_t next = 0;
    };

    /// Opens the state in `directory`, which is made (mode 0700) if it is missing.
    static Result<std::unique_ptr<Store>> open(const std::string& directory);

    /// An id that this node never minted before: epoch (23 bits), node bit, counter (40 bits).
    /// Usually without I/O; each kBlock-th call makes the next block's bound durable first. Value 0
    /// if that fails; and always before set_minting().
    FileId mint();
    /// Under which decision and by which node (0 or 1) ids are minted from now on.
    void set_minting(Epoch epoch, unsigned node);
    /// Every counter this node ever used is below this.
    [[nodiscard]] std::uint64_t id_bound() const;

    [[nodiscard]] Stamps stamps() const;
    /// Records current + 1 as the next stamp and returns it. To be called before it is written to
    /// the tree; a next stamp already recorded is returned again.
    Result<std::uint64_t> prepare_stamp();
    /// The next stamp is on the tree: it becomes the current one.
    Result<> commit_stamp();

    /// Frames of decisions older than this are refused for good (R2, R12). Never goes down.
    [[nodiscard]] Epoch sealed_floor() const;
    Result<> seal(Epoch floor);

  private:
    struct State {
        std::uint64_t id_bound = 0;
        Stamps stamps;
        Epoch sealed_floor;
    };

    Store(std::string path, const State& state);
    Result<> save(const State& state);  // mutex_ held
    static Result<State> load(const std::string& path);

    const std::string path_;
    mutable std::mutex mutex_;
    State state_;
    std::uint64_t counter_;      // next to mint; always <= state_.id_bound
    std::uint64_t minting_ = 0;  // the upper 24 bits of ids, in place; 0: not set
};

}  // namespace ha::replicatord
