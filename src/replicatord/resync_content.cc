#include <fcntl.h>
#include <linux/falloc.h>

#include <algorithm>
#include <cerrno>

#include "replicatord/block_hash.h"
#include "replicatord/file_handle.h"
#include "replicatord/inode_calls.h"
#include "replicatord/resync_source.h"

// The content of files, and the application's operations.

namespace ha::replicatord {

using namespace replication;

Result<> ResyncSource::copy_zone(const HashAnswer& answer) {
    for (;;) {
        auto more = copy_step(answer);
        if (!more) return tl::unexpected(more.error());
        if (!*more) return {};
        if (!sink_.wait_for_room()) return {};
    }
}

/// Part of a zone under one hold of the file's order lock. False: the zone is done with, or its
/// hashes are of no use any more. An application that changes the size or the allocation all the
/// time makes every answer useless: then a part is sent uncompared.
Result<bool> ResyncSource::copy_step(const HashAnswer& answer) {
    const FileId id = answer.id;
    OrderLocks::Guard guard(locks_, {id});
    std::unique_lock lock(mutex_);
    if (!filter_.known(id) || filter_.mirrored(id))
        return fail("an answer nobody asked for", EPROTO);
    auto progress = filter_.copy(id);
    lock.unlock();
    std::uint64_t zone_end = answer.offset + kHashZone;
    bool useless = progress.token != answer.token || progress.frontier < answer.offset ||
                   progress.frontier >= zone_end;
    auto fd = tree_.cached(id, O_RDONLY);
    auto attributes = fd ? status((*fd)->get()) : Result<struct stat>(tl::unexpected(fd.error()));
    bool removed = (!fd && fd.error().code == ESTALE) || (attributes && attributes->st_nlink == 0);
    if (!removed && !attributes) return tl::unexpected(attributes.error());
    if (removed) gone(id);
    const auto size = removed ? 0 : static_cast<std::uint64_t>(attributes->st_size);
    const bool blind = useless && ++useless_[id] > kUselessAnswers;
    if (!useless || removed) useless_.erase(id);
    if (!removed && useless && !blind) {
        request(id);
        return false;
    }
    if (blind) zone_end = progress.frontier + kStep;  // the rest has another chance to be compared
    const std::uint64_t end = std::min({progress.frontier + kStep, zone_end, size});
    if (!removed && end > progress.frontier) {
        auto done =
            copy_blocks((*fd)->get(), id, blind ? nullptr : &answer, progress.frontier, end);
        if (!done) return tl::unexpected(done.error());
    }
    if (!removed && end < size) {
        lock.lock();
        filter_.advance(id, end);
        lock.unlock();
        if (end < zone_end) return true;
        request(id);
        return false;
    }
    if (!removed) {
        if (auto done = finish(id, (*fd)->get()); !done) return tl::unexpected(done.error());
    }
    lock.lock();
    --requests_;
    return false;
}

/// `begin` is at a block's beginning. What is equal is not sent; without an answer, everything is.
Result<> ResyncSource::copy_blocks(int fd, FileId id, const HashAnswer* answer, std::uint64_t begin,
                                   std::uint64_t end) {
    std::uint64_t sent = 0;
    for (std::uint64_t at = begin; at < end; at += kHashBlock) {
        auto block = read_block(fd, at, std::min(at + kHashBlock, end));
        if (!block) return tl::unexpected(block.error());
        BlockHash theirs{};  // none: beyond the end there, so that there is nothing to punch
        if (answer != nullptr) {
            const std::size_t index = (at - answer->offset) / kHashBlock;
            if (index < answer->blocks.size()) theirs = answer->blocks[index];
            if (theirs == block->hash) continue;
        }
        std::size_t used = 0;
        for (const auto& extent : block->extents) {
            if (extent.data) {
                auto from = block->content.begin() + static_cast<std::ptrdiff_t>(used);
                auto to = from + static_cast<std::ptrdiff_t>(extent.length);
                send({Write{id, extent.offset, {from, to}, false}, {}});
                used += extent.length;
                sent += extent.length;
            } else if (answer == nullptr || theirs != BlockHash{}) {
                constexpr std::uint32_t kPunch = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
                send({Allocate{id, kPunch, extent.offset, extent.length}, {}});
            }
        }
    }
    std::scoped_lock lock(mutex_);
    counters_.bytes_examined += end - begin;
    counters_.bytes_sent += sent;
    return {};
}

Result<CopyEntry> ResyncSource::describe(FileId id, std::string name) {
    auto fd = tree_.open_by_id(id, O_PATH);
    if (!fd) return tl::unexpected(fd.error());
    auto attributes = status(fd->get());
    if (!attributes) return tl::unexpected(attributes.error());
    CopyEntry entry{std::move(name), id, attributes->st_mode, attributes->st_rdev, {}};
    if (S_ISLNK(attributes->st_mode)) {
        auto target = read_target(fd->get());
        if (!target) return tl::unexpected(target.error());
        entry.target = std::move(*target);
    }
    return entry;
}

Result<CopyRecord> ResyncSource::to_record(const resync::Attach& attach) {
    auto entry = describe(attach.id, attach.name);
    if (!entry) return tl::unexpected(entry.error());
    FileId parent = attach.parent;
    if (attach.name.empty()) {
        // The target may not know the directory it came from, but it knows the root.
        auto root = tree_.root_of(attach.id);
        if (!root) return tl::unexpected(root.error());
        parent = Tree::root_id(*root);
    }
    return CopyRecord{CopyAttach{parent, std::move(*entry)}, {}};
}

std::vector<FrameBuilder> ResyncSource::translate(Operation operation) {
    std::vector<FrameBuilder> frames;
    if (auto* create = std::get_if<Create>(&operation.body); create && create->name.empty()) {
        if (auto root = tree_.root_of(create->parent)) create->parent = Tree::root_id(*root);
    }
    std::unique_lock lock(mutex_);
    if (completed_) {
        lock.unlock();
        frames.push_back(frame_of(operation));
        return frames;
    }
    auto actions = filter_.pass(std::move(operation));
    for (const auto& action : actions) {
        const auto* attach = std::get_if<resync::Attach>(&action.what);
        if (attach != nullptr && attach->discovered) queue(attach->id, attach->parent);
    }
    lock.unlock();
    for (auto& action : actions) {
        if (const auto* sent = std::get_if<Operation>(&action.what)) {
            frames.push_back(frame_of(*sent));
        } else if (const auto* gone = std::get_if<resync::Detach>(&action.what)) {
            CopyDetach detach{gone->parent, gone->name, gone->id, gone->kept};
            frames.push_back(frame_of(CopyRecord{detach, std::move(action.stamps)}));
        } else {
            auto record = to_record(std::get<resync::Attach>(action.what));
            if (!record) {
                sink_.failed(record.error());
                return {};
            }
            record->stamps = std::move(action.stamps);
            frames.push_back(frame_of(*record));
        }
    }
    return frames;
}

}  // namespace ha::replicatord
