#include "core/resync/filter.h"

#include <algorithm>

#include "base/assert.h"
#include "core/replication/copy.h"

namespace ha::resync {

using namespace replication;

namespace {

// fallocate(2) and renameat2(2), as on the wire.
constexpr std::uint32_t kCollapseRange = 0x08;
constexpr std::uint32_t kInsertRange = 0x20;
constexpr std::uint32_t kNoReplace = 1;
constexpr std::uint32_t kExchange = 2;

Action as_it_is(Operation operation) {
    return {std::move(operation), {}};
}

FileId subject(const Body& body) {
    return std::visit([](const auto& operation) { return operation.id; }, body);
}

}  // namespace

bool Filter::mirrored(FileId id) const {
    auto found = states_.find(id);
    return found != states_.end() && found->second.stage == Stage::Mirrored;
}

bool Filter::discover(FileId id) {
    bool added = states_.try_emplace(id).second;
    if (added) ++pending_;
    return added;
}

void Filter::mirror(FileId id) {
    discover(id);
    State& state = states_[id];
    if (state.stage != Stage::Mirrored) --pending_;
    state.stage = Stage::Mirrored;
}

void Filter::forget(FileId id) {
    auto found = states_.find(id);
    if (found == states_.end()) return;
    if (found->second.stage != Stage::Mirrored) --pending_;
    states_.erase(found);
}

Filter::Progress Filter::copy(FileId id) {
    State& state = states_.at(id);
    HA_ASSERT(state.stage != Stage::Mirrored);
    state.stage = Stage::Copying;
    return state.progress;
}

void Filter::advance(FileId id, std::uint64_t frontier) {
    State* state = copying(id);
    HA_ASSERT(state != nullptr && frontier >= state->progress.frontier);
    state->progress.frontier = frontier;
}

Filter::State* Filter::copying(FileId id) {
    auto found = states_.find(id);
    bool is = found != states_.end() && found->second.stage == Stage::Copying;
    return is ? &found->second : nullptr;
}

std::vector<Action> Filter::pass(Operation operation) {
    auto stamps = std::move(operation.stamps);
    operation.stamps.clear();
    Actions actions;
    if (const auto* create = std::get_if<Create>(&operation.body)) {
        actions = names(*create);
    } else if (const auto* link = std::get_if<Link>(&operation.body)) {
        actions = names(*link);
    } else if (const auto* unlink = std::get_if<Unlink>(&operation.body)) {
        actions = names(*unlink);
    } else if (const auto* rename = std::get_if<Rename>(&operation.body)) {
        actions = names(*rename);
    } else if (content(operation)) {
        actions.push_back(as_it_is(std::move(operation)));
    }
    if (actions.empty()) return actions;
    std::erase_if(stamps, [&](const TimeStamp& stamp) { return !mirrored(stamp.id); });
    Action& last = actions.back();
    auto* whole = std::get_if<Operation>(&last.what);
    (whole != nullptr ? whole->stamps : last.stamps) = std::move(stamps);
    return actions;
}

/// Is an operation on one inode sent, perhaps cut?
bool Filter::content(Operation& operation) {
    const FileId id = subject(operation.body);
    if (mirrored(id)) return true;
    if (auto* write = std::get_if<Write>(&operation.body)) return cut(*write);
    if (auto* set = std::get_if<SetAttributes>(&operation.body)) return cut(*set);
    if (const auto* allocate = std::get_if<Allocate>(&operation.body)) return cut(*allocate);
    return std::holds_alternative<Release>(operation.body) && known(id);
}

bool Filter::cut(Write& write) {
    State* state = copying(write.id);
    if (state == nullptr || write.offset >= state->progress.frontier) return false;
    const std::uint64_t room = state->progress.frontier - write.offset;
    if (write.data.size() > room) write.data.resize(static_cast<std::size_t>(room));
    write.durable = false;
    return true;
}

// Owner, mode and times come with the CopyFinal. The size is sent: below the frontier both files
// must go on reading the same, zeros after the end included.
bool Filter::cut(SetAttributes& set) {
    State* state = copying(set.id);
    if (state == nullptr || (set.mask & SetAttributes::kSize) == 0) return false;
    ++state->progress.token;
    set.mask = SetAttributes::kSize;
    return true;
}

// Punching, zeroing and plain allocation keep what is equal equal. What moves content about is not
// repeated on a file that is only half the same: the copy starts again where it began to move.
bool Filter::cut(const Allocate& allocate) {
    State* state = copying(allocate.id);
    if (state == nullptr) return false;
    ++state->progress.token;
    if ((allocate.mode & (kCollapseRange | kInsertRange)) == 0) return true;
    const std::uint64_t whole = allocate.offset - allocate.offset % kHashBlock;
    state->progress.frontier = std::min(state->progress.frontier, whole);
    return false;
}

void Filter::attach(FileId parent, const std::string& name, FileId id, Actions& actions) {
    bool discovered = discover(id);
    actions.push_back({Attach{parent, name, id, discovered}, {}});
}

std::vector<Action> Filter::names(const Create& create) {
    Actions actions;
    if (!create.name.empty() && !mirrored(create.parent)) return actions;
    mirror(create.id);
    actions.push_back(as_it_is({create, {}}));
    return actions;
}

std::vector<Action> Filter::names(const Link& link) {
    Actions actions;
    if (!mirrored(link.parent)) {
        // If it was an orphan it is none any more; the target's goes unless a listing names it.
        if (known(link.id)) actions.push_back({Detach{link.parent, {}, link.id, false}, {}});
        return actions;
    }
    if (known(link.id)) {
        actions.push_back(as_it_is({link, {}}));
    } else {
        attach(link.parent, link.name, link.id, actions);
    }
    return actions;
}

std::vector<Action> Filter::names(const Unlink& unlink) {
    Actions actions;
    if (mirrored(unlink.parent)) {
        actions.push_back({Detach{unlink.parent, unlink.name, unlink.id, unlink.kept}, {}});
    } else if (unlink.kept) {
        attach(unlink.parent, {}, unlink.id, actions);
    }
    return actions;
}

std::vector<Action> Filter::names(const Rename& rename) {
    const bool from = mirrored(rename.old_parent);
    const bool to = mirrored(rename.new_parent);
    if (rename.flags & kExchange) return exchange(rename, from, to);
    Actions actions;
    const bool same = rename.replaced == rename.id;
    // Two names of one inode: rename(2) does nothing.
    if (same && !(from && to)) return actions;
    if (rename.replaced.value != 0 && !same) {
        if (to) {
            Detach room{rename.new_parent, rename.new_name, rename.replaced, rename.kept};
            actions.push_back({room, {}});
        } else if (rename.kept) {
            attach(rename.new_parent, {}, rename.replaced, actions);
        }
    }
    if (from && to) {
        Rename moved = rename;
        if (!same) {
            moved.replaced = FileId{};
            moved.kept = false;
            moved.flags |= kNoReplace;
        }
        if (rename.whiteout.value != 0) mirror(rename.whiteout);
        actions.push_back(as_it_is({moved, {}}));
    } else if (from) {
        actions.push_back({Detach{rename.old_parent, rename.old_name, rename.id, false}, {}});
        if (rename.whiteout.value != 0) {
            attach(rename.old_parent, rename.old_name, rename.whiteout, actions);
        }
    } else if (to) {
        attach(rename.new_parent, rename.new_name, rename.id, actions);
    }
    return actions;
}

std::vector<Action> Filter::exchange(const Rename& rename, bool from, bool to) {
    Actions actions;
    if (from && to) {
        actions.push_back(as_it_is({rename, {}}));
    } else if (from) {
        actions.push_back({Detach{rename.old_parent, rename.old_name, rename.id, false}, {}});
        attach(rename.old_parent, rename.old_name, rename.replaced, actions);
    } else if (to) {
        actions.push_back({Detach{rename.new_parent, rename.new_name, rename.replaced, false}, {}});
        attach(rename.new_parent, rename.new_name, rename.id, actions);
    }
    return actions;
}

}  // namespace ha::resync
