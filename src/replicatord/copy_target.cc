#include "replicatord/copy_target.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <unordered_map>

#include "replicatord/block_hash.h"
#include "replicatord/file_handle.h"
#include "replicatord/inode_calls.h"

namespace ha::replicatord {

using namespace replication;

Result<> CopyTarget::apply(const CopyRecord& record, const Answered& answered) {
    Result<> done;
    if (std::holds_alternative<CopyBegin>(record.body)) {
        done = begin();
    } else if (const auto* list = std::get_if<CopyList>(&record.body)) {
        auto& entries = listing_[list->directory];
        entries.insert(entries.end(), list->entries.begin(), list->entries.end());
    } else if (const auto* end = std::get_if<CopyListed>(&record.body)) {
        done = listed(*end);
    } else if (const auto* added = std::get_if<CopyAttach>(&record.body)) {
        done = attach(*added);
    } else if (const auto* removed = std::get_if<CopyDetach>(&record.body)) {
        done = detach(*removed);
    } else if (const auto* request = std::get_if<CopyHashes>(&record.body)) {
        auto answer = hashes(*request);
        if (!answer) return tl::unexpected(answer.error());
        answered(std::move(*answer));
    } else if (const auto* final = std::get_if<CopyFinal>(&record.body)) {
        done = finish(final->id, final->attributes);
    } else if (std::holds_alternative<CopyEnd>(record.body)) {
        in_pass_ = false;
        done = orphans_.end_pass();
    }
    if (!done) return done;
    return apply_.stamp(record.stamps);
}

Result<> CopyTarget::begin() {
    listing_.clear();
    in_pass_ = true;
    tree_.drop_transient();
    if (auto indexed = tree_.index_all(); !indexed) return indexed;
    return orphans_.begin_pass();
}

// First everything that is not as it should be goes out of the way, then what is missing comes in;
// the other order would meet its own leftovers.
Result<> CopyTarget::listed(const CopyListed& listed) {
    auto entries = std::move(listing_[listed.directory]);
    listing_.erase(listed.directory);
    std::unordered_map<std::string, const CopyEntry*> wanted;
    for (const auto& entry : entries) wanted[entry.name] = &entry;
    std::shared_ptr<const Fd> holder;
    auto directory = apply_.directory(listed.directory, holder);
    if (!directory) return tl::unexpected(directory.error());
    auto names = entry_names(*directory);
    if (!names) return tl::unexpected(names.error());
    for (const auto& name : *names) {
        if (tree_.hidden(listed.directory, name)) continue;
        auto found = wanted.find(name);
        const CopyEntry* entry = found == wanted.end() ? nullptr : found->second;
        if (auto done = settle_entry(listed.directory, name, entry); !done) return done;
    }
    for (const auto& entry : entries) {
        auto there = entry_status(*directory, entry.name);
        if (there) continue;
        if (there.error().code != ENOENT) return tl::unexpected(there.error());
        if (auto placed = place(listed.directory, entry); !placed) return placed;
    }
    return finish(listed.directory, listed.attributes);
}

/// An entry the target has. It stays if it is the inode that is wanted, or can become it.
Result<> CopyTarget::settle_entry(FileId directory, const std::string& name,
                                  const CopyEntry* wanted) {
    struct stat attributes {};
    auto id = tree_.lookup(directory, name, &attributes, Tree::Unknown::kTransient);
    if (!id) return tl::unexpected(id.error());
    if (wanted != nullptr && *id == wanted->id) return {};
    FileId identity = Tree::transient(*id) ? FileId{} : *id;
    bool wanted_elsewhere = wanted != nullptr && tree_.known(wanted->id);
    if (wanted != nullptr && identity.value == 0 && !wanted_elsewhere) {
        std::shared_ptr<const Fd> holder;
        auto parent = apply_.directory(directory, holder);
        if (!parent) return tl::unexpected(parent.error());
        auto fd = open_entry_path(*parent, name);
        if (!fd) return tl::unexpected(fd.error());
        auto fits = adoptable(fd->get(), *wanted);
        if (!fits) return tl::unexpected(fits.error());
        if (*fits) return tree_.adopt(fd->get(), wanted->id, directory);
    }
    return orphans_.displace(directory, name, identity);
}

/// Can this inode, which has no identity, be made into the wanted one by changing content and
/// attributes only?
Result<bool> CopyTarget::adoptable(int fd, const CopyEntry& wanted) {
    auto attributes = status(fd);
    if (!attributes) return tl::unexpected(attributes.error());
    if ((attributes->st_mode & S_IFMT) != (wanted.mode & S_IFMT)) return false;
    if (S_ISLNK(wanted.mode)) {
        auto target = read_target(fd);
        if (!target) return tl::unexpected(target.error());
        return *target == wanted.target;
    }
    bool device = S_ISBLK(wanted.mode) || S_ISCHR(wanted.mode);
    return !device || attributes->st_rdev == wanted.device;
}

Result<> CopyTarget::place(FileId parent, const CopyEntry& entry) {
    if (tree_.known(entry.id)) {
        auto fd = tree_.open_by_id(entry.id, O_PATH);
        if (fd) return place_known(parent, entry, *fd);
        if (fd.error().code != ESTALE) return tl::unexpected(fd.error());
        tree_.drop(entry.id);
    }
    Create create;
    create.parent = parent;
    create.name = entry.name;
    create.id = entry.id;
    create.mode = (entry.mode & S_IFMT) | 0600;
    create.device = entry.device;
    create.target = entry.target;
    auto made = apply_.make(parent, create);
    if (!made) return tl::unexpected(made.error());
    return {};
}

/// The inode is here, under other names, in the orphan directory or in this very place.
Result<> CopyTarget::place_known(FileId parent, const CopyEntry& entry, const Fd& fd) {
    auto attributes = status(fd.get());
    if (!attributes) return tl::unexpected(attributes.error());
    if ((attributes->st_mode & S_IFMT) != (entry.mode & S_IFMT)) {
        return fail("\"" + entry.name + "\" has another type here", EUCLEAN);
    }
    const bool orphan = entry.name.empty();
    std::shared_ptr<const Fd> holder;
    Result<int> where = orphan ? tree_.orphan_directory(parent) : apply_.directory(parent, holder);
    if (!where) return tl::unexpected(where.error());
    const std::string name = orphan ? Tree::orphan_name(entry.id) : entry.name;
    if (orphan) orphans_.confirm(entry.id);
    if (auto there = entry_status(*where, name); there && same_inode(*there, *attributes)) {
        return {};
    }
    if (S_ISDIR(attributes->st_mode)) return move_directory(fd.get(), *where, name);
    if (!orphan) {
        auto held = orphans_.holds(entry.id, *attributes);
        if (!held) return tl::unexpected(held.error());
        if (*held) return orphans_.take_out(entry.id, parent, name);
    }
    if (::linkat(fd.get(), "", *where, name.c_str(), AT_EMPTY_PATH) != 0) {
        return call_failed("link", errno);
    }
    return {};
}

/// A directory cannot be linked by its descriptor: its one name is found and renamed.
Result<> CopyTarget::move_directory(int fd, int parent, const std::string& name) {
    auto self = status(fd);
    if (!self) return tl::unexpected(self.error());
    Fd above(::openat(fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!above) return call_failed("find a directory's parent", errno);
    auto names = entry_names(above.get());
    if (!names) return tl::unexpected(names.error());
    for (const auto& candidate : *names) {
        auto entry = entry_status(above.get(), candidate);
        if (!entry || !same_inode(*entry, *self)) continue;
        if (::renameat2(above.get(), candidate.c_str(), parent, name.c_str(), RENAME_NOREPLACE)) {
            return call_failed("move a directory", errno);
        }
        return {};
    }
    return call_failed("find a directory's name", ENOENT);
}

Result<> CopyTarget::attach(const CopyAttach& attach) {
    return place(attach.parent, attach.entry);
}

Result<> CopyTarget::detach(const CopyDetach& detach) {
    if (detach.name.empty()) {
        orphans_.doubt(detach.id);
        return {};
    }
    auto attributes = apply_.expect(detach.parent, detach.name, detach.id);
    if (!attributes) return tl::unexpected(attributes.error());
    if (detach.kept) return orphans_.keep(detach.parent, detach.name, detach.id);
    if (S_ISDIR(attributes->st_mode) || attributes->st_nlink <= 1) {
        auto moved = orphans_.displace(detach.parent, detach.name, detach.id);
        // It was on its way when the pass ended: nothing can ask for it any more.
        if (moved && !in_pass_) return orphans_.free_doubtful();
        return moved;
    }
    std::shared_ptr<const Fd> holder;
    auto parent = apply_.directory(detach.parent, holder);
    if (!parent) return tl::unexpected(parent.error());
    if (::unlinkat(*parent, detach.name.c_str(), 0) != 0)
        return call_failed("remove a name", errno);
    return {};
}

Result<HashAnswer> CopyTarget::hashes(const CopyHashes& request) {
    auto fd = tree_.cached(request.id, O_RDWR);
    if (!fd) return tl::unexpected(fd.error());
    auto attributes = status((*fd)->get());
    if (!attributes) return tl::unexpected(attributes.error());
    HashAnswer answer{request.id, request.offset, request.token, 0, {}};
    answer.size = static_cast<std::uint64_t>(attributes->st_size);
    // What could not be written back is clean for the kernel, and what it reads then is not on the
    // disk: the copy would be in sync until the power goes.
    ::posix_fadvise((*fd)->get(), static_cast<off_t>(request.offset), static_cast<off_t>(kHashZone),
                    POSIX_FADV_DONTNEED);
    const std::uint64_t end = std::min(answer.size, request.offset + kHashZone);
    for (std::uint64_t at = request.offset; at < end; at += kHashBlock) {
        auto block = read_block((*fd)->get(), at, std::min(at + kHashBlock, end));
        if (!block) return tl::unexpected(block.error());
        answer.blocks.push_back(block->hash);
    }
    return answer;
}

// Truncation and chown clear capabilities and set-uid bits, so attributes follow them; an ACL
// changes the mode, so the mode follows it; times are last.
Result<> CopyTarget::finish(FileId id, const Attributes& attributes) {
    if (S_ISREG(attributes.mode)) {
        auto fd = tree_.cached(id, O_RDWR);
        if (!fd) return tl::unexpected(fd.error());
        if (::ftruncate((*fd)->get(), static_cast<off_t>(attributes.size)) != 0) {
            return call_failed("set the size", errno);
        }
    }
    auto fd = tree_.cached(id, O_PATH);
    if (!fd) return tl::unexpected(fd.error());
    const int inode = (*fd)->get();
    if (auto done = set_owner(inode, attributes.uid, attributes.gid); !done) return done;
    if (auto done = set_exact_xattrs(inode, attributes.xattrs); !done) return done;
    if (auto done = set_mode(inode, attributes.mode); !done) return done;
    return set_times(inode, &attributes.atime, &attributes.mtime);
}

}  // namespace ha::replicatord
