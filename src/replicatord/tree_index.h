#pragma once

#include <array>
#include <atomic>
#include <mutex>
#include <optional>
#include <unordered_map>

#include "base/strong.h"
#include "replicatord/file_handle.h"

namespace ha::replicatord {

/// Where an inode is: enough to open it again at any time, without a path.
struct Place {
    std::uint8_t root = 0;  // index of the root
    std::uint8_t kind = 0;  // S_IFMT bits >> 12
    FileHandle handle;
};

/// FileId -> Place of every inode seen so far. Thread-safe, sharded.
class TreeIndex {
  public:
    void insert(FileId id, const Place& place);
    [[nodiscard]] std::optional<Place> find(FileId id) const;
    void erase(FileId id);

    /// The transient id of the inode at `place`, the same one for as long as it is not dropped.
    FileId transient_id(const Place& place);
    void drop_transient();

  private:
    static constexpr std::size_t kShards = 64;
    struct Shard {
        mutable std::mutex mutex;
        std::unordered_map<FileId, Place> places;
    };
    struct HandleHash {
        std::size_t operator()(const FileHandle& handle) const noexcept;
    };
    Shard& shard_of(FileId id) { return shards_[id.value % kShards]; }
    [[nodiscard]] const Shard& shard_of(FileId id) const { return shards_[id.value % kShards]; }

    std::array<Shard, kShards> shards_;
    std::mutex transient_mutex_;
    std::array<std::unordered_map<FileHandle, FileId, HandleHash>, 256> transient_;  // by root
    std::uint64_t transient_counter_ = 0;  // goes on after drop_transient(): ids are never reused
};

}  // namespace ha::replicatord
