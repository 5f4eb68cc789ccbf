#include "replicatord/tree_index.h"

#include <string_view>

#include "replicatord/tree.h"

namespace ha::replicatord {

std::size_t TreeIndex::HandleHash::operator()(const FileHandle& handle) const noexcept {
    return std::hash<std::string_view>{}(
        {reinterpret_cast<const char*>(handle.bytes.data()), handle.length});
}

void TreeIndex::insert(FileId id, const Place& place) {
    Shard& shard = shard_of(id);
    std::scoped_lock lock(shard.mutex);
    shard.places.insert_or_assign(id, place);
}

std::optional<Place> TreeIndex::find(FileId id) const {
    const Shard& shard = shard_of(id);
    std::scoped_lock lock(shard.mutex);
    auto found = shard.places.find(id);
    if (found == shard.places.end()) return std::nullopt;
    return found->second;
}

void TreeIndex::erase(FileId id) {
    Shard& shard = shard_of(id);
    std::scoped_lock lock(shard.mutex);
    shard.places.erase(id);
}

FileId TreeIndex::transient_id(const Place& place) {
    std::scoped_lock lock(transient_mutex_);
    auto& known = transient_[place.root];
    if (auto found = known.find(place.handle); found != known.end()) return found->second;
    FileId id{Tree::kFirstTransient + ++transient_counter_};
    known.emplace(place.handle, id);
    insert(id, place);
    return id;
}

void TreeIndex::drop_transient() {
    std::scoped_lock lock(transient_mutex_);
    for (auto& known : transient_) {
        for (const auto& [handle, id] : known) erase(id);
        known.clear();
    }
}

}  // namespace ha::replicatord
