#include "replicatord/apply.h"

#include <fcntl.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>

#include "replicatord/file_handle.h"
#include "replicatord/inode_calls.h"

namespace ha::replicatord {

using replication::SetAttributes;

Result<> Apply::apply(const replication::Operation& operation) {
    if (auto done = std::visit(*this, operation.body); !done) return done;
    return stamp(operation.stamps);
}

Result<> Apply::stamp(const std::vector<replication::TimeStamp>& stamps) {
    for (const auto& stamp : stamps) {
        auto fd = tree_.cached(stamp.id, O_PATH);
        if (!fd) return tl::unexpected(fd.error());
        if (auto set = set_times((*fd)->get(), nullptr, &stamp.mtime); !set) return set;
    }
    return {};
}

Result<> Apply::sync(Tree& tree, FileId id, bool data_only) {
    auto fd = tree.cached(id, O_RDONLY);
    // A fifo, socket, device or symbolic link has no descriptor that could be synced.
    if (!fd && fd.error().code == EOPNOTSUPP) return tree.sync_all();
    // It was removed by a later operation: nobody can ask for its content any more.
    if (!fd && fd.error().code == ESTALE) return {};
    if (!fd) return tl::unexpected(fd.error());
    int result = data_only ? ::fdatasync((*fd)->get()) : ::fsync((*fd)->get());
    if (result != 0) return call_failed("make a file durable", errno);
    return {};
}

Result<int> Apply::directory(FileId id, std::shared_ptr<const Fd>& holder) {
    auto fd = tree_.cached(id, O_RDONLY | O_DIRECTORY);
    if (!fd) return tl::unexpected(fd.error());
    holder = *fd;
    return holder->get();
}

Result<> Apply::operator()(const replication::Write& write) {
    auto fd = tree_.cached(write.id, O_RDWR);
    if (!fd) return tl::unexpected(fd.error());
    return write_all((*fd)->get(), write.data, write.offset);
}

Result<> Apply::operator()(const replication::SetAttributes& set) {
    using Set = SetAttributes;
    if (set.mask & Set::kSize) {
        auto fd = tree_.cached(set.id, O_RDWR);
        if (!fd) return tl::unexpected(fd.error());
        if (::ftruncate((*fd)->get(), static_cast<off_t>(set.size)) != 0) {
            return call_failed("set the size", errno);
        }
    }
    auto fd = tree_.cached(set.id, O_PATH);
    if (!fd) return tl::unexpected(fd.error());
    if (set.mask & Set::kOwner) {
        if (auto done = set_owner((*fd)->get(), set.uid, set.gid); !done) return done;
    }
    if (set.mask & Set::kMode) {
        if (auto done = set_mode((*fd)->get(), set.mode); !done) return done;
    }
    if ((set.mask & (Set::kAtime | Set::kMtime)) == 0) return {};
    return set_times((*fd)->get(), set.mask & Set::kAtime ? &set.atime : nullptr,
                     set.mask & Set::kMtime ? &set.mtime : nullptr);
}

Result<> Apply::operator()(const replication::SetXattr& set) {
    auto fd = tree_.cached(set.id, O_PATH);
    if (!fd) return tl::unexpected(fd.error());
    return set_xattr((*fd)->get(), set.xattr);
}

Result<> Apply::operator()(const replication::RemoveXattr& remove) {
    auto fd = tree_.cached(remove.id, O_PATH);
    if (!fd) return tl::unexpected(fd.error());
    return remove_xattr((*fd)->get(), remove.name);
}

Result<> Apply::operator()(const replication::Allocate& allocate) {
    auto fd = tree_.cached(allocate.id, O_RDWR);
    if (!fd) return tl::unexpected(fd.error());
    if (::fallocate((*fd)->get(), static_cast<int>(allocate.mode),
                    static_cast<off_t>(allocate.offset),
                    static_cast<off_t>(allocate.length)) != 0) {
        return call_failed("allocate", errno);
    }
    return {};
}

// sync() does it, and an inode that is gone (a removed directory that somebody still had open) has
// nothing that could be lost.
Result<> Apply::operator()(const replication::Fsync&) {
    return {};
}

Result<> Apply::operator()(const replication::Release& release) {
    if (!tree_.known(release.id)) return call_failed("release an orphan", ESTALE);
    return orphans_.release(release.id);
}

}  // namespace ha::replicatord
