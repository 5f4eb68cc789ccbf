#include "replicatord/order_locks.h"

#include <algorithm>

#include "base/assert.h"

namespace ha::replicatord {
namespace {

// Ids of one block are neighbours; a multiplication (2^64 / golden ratio) spreads them.
std::size_t shard_of(FileId id) {
    return static_cast<std::size_t>((id.value * 0x9e3779b97f4a7c15ULL) >> 54U);
}
static_assert(OrderLocks::kShards == 1U << (64U - 54U));

}  // namespace

OrderLocks::Guard::Guard(OrderLocks& locks, std::initializer_list<FileId> ids) : locks_(locks) {
    HA_ASSERT(ids.size() <= shards_.size());
    for (FileId id : ids)
        if (id.value != 0) shards_[count_++] = shard_of(id);
    auto end = shards_.begin() + static_cast<std::ptrdiff_t>(count_);
    std::sort(shards_.begin(), end);
    count_ = static_cast<std::size_t>(std::unique(shards_.begin(), end) - shards_.begin());
    for (std::size_t i = 0; i < count_; ++i) locks_.shards_[shards_[i]].lock();
}

OrderLocks::Guard::~Guard() {
    while (count_ > 0) locks_.shards_[shards_[--count_]].unlock();
}

}  // namespace ha::replicatord
