#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "base/strong.h"
#include "replicatord/fuse/memory.h"
#include "replicatord/tree_index.h"

// What the kernel knows of us, in shared memory of a fixed layout: the inodes it holds references
// to and the files it has open. No pointers, only indices; index 0 means none.

namespace ha::replicatord::fuse {

/// One inode the kernel knows.
struct InodeEntry {
    static constexpr std::uint32_t kOrphan = 1;  // its only name is in the orphan directory
    static constexpr std::uint32_t kGone = 2;    // it has no name and is not kept

    std::uint64_t id;
    std::uint64_t lookups;      // references the kernel holds; FORGET gives them back
    std::uint32_t opens;        // open files
    std::uint32_t next;         // in the chain of its bucket
    std::uint32_t changes;      // counts modifications; from 1, since earlier ones are unknown
    std::uint32_t synced;       // value of `changes` at the last successful fsync
    std::uint32_t synced_data;  // the same for fdatasync
    std::uint32_t flags;
    std::int32_t sync_error;  // errno of the first failed fsync: final
    std::uint8_t root;
    std::uint8_t kind;
    std::uint8_t handle_length;
    std::uint8_t reserved;
    std::int32_t handle_type;
    std::array<unsigned char, FileHandle::kCapacity> handle;
    std::uint32_t reserved2;
};
static_assert(sizeof(InodeEntry) == 96);

/// FileId -> InodeEntry. Thread-safe. An entry lives while the kernel refers to the inode or has it
/// open.
class InodeTable {
  public:
    static constexpr std::uint32_t kDefaultCapacity = 1U << 24U;

    static Result<std::unique_ptr<InodeTable>> create(std::uint32_t capacity = kDefaultCapacity);

    /// One more reference; makes the entry if there is none. false: the table is full.
    [[nodiscard]] bool refer(FileId id, const Place& place);
    void forget(FileId id, std::uint64_t references);
    /// Calls `visit` with the entry, if there is one; it must not call back into the table.
    template <typename Visit>
    bool visit(FileId id, Visit visit_entry) {
        std::scoped_lock lock(stripe_of(id));
        InodeEntry* entry = find(id);
        if (entry == nullptr) return false;
        visit_entry(*entry);
        return true;
    }
    /// One open file less; the entry goes if nothing else holds it. The number left.
    std::uint32_t close(FileId id);
    /// Every id in the table. Slow; for role changes.
    [[nodiscard]] std::vector<FileId> ids();
    /// Nothing that was synced before counts as synced any more.
    void forget_syncs();
    [[nodiscard]] std::uint32_t size() const;
    [[nodiscard]] int fd() const { return memory_.fd(); }

  private:
    struct Header;
    explicit InodeTable(SharedMemory memory, std::uint32_t capacity);

    std::mutex& stripe_of(FileId id) { return stripes_[bucket_of(id) % stripes_.size()]; }
    static std::size_t bucket_of(FileId id);
    InodeEntry* find(FileId id);
    std::uint32_t allocate();
    void erase_if_unused(FileId id);

    SharedMemory memory_;
    Header* header_;
    std::uint32_t* buckets_;
    InodeEntry* entries_;
    std::array<std::mutex, 64> stripes_;
    mutable std::mutex allocation_;
};

/// Open files: handle -> inode. Handles are not reused soon (index and a counter). Thread-safe.
class OpenTable {
  public:
    struct File {
        FileId id;
        std::uint32_t flags = 0;
        std::uint32_t role = 0;  // the serving role it was opened in; 0: while following
    };
    static constexpr std::uint32_t kDefaultCapacity = 1U << 20U;

    static Result<std::unique_ptr<OpenTable>> create(std::uint32_t capacity = kDefaultCapacity);

    /// 0: the table is full.
    [[nodiscard]] std::uint64_t open(const File& file);
    [[nodiscard]] std::optional<File> find(std::uint64_t handle) const;
    std::optional<File> close(std::uint64_t handle);
    [[nodiscard]] int fd() const { return memory_.fd(); }

  private:
    struct Header;
    struct Entry;
    OpenTable(SharedMemory memory, std::uint32_t capacity);
    [[nodiscard]] Entry* entry(std::uint64_t handle) const;

    SharedMemory memory_;
    Header* header_;
    Entry* entries_;
    mutable std::mutex mutex_;
};

}  // namespace ha::replicatord::fuse
