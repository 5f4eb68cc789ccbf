#include <linux/fs.h>
#include <stdio.h>
#include <unistd.h>

#include "replicatord/operations_impl.h"

// Operations on names. The kernel holds the lock of each directory whose names change, so what a
// name means cannot change between our looking and our doing.
//
// An inode that loses its last name while it is open moves to the orphan directory, on both nodes,
// until its last close: it must be found again by its handle after a restart, and by its id on the
// peer.

namespace ha::replicatord {
namespace {

/// An entry of a directory as it is found before it is taken away.
struct Victim {
    FileId id;  // value 0: there is none
    struct stat attributes {};

    [[nodiscard]] bool last_name() const {
        return S_ISDIR(attributes.st_mode) || attributes.st_nlink == 1;
    }
};

Result<Victim> look(Tree& tree, FileId parent, const std::string& name) {
    Victim victim;
    auto id = tree.lookup(parent, name, &victim.attributes);
    if (!id) return tl::unexpected(id.error());
    victim.id = *id;
    return victim;
}

bool is_open(fuse::InodeTable& inodes, FileId id) {
    bool open = false;
    inodes.visit(id, [&](const fuse::InodeEntry& entry) { open = entry.opens > 0; });
    return open;
}

void set_orphan(fuse::InodeTable& inodes, FileId id, bool orphan) {
    inodes.visit(id, [&](fuse::InodeEntry& entry) {
        entry.flags &= ~fuse::InodeEntry::kOrphan;
        if (orphan) entry.flags |= fuse::InodeEntry::kOrphan;
    });
}

}  // namespace

struct Operations::Move {
    FileId old_parent;
    std::string old_name;
    FileId new_parent;
    std::string new_name;
    std::uint32_t flags = 0;
};

Operations::Outcome Operations::unlink(Request& request) {
    return remove(request, false);
}
Operations::Outcome Operations::rmdir(Request& request) {
    return remove(request, true);
}

Operations::Outcome Operations::remove(Request& request, bool directory) {
    std::size_t at = 0;
    auto name = request.text(at);
    if (!name) return failed(EINVAL);
    const FileId parent = id_of(request);
    if (const int refused = refuse_name(parent, *name)) return failed(refused);
    Admission admission(shared_.journal);
    if (admission.error() != 0) return failed(admission.error());
    auto found = look(shared_.tree, parent, *name);
    if (!found) return failed(found.error());
    const FileId id = found->id;
    if (Tree::transient(id)) return failed(EPERM);
    auto holder = shared_.tree.cached(parent, kDirectory);
    if (!holder) return failed(holder.error());
    const int fd = (*holder)->get();

    OrderLocks::Guard guard(shared_.locks, {parent, id});
    // Under the lock, since another directory may give it a link or take one away.
    if (::fstatat(fd, name->c_str(), &found->attributes, AT_SYMLINK_NOFOLLOW) != 0)
        return failed(errno);
    const bool kept = !directory && found->last_name() && is_open(*shared_.inodes, id);
    if (kept) {
        const std::string orphan = Tree::orphan_name(id);
        if (::renameat2(fd, name->c_str(), shared_.tree.orphan_fd(root_), orphan.c_str(),
                        RENAME_NOREPLACE) != 0)
            return failed(errno);
        set_orphan(*shared_.inodes, id, true);
    } else if (::unlinkat(fd, name->c_str(), directory ? AT_REMOVEDIR : 0) != 0) {
        return failed(errno);
    }
    Sequence sequence = append(
        {replication::Unlink{parent, *name, id, kept}, {stamp_of(parent, fd)}}, {parent, id});
    if (found->last_name() && !kept) gone(id, found->attributes);
    return accepted(sequence);
}

Operations::Outcome Operations::rename(Request& request) {
    const auto& in = request.argument<fuse_rename_in>();
    std::size_t at = sizeof(in);
    auto old_name = request.text(at);
    auto new_name = old_name ? request.text(at) : std::nullopt;
    if (!new_name) return failed(EINVAL);
    return move(request, {id_of(request), *old_name, id_of(in.newdir), *new_name, 0});
}

Operations::Outcome Operations::rename2(Request& request) {
    const auto& in = request.argument<fuse_rename2_in>();
    std::size_t at = sizeof(in);
    auto old_name = request.text(at);
    auto new_name = old_name ? request.text(at) : std::nullopt;
    if (!new_name) return failed(EINVAL);
    constexpr std::uint32_t kKnown = RENAME_NOREPLACE | RENAME_EXCHANGE | RENAME_WHITEOUT;
    if ((in.flags & ~kKnown) != 0) return failed(EINVAL);
    return move(request, {id_of(request), *old_name, id_of(in.newdir), *new_name, in.flags});
}

Operations::Outcome Operations::move(Request&, const Move& move) {
    if (const int refused = refuse_name(move.old_parent, move.old_name)) return failed(refused);
    if (const int refused = refuse_name(move.new_parent, move.new_name)) return failed(refused);
    Admission admission(shared_.journal);
    if (admission.error() != 0) return failed(admission.error());
    auto moved = look(shared_.tree, move.old_parent, move.old_name);
    if (!moved) return failed(moved.error());
    auto replaced = look(shared_.tree, move.new_parent, move.new_name);
    if (!replaced && replaced.error().code == ENOENT) replaced = Victim{};
    if (!replaced) return failed(replaced.error());
    if (Tree::transient(moved->id) || Tree::transient(replaced->id)) return failed(EPERM);
    auto old_holder = shared_.tree.cached(move.old_parent, kDirectory);
    if (!old_holder) return failed(old_holder.error());
    auto new_holder = shared_.tree.cached(move.new_parent, kDirectory);
    if (!new_holder) return failed(new_holder.error());
    const int old_fd = (*old_holder)->get();
    const int new_fd = (*new_holder)->get();

    OrderLocks::Guard guard(shared_.locks,
                            {move.old_parent, move.new_parent, moved->id, replaced->id});
    Victim& victim = *replaced;
    const bool replaces = victim.id.value != 0 && (move.flags & RENAME_EXCHANGE) == 0;
    if (replaces &&
        ::fstatat(new_fd, move.new_name.c_str(), &victim.attributes, AT_SYMLINK_NOFOLLOW) != 0)
        return failed(errno);
    const bool last = replaces && victim.last_name() && victim.id != moved->id;
    const bool kept =
        last && !S_ISDIR(victim.attributes.st_mode) && is_open(*shared_.inodes, victim.id);
    // A second name first: the rename itself then stays the one atomic step that others see.
    const int orphans = shared_.tree.orphan_fd(root_);
    const std::string orphan = Tree::orphan_name(victim.id);
    if (kept && ::linkat(new_fd, move.new_name.c_str(), orphans, orphan.c_str(), 0) != 0)
        return failed(errno);
    if (::renameat2(old_fd, move.old_name.c_str(), new_fd, move.new_name.c_str(), move.flags) !=
        0) {
        const int error = errno;
        if (kept) ::unlinkat(orphans, orphan.c_str(), 0);
        return failed(error);
    }
    if (kept) set_orphan(*shared_.inodes, victim.id, true);
    Outcome outcome = record_move(move, moved->id, victim.id, kept, old_fd, new_fd);
    if (last && !kept) gone(victim.id, victim.attributes);
    return outcome;
}

Operations::Outcome Operations::record_move(const Move& move, FileId id, FileId replaced, bool kept,
                                            int old_fd, int new_fd) {
    replication::Rename body{move.old_parent,
                             move.old_name,
                             move.new_parent,
                             move.new_name,
                             id,
                             replaced,
                             kept,
                             move.flags,
                             {}};
    std::vector<replication::TimeStamp> stamps;
    if ((move.flags & RENAME_WHITEOUT) != 0) {
        auto whiteout = look(shared_.tree, move.old_parent, move.old_name);
        // Without an id it cannot be mirrored; the mirror must not go on as if nothing were.
        if (!whiteout || Tree::transient(whiteout->id)) {
            ::renameat2(new_fd, move.new_name.c_str(), old_fd, move.old_name.c_str(), 0);
            failed_having_touched(move.new_parent, new_fd, EIO);
            return failed_having_touched(move.old_parent, old_fd,
                                         whiteout ? EIO : whiteout.error().code);
        }
        body.whiteout = whiteout->id;
        stamps.push_back({whiteout->id, file_time(whiteout->attributes.st_mtim)});
    }
    stamps.push_back(stamp_of(move.old_parent, old_fd));
    if (move.new_parent != move.old_parent) stamps.push_back(stamp_of(move.new_parent, new_fd));
    return accepted(append({std::move(body), std::move(stamps)},
                           {move.old_parent, move.new_parent, id, replaced}));
}

Operations::Outcome Operations::link(Request& request) {
    const auto& in = request.argument<fuse_link_in>();
    std::size_t at = sizeof(in);
    auto name = request.text(at);
    if (!name) return failed(EINVAL);
    const FileId parent = id_of(request);
    const FileId id = id_of(in.oldnodeid);
    if (const int refused = refuse_name(parent, *name)) return failed(refused);
    if (Tree::transient(id)) return failed(EPERM);
    Admission admission(shared_.journal);
    if (admission.error() != 0) return failed(admission.error());
    auto holder = shared_.tree.cached(parent, kDirectory);
    if (!holder) return failed(holder.error());
    auto file = shared_.tree.cached(id, O_PATH);
    if (!file) return failed(file.error());
    const int fd = (*holder)->get();

    OrderLocks::Guard guard(shared_.locks, {parent, id});
    bool orphan = false;
    shared_.inodes->visit(id, [&](const fuse::InodeEntry& entry) {
        orphan = (entry.flags & fuse::InodeEntry::kOrphan) != 0;
    });
    const int result =
        orphan ? ::renameat2(shared_.tree.orphan_fd(root_), Tree::orphan_name(id).c_str(), fd,
                             name->c_str(), RENAME_NOREPLACE)
               : ::linkat((*file)->get(), "", fd, name->c_str(), AT_EMPTY_PATH);
    if (result != 0) return failed(errno);
    set_orphan(*shared_.inodes, id, false);
    struct stat attributes {};
    static_cast<void>(::fstat((*file)->get(), &attributes));
    const bool referred = refer(id);
    if (referred) prepare_entry(request, id, attributes);
    Sequence sequence =
        append({replication::Link{id, parent, *name}, {stamp_of(parent, fd)}}, {parent, id});
    return referred ? accepted(sequence) : failed(ENFILE);
}

}  // namespace ha::replicatord
