#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "replicatord/apply.h"
#include "replicatord/file_handle.h"
#include "replicatord/inode_calls.h"

// Operations on names. Every name that goes is looked at first: it must be the inode the primary
// took away.

namespace ha::replicatord {
namespace {

Result<> make_inode(int parent, const char* name, const replication::Create& create) {
    const mode_t mode = create.mode & 07777;
    int result = 0;
    if (S_ISREG(create.mode)) {
        Fd fd(::openat(parent, name, O_CREAT | O_EXCL | O_RDWR | O_NOFOLLOW | O_CLOEXEC, mode));
        result = fd ? 0 : -1;
    } else if (S_ISDIR(create.mode)) {
        result = ::mkdirat(parent, name, mode);
    } else if (S_ISLNK(create.mode)) {
        result = ::symlinkat(create.target.c_str(), parent, name);
    } else {
        result = ::mknodat(parent, name, create.mode, create.device);
    }
    if (result != 0) return call_failed("create an entry", errno);
    return {};
}

bool last_name(const struct stat& attributes) {
    return S_ISDIR(attributes.st_mode) || attributes.st_nlink <= 1;
}

}  // namespace

Result<struct stat> Apply::expect(FileId parent, const std::string& name, FileId id) {
    struct stat attributes {};
    auto found = tree_.lookup(parent, name, &attributes, Tree::Unknown::kTransient);
    if (!found) return tl::unexpected(found.error());
    if (*found != id) return fail("\"" + name + "\" is another file here", EUCLEAN);
    return attributes;
}

Result<Fd> Apply::make(FileId parent, const replication::Create& create) {
    std::shared_ptr<const Fd> holder;
    std::string name = create.name;
    Result<int> where = name.empty() ? tree_.orphan_directory(parent) : directory(parent, holder);
    if (!where) return tl::unexpected(where.error());
    if (name.empty()) name = Tree::orphan_name(create.id);
    if (auto made = make_inode(*where, name.c_str(), create); !made) {
        return tl::unexpected(made.error());
    }
    auto fd = open_entry_path(*where, name);
    if (!fd) return fd;
    if (auto adopted = tree_.adopt(fd->get(), create.id, parent); !adopted) {
        return tl::unexpected(adopted.error());
    }
    return fd;
}

Result<> Apply::operator()(const replication::Create& create) {
    if (tree_.known(create.id)) return fail("the file to be created exists here", EEXIST);
    auto fd = make(create.parent, create);
    if (!fd) return tl::unexpected(fd.error());
    if (auto set = set_owner(fd->get(), create.uid, create.gid); !set) return set;
    if (auto set = set_exact_xattrs(fd->get(), create.xattrs); !set) return set;
    return set_mode(fd->get(), create.mode);
}

Result<> Apply::operator()(const replication::Link& link) {
    auto fd = tree_.cached(link.id, O_PATH);
    if (!fd) return tl::unexpected(fd.error());
    auto attributes = status((*fd)->get());
    if (!attributes) return tl::unexpected(attributes.error());
    auto orphan = orphans_.holds(link.id, *attributes);
    if (!orphan) return tl::unexpected(orphan.error());
    if (*orphan) return orphans_.take_out(link.id, link.parent, link.name);
    std::shared_ptr<const Fd> holder;
    auto parent = directory(link.parent, holder);
    if (!parent) return tl::unexpected(parent.error());
    if (::linkat((*fd)->get(), "", *parent, link.name.c_str(), AT_EMPTY_PATH) != 0) {
        return call_failed("link", errno);
    }
    return {};
}

Result<> Apply::operator()(const replication::Unlink& unlink) {
    auto attributes = expect(unlink.parent, unlink.name, unlink.id);
    if (!attributes) return tl::unexpected(attributes.error());
    if (unlink.kept) return orphans_.keep(unlink.parent, unlink.name, unlink.id);
    std::shared_ptr<const Fd> holder;
    auto parent = directory(unlink.parent, holder);
    if (!parent) return tl::unexpected(parent.error());
    int flags = S_ISDIR(attributes->st_mode) ? AT_REMOVEDIR : 0;
    if (::unlinkat(*parent, unlink.name.c_str(), flags) != 0) {
        return call_failed("remove a name", errno);
    }
    // Not before: a reader of our mount would look the name up and make the inode known again.
    if (last_name(*attributes)) tree_.drop(unlink.id);
    return {};
}

/// What is at the new name goes by the rename itself, which so stays the one atomic step that it
/// was on the primary: a crash or a reader finds the old file or the new one, never none. If the
/// old one is kept it has a second name in the orphan directory before.
Result<> Apply::make_room(const replication::Rename& rename, bool& replaced_goes) {
    if (rename.replaced.value == 0) return {};
    auto attributes = expect(rename.new_parent, rename.new_name, rename.replaced);
    if (!attributes) return tl::unexpected(attributes.error());
    if (rename.flags & RENAME_EXCHANGE) return {};
    if (rename.kept) return orphans_.link(rename.new_parent, rename.new_name, rename.replaced);
    replaced_goes = last_name(*attributes) && rename.replaced != rename.id;
    return {};
}

Result<> Apply::operator()(const replication::Rename& rename) {
    auto moved = expect(rename.old_parent, rename.old_name, rename.id);
    if (!moved) return tl::unexpected(moved.error());
    bool replaced_goes = false;
    if (auto room = make_room(rename, replaced_goes); !room) return room;
    std::shared_ptr<const Fd> old_holder;
    std::shared_ptr<const Fd> new_holder;
    auto from = directory(rename.old_parent, old_holder);
    if (!from) return tl::unexpected(from.error());
    auto to = directory(rename.new_parent, new_holder);
    if (!to) return tl::unexpected(to.error());
    unsigned flags = rename.flags;
    // If nothing was there on the primary, nothing may be there now.
    bool exchange = (flags & RENAME_EXCHANGE) != 0;
    if (!exchange && rename.replaced.value == 0) flags |= RENAME_NOREPLACE;
    if (::renameat2(*from, rename.old_name.c_str(), *to, rename.new_name.c_str(), flags) != 0) {
        return call_failed("rename", errno);
    }
    if (replaced_goes) tree_.drop(rename.replaced);
    return rename.whiteout.value == 0 ? Result<>{} : adopt_whiteout(rename);
}

Result<> Apply::adopt_whiteout(const replication::Rename& rename) {
    std::shared_ptr<const Fd> holder;
    auto parent = directory(rename.old_parent, holder);
    if (!parent) return tl::unexpected(parent.error());
    auto fd = open_entry_path(*parent, rename.old_name);
    if (!fd) return tl::unexpected(fd.error());
    return tree_.adopt(fd->get(), rename.whiteout, rename.old_parent);
}

}  // namespace ha::replicatord
