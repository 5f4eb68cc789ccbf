#include <sys/xattr.h>
#include <unistd.h>

#include <cstring>

#include "replicatord/caller.h"
#include "replicatord/file_handle.h"
#include "replicatord/identity.h"
#include "replicatord/operations_impl.h"

// Making inodes. The caller's user, group and umask are in force during the system call, so that
// ownership, default ACLs and quota come out as on a local file system; what came out is read back
// and recorded, never what was asked for.

namespace ha::replicatord {

/// What to make and what came of it.
struct Operations::NewInode {
    std::uint32_t mode = 0;  // S_IFMT says what
    std::uint64_t device = 0;
    std::uint32_t umask = 0;
    std::string target;    // of a symbolic link
    bool unnamed = false;  // O_TMPFILE: its name is in the orphan directory
    FileId id;
    FileId parent;
    struct stat attributes {};
    Sequence sequence;
};

namespace {

/// All extended attributes of the inode at `path` but ours.
Result<std::vector<replication::Xattr>> xattrs_of(const std::string& path) {
    std::vector<replication::Xattr> out;
    char names[4096];
    const ssize_t size = ::listxattr(path.c_str(), names, sizeof(names));
    if (size < 0 && errno == ENOTSUP) return out;
    if (size < 0) return call_failed("list extended attributes", errno);
    for (const char* name = names; name < names + size; name += std::strlen(name) + 1) {
        if (std::string_view(name).starts_with(kOwnXattrPrefix)) continue;
        replication::Xattr xattr{name, std::vector<std::byte>(replication::kMaxXattrValue)};
        const ssize_t length =
            ::getxattr(path.c_str(), name, xattr.value.data(), xattr.value.size());
        if (length < 0) return call_failed("read an extended attribute", errno);
        xattr.value.resize(static_cast<std::size_t>(length));
        out.push_back(std::move(xattr));
    }
    return out;
}

}  // namespace

int Operations::make_below(const NewInode& what, int parent, const std::string& name) {
    const mode_t mode = what.mode;
    if (S_ISDIR(mode)) return ::mkdirat(parent, name.c_str(), mode & 07777U) == 0 ? 0 : errno;
    if (S_ISLNK(mode))
        return ::symlinkat(what.target.c_str(), parent, name.c_str()) == 0 ? 0 : errno;
    if (!S_ISREG(mode)) return ::mknodat(parent, name.c_str(), mode, what.device) == 0 ? 0 : errno;
    if (what.unnamed) {  // made in its directory, whose default ACL and group it inherits
        Fd fd(::openat(parent, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, mode & 07777U));
        if (!fd) return errno;
        const int orphans = shared_.tree.orphan_fd(root_);
        return ::linkat(fd.get(), "", orphans, name.c_str(), AT_EMPTY_PATH) == 0 ? 0 : errno;
    }
    Fd fd(::openat(parent, name.c_str(), O_CREAT | O_EXCL | O_RDWR | O_NOFOLLOW | O_CLOEXEC,
                   mode & 07777U));
    return fd ? 0 : errno;
}

Operations::Outcome Operations::make(Request& request, std::string name, NewInode& what) {
    const FileId parent = id_of(request);
    if (const int refused = refuse_name(parent, name)) return failed(refused);
    Admission admission(shared_.journal);
    if (admission.error() != 0) return failed(admission.error());
    auto id = shared_.tree.mint();
    if (!id) return failed(id.error());
    what.id = *id;
    what.parent = parent;
    if (what.unnamed) name = Tree::orphan_name(what.id);
    auto directory = shared_.tree.cached(parent, kDirectory);
    if (!directory) return failed(directory.error());
    const int fd = (*directory)->get();
    const int holder = what.unnamed ? shared_.tree.orphan_fd(root_) : fd;

    OrderLocks::Guard guard(shared_.locks, {parent, what.id});
    act_for(request.header().uid, request.header().gid);
    use_umask(what.umask);
    const int error = make_below(what, fd, name);
    use_umask(0);
    // The kernel believed that there is no such name: let it look again.
    if (error == EEXIST && S_ISREG(what.mode)) return failed(ESTALE);
    if (error != 0) return failed(error);
    Outcome outcome = record_new(request, holder, name, what);
    if (outcome.error != 0) {
        ::unlinkat(holder, name.c_str(), S_ISDIR(what.mode) ? AT_REMOVEDIR : 0);
        shared_.tree.drop(what.id);
        return failed_having_touched(parent, fd, outcome.error);
    }
    return outcome;
}

/// The inode is there: gives it its id, reads back what came out, takes the number.
Operations::Outcome Operations::record_new(Request& request, int holder, const std::string& name,
                                           NewInode& what) {
    Fd fd(::openat(holder, name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
    if (!fd) return failed(errno);
    if (auto adopted = shared_.tree.adopt(fd.get(), what.id, what.parent); !adopted)
        return failed(adopted.error());
    auto xattrs = xattrs_of(proc_path(fd.get()));
    if (!xattrs) return failed(xattrs.error());
    if (::fstat(fd.get(), &what.attributes) != 0) return failed(errno);
    const struct stat& now = what.attributes;

    if (!refer(what.id)) return failed(ENFILE);
    if (what.unnamed)
        shared_.inodes->visit(
            what.id, [](fuse::InodeEntry& entry) { entry.flags |= fuse::InodeEntry::kOrphan; });
    prepare_entry(request, what.id, now);

    replication::Create body{};
    body.parent = what.parent;
    if (!what.unnamed) body.name = name;
    body.id = what.id;
    body.mode = now.st_mode;
    body.uid = now.st_uid;
    body.gid = now.st_gid;
    body.device = now.st_rdev;
    body.target = what.target;
    body.xattrs = std::move(*xattrs);
    std::vector<replication::TimeStamp> stamps{{what.id, file_time(now.st_mtim)}};
    if (!what.unnamed) stamps.push_back(stamp_of(what.parent, holder));
    what.sequence = append({std::move(body), std::move(stamps)}, {what.parent, what.id});
    return accepted(what.sequence);
}

Operations::Outcome Operations::symlink(Request& request) {
    std::size_t at = 0;
    auto name = request.text(at);
    auto target = name ? request.text(at) : std::nullopt;
    if (!target) return failed(EINVAL);
    if (target->size() > replication::kMaxTarget) return failed(ENAMETOOLONG);
    NewInode what;
    what.mode = S_IFLNK | 0777;
    what.target = *target;
    return make(request, *name, what);
}

Operations::Outcome Operations::mknod(Request& request) {
    const auto& in = request.argument<fuse_mknod_in>();
    std::size_t at = sizeof(in);
    auto name = request.text(at);
    if (!name) return failed(EINVAL);
    NewInode what;
    what.mode = (in.mode & S_IFMT) != 0 ? in.mode : in.mode | S_IFREG;
    what.device = in.rdev;
    what.umask = in.umask;
    return make(request, *name, what);
}

Operations::Outcome Operations::mkdir(Request& request) {
    const auto& in = request.argument<fuse_mkdir_in>();
    std::size_t at = sizeof(in);
    auto name = request.text(at);
    if (!name) return failed(EINVAL);
    NewInode what;
    what.mode = (in.mode & 07777U) | S_IFDIR;
    what.umask = in.umask;
    return make(request, *name, what);
}

Operations::Outcome Operations::create(Request& request) {
    const auto& in = request.argument<fuse_create_in>();
    std::size_t at = sizeof(in);
    auto name = request.text(at);
    if (!name) return failed(EINVAL);
    NewInode what;
    what.mode = (in.mode & 07777U) | S_IFREG;
    what.umask = in.umask;
    Outcome outcome = make(request, *name, what);
    if (outcome.error != 0) return outcome;
    // Full tables: the file is there, on both nodes, and open(2) says why it is not open.
    const int error = prepare_open(request, what.id, in.flags, sizeof(fuse_entry_out));
    return error == 0 ? outcome : failed(error);
}

Operations::Outcome Operations::tmpfile(Request& request) {
    const auto& in = request.argument<fuse_create_in>();
    NewInode what;
    what.mode = (in.mode & 07777U) | S_IFREG;
    what.umask = in.umask;
    what.unnamed = true;
    Outcome outcome = make(request, {}, what);
    if (outcome.error != 0) return outcome;
    const int error = prepare_open(request, what.id, in.flags, sizeof(fuse_entry_out));
    return error == 0 ? outcome : failed(error);
}

}  // namespace ha::replicatord
