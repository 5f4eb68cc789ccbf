#include "replicatord/fuse/tables.h"

#include <cstring>

#include "base/assert.h"

namespace ha::replicatord::fuse {
namespace {

constexpr std::uint64_t kMagic = 0x31656c6261546148ULL;
constexpr std::uint32_t kBuckets = 1U << 20U;
constexpr std::size_t kPage = 4096;

}  // namespace

struct InodeTable::Header {
    std::uint64_t magic;
    std::uint32_t version;
    std::uint32_t capacity;
    std::uint32_t used;  // entries ever taken from the array
    std::uint32_t free;  // head of the list of entries given back
    std::uint32_t count;
};

Result<std::unique_ptr<InodeTable>> InodeTable::create(std::uint32_t capacity) {
    const std::size_t size =
        kPage + kBuckets * sizeof(std::uint32_t) + (std::size_t{capacity} + 1) * sizeof(InodeEntry);
    auto memory = SharedMemory::create("hamirror-inodes", size);
    if (!memory) return tl::unexpected(memory.error());
    return std::unique_ptr<InodeTable>(new InodeTable(std::move(*memory), capacity));
}

InodeTable::InodeTable(SharedMemory memory, std::uint32_t capacity) : memory_(std::move(memory)) {
    header_ = reinterpret_cast<Header*>(memory_.data());
    buckets_ = reinterpret_cast<std::uint32_t*>(memory_.data() + kPage);
    entries_ =
        reinterpret_cast<InodeEntry*>(memory_.data() + kPage + kBuckets * sizeof(std::uint32_t));
    *header_ = Header{kMagic, 1, capacity, 0, 0, 0};
}

std::size_t InodeTable::bucket_of(FileId id) {
    return static_cast<std::size_t>((id.value * 0x9e3779b97f4a7c15ULL) >> 44U);
}

InodeEntry* InodeTable::find(FileId id) {
    for (std::uint32_t at = buckets_[bucket_of(id)]; at != 0; at = entries_[at].next)
        if (entries_[at].id == id.value) return &entries_[at];
    return nullptr;
}

std::uint32_t InodeTable::allocate() {
    std::scoped_lock lock(allocation_);
    std::uint32_t at = header_->free;
    if (at != 0) {
        header_->free = entries_[at].next;
    } else {
        if (header_->used == header_->capacity) return 0;
        at = ++header_->used;
    }
    ++header_->count;
    return at;
}

// The entry is whole before one store puts it into its chain: whoever adopts the table after a
// crash in between sees it or does not, and finds lost entries by going through the array.
bool InodeTable::refer(FileId id, const Place& place) {
    std::scoped_lock lock(stripe_of(id));
    if (InodeEntry* entry = find(id)) {
        ++entry->lookups;
        return true;
    }
    const std::uint32_t at = allocate();
    if (at == 0) return false;
    std::uint32_t& bucket = buckets_[bucket_of(id)];
    InodeEntry& entry = entries_[at];
    entry = InodeEntry{};
    entry.id = id.value;
    entry.lookups = 1;
    entry.changes = 1;
    entry.root = place.root;
    entry.kind = place.kind;
    entry.handle_type = place.handle.type;
    entry.handle_length = place.handle.length;
    entry.handle = place.handle.bytes;
    entry.next = bucket;
    bucket = at;
    return true;
}

void InodeTable::forget(FileId id, std::uint64_t references) {
    std::scoped_lock lock(stripe_of(id));
    InodeEntry* entry = find(id);
    if (entry == nullptr) return;
    HA_ASSERT(entry->lookups >= references);
    entry->lookups -= references;
    erase_if_unused(id);
}

std::uint32_t InodeTable::close(FileId id) {
    std::scoped_lock lock(stripe_of(id));
    InodeEntry* entry = find(id);
    HA_ASSERT(entry != nullptr && entry->opens > 0);
    const std::uint32_t left = --entry->opens;
    erase_if_unused(id);
    return left;
}

void InodeTable::erase_if_unused(FileId id) {
    std::uint32_t* link = &buckets_[bucket_of(id)];
    while (entries_[*link].id != id.value) link = &entries_[*link].next;
    InodeEntry& entry = entries_[*link];
    if (entry.lookups != 0 || entry.opens != 0) return;
    const std::uint32_t at = *link;
    *link = entry.next;
    std::scoped_lock lock(allocation_);
    entry.id = 0;
    entry.next = header_->free;
    header_->free = at;
    --header_->count;
}

std::vector<FileId> InodeTable::ids() {
    std::vector<FileId> out;
    for (std::uint32_t bucket = 0; bucket < kBuckets; ++bucket) {
        std::scoped_lock lock(stripes_[bucket % stripes_.size()]);
        for (std::uint32_t at = buckets_[bucket]; at != 0; at = entries_[at].next)
            out.push_back(FileId{entries_[at].id});
    }
    return out;
}

void InodeTable::forget_syncs() {
    for (std::uint32_t bucket = 0; bucket < kBuckets; ++bucket) {
        std::scoped_lock lock(stripes_[bucket % stripes_.size()]);
        for (std::uint32_t at = buckets_[bucket]; at != 0; at = entries_[at].next)
            ++entries_[at].changes;
    }
}

std::uint32_t InodeTable::size() const {
    std::scoped_lock lock(allocation_);
    return header_->count;
}

struct OpenTable::Header {
    std::uint64_t magic;
    std::uint32_t version;
    std::uint32_t capacity;
    std::uint32_t used;
    std::uint32_t free;
};

struct OpenTable::Entry {
    std::uint64_t id;  // 0: free
    std::uint32_t flags;
    std::uint32_t serial;  // upper half of the handle
    std::uint32_t next;
    std::uint32_t role;
};

Result<std::unique_ptr<OpenTable>> OpenTable::create(std::uint32_t capacity) {
    auto memory = SharedMemory::create("hamirror-open-files",
                                       kPage + (std::size_t{capacity} + 1) * sizeof(Entry));
    if (!memory) return tl::unexpected(memory.error());
    return std::unique_ptr<OpenTable>(new OpenTable(std::move(*memory), capacity));
}

OpenTable::OpenTable(SharedMemory memory, std::uint32_t capacity) : memory_(std::move(memory)) {
    header_ = reinterpret_cast<Header*>(memory_.data());
    entries_ = reinterpret_cast<Entry*>(memory_.data() + kPage);
    *header_ = Header{kMagic, 1, capacity, 0, 0};
}

OpenTable::Entry* OpenTable::entry(std::uint64_t handle) const {
    const auto at = static_cast<std::uint32_t>(handle);
    if (at == 0 || at > header_->used) return nullptr;
    Entry& found = entries_[at];
    return found.id != 0 && found.serial == handle >> 32U ? &found : nullptr;
}

std::uint64_t OpenTable::open(const File& file) {
    std::scoped_lock lock(mutex_);
    std::uint32_t at = header_->free;
    if (at != 0) {
        header_->free = entries_[at].next;
    } else {
        if (header_->used == header_->capacity) return 0;
        at = ++header_->used;
    }
    Entry& fresh = entries_[at];
    ++fresh.serial;
    fresh.flags = file.flags;
    fresh.role = file.role;
    fresh.id = file.id.value;
    return std::uint64_t{fresh.serial} << 32U | at;
}

std::optional<OpenTable::File> OpenTable::find(std::uint64_t handle) const {
    std::scoped_lock lock(mutex_);
    const Entry* found = entry(handle);
    if (found == nullptr) return std::nullopt;
    return File{FileId{found->id}, found->flags, found->role};
}

std::optional<OpenTable::File> OpenTable::close(std::uint64_t handle) {
    std::scoped_lock lock(mutex_);
    Entry* found = entry(handle);
    if (found == nullptr) return std::nullopt;
    File file{FileId{found->id}, found->flags, found->role};
    found->id = 0;
    found->next = header_->free;
    header_->free = static_cast<std::uint32_t>(handle);
    return file;
}

}  // namespace ha::replicatord::fuse
