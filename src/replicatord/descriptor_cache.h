#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "base/strong.h"
#include "io/fd.h"

namespace ha::replicatord {

/// Open descriptors of inodes, the least recently used closed first; a bounded number, so that
/// millions of files do not cost millions of descriptors. Whoever holds a pointer keeps the
/// descriptor open beyond its eviction. Thread-safe.
class DescriptorCache {
  public:
    using Pointer = std::shared_ptr<const io::Fd>;

    explicit DescriptorCache(std::size_t capacity);

    /// The kinds of descriptor kept: O_PATH, O_RDONLY | O_DIRECTORY, O_RDONLY, O_RDWR.
    /// nullptr: not cached.
    Pointer get(FileId id, int flags);
    Pointer put(FileId id, int flags, io::Fd fd);
    /// Closes what is kept of an inode: a deleted file's space is freed with its last descriptor.
    void drop(FileId id);
    /// Closes everything nobody holds (the answer to EMFILE).
    void clear();

  private:
    struct Key {
        FileId id;
        int flags;
        bool operator==(const Key&) const = default;
    };
    struct Hash {
        std::size_t operator()(const Key& key) const noexcept {
            return std::hash<FileId>{}(key.id) ^ (static_cast<std::size_t>(key.flags) << 40U);
        }
    };
    struct Entry {
        Key key;
        Pointer fd;
    };
    struct Shard {
        std::mutex mutex;
        std::list<Entry> order;  // most recently used first
        std::unordered_map<Key, std::list<Entry>::iterator, Hash> entries;
    };
    static constexpr std::size_t kShards = 16;

    Shard& shard_of(FileId id) { return shards_[id.value % kShards]; }

    std::array<Shard, kShards> shards_;
    std::size_t capacity_;  // of a shard
};

}  // namespace ha::replicatord
