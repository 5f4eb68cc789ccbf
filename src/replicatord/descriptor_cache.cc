#include "replicatord/descriptor_cache.h"

#include <fcntl.h>

#include <algorithm>
#include <vector>

namespace ha::replicatord {
namespace {

constexpr std::array<int, 4> kKinds{O_PATH, O_RDONLY | O_DIRECTORY, O_RDONLY, O_RDWR};

}  // namespace

DescriptorCache::DescriptorCache(std::size_t capacity)
    : capacity_(std::max<std::size_t>(1, capacity / kShards)) {}

DescriptorCache::Pointer DescriptorCache::get(FileId id, int flags) {
    Shard& shard = shard_of(id);
    std::scoped_lock lock(shard.mutex);
    auto found = shard.entries.find(Key{id, flags});
    if (found == shard.entries.end()) return nullptr;
    shard.order.splice(shard.order.begin(), shard.order, found->second);
    return found->second->fd;
}

DescriptorCache::Pointer DescriptorCache::put(FileId id, int flags, io::Fd fd) {
    auto pointer = std::make_shared<const io::Fd>(std::move(fd));
    Pointer evicted;  // closed after the lock is released
    Shard& shard = shard_of(id);
    std::scoped_lock lock(shard.mutex);
    const Key key{id, flags};
    if (auto found = shard.entries.find(key); found != shard.entries.end())
        return found->second->fd;
    shard.order.push_front(Entry{key, pointer});
    shard.entries.emplace(key, shard.order.begin());
    if (shard.order.size() > capacity_) {
        evicted = std::move(shard.order.back().fd);
        shard.entries.erase(shard.order.back().key);
        shard.order.pop_back();
    }
    return pointer;
}

void DescriptorCache::drop(FileId id) {
    std::vector<Pointer> closing;
    Shard& shard = shard_of(id);
    std::scoped_lock lock(shard.mutex);
    for (int flags : kKinds) {
        auto found = shard.entries.find(Key{id, flags});
        if (found == shard.entries.end()) continue;
        closing.push_back(std::move(found->second->fd));
        shard.order.erase(found->second);
        shard.entries.erase(found);
    }
}

void DescriptorCache::clear() {
    for (Shard& shard : shards_) {
        std::list<Entry> closing;
        std::scoped_lock lock(shard.mutex);
        closing.swap(shard.order);
        shard.entries.clear();
    }
}

}  // namespace ha::replicatord
