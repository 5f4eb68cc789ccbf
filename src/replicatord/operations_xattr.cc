#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "replicatord/identity.h"
#include "replicatord/operations_impl.h"

// Extended attributes, POSIX ACLs among them (system.posix_acl_*). Ours are neither seen nor
// touched. Whether the caller may is the kernel's affair.

namespace ha::replicatord {
namespace {

bool own(const std::string& name) {
    return name.starts_with(kOwnXattrPrefix);
}

constexpr std::size_t kMaxList = 65536;  // XATTR_LIST_MAX

/// The names in a list of listxattr(2) that are not ours.
std::string without_own(const char* list, std::size_t size) {
    std::string out;
    for (const char* name = list; name < list + size; name += std::strlen(name) + 1)
        if (!own(name)) out.append(name, std::strlen(name) + 1);
    return out;
}

/// The names of an inode at `path`, without ours. 0, or errno.
int names_of(const std::string& path, std::string& names) {
    std::vector<char> raw(kMaxList);
    const ssize_t size = ::listxattr(path.c_str(), raw.data(), raw.size());
    if (size < 0) return errno;
    names = without_own(raw.data(), static_cast<std::size_t>(size));
    return 0;
}

/// 0, or why this name may not come to an inode: a resync carries a bounded number of them.
int refuse_surplus(const std::string& path, const std::string& name) {
    if (::getxattr(path.c_str(), name.c_str(), nullptr, 0) >= 0) return 0;
    std::string names;
    if (const int error = names_of(path, names)) return error;
    const auto count = static_cast<std::size_t>(std::count(names.begin(), names.end(), '\0'));
    return count < replication::kMaxXattrs ? 0 : ENOSPC;
}

/// Without names that only administrators may list (xattr(7)).
std::string listed_for(std::uint32_t uid, const std::string& names) {
    if (uid == 0) return names;
    std::string out;
    for (std::size_t at = 0; at < names.size();) {
        const std::string name(names.c_str() + at);
        if (!name.starts_with("trusted.")) out.append(names, at, name.size() + 1);
        at += name.size() + 1;
    }
    return out;
}

}  // namespace

Operations::Outcome Operations::setxattr(Request& request) {
    const auto& in = request.argument<fuse_setxattr_in>();
    std::size_t at = sizeof(in);
    auto name = request.text(at);
    if (!name) return failed(EINVAL);
    auto value = request.rest(at);
    if (value.size() < in.size || in.size > replication::kMaxXattrValue) return failed(E2BIG);
    value = value.first(in.size);
    const FileId id = id_of(request);
    if (own(*name) || Tree::transient(id)) return failed(EPERM);
    Admission admission(shared_.journal);
    if (admission.error() != 0) return failed(admission.error());
    auto holder = shared_.tree.cached(id, O_PATH);
    if (!holder) return failed(is_ghost(id) ? EOPNOTSUPP : holder.error().code);
    const std::string path = proc_path((*holder)->get());

    OrderLocks::Guard guard(shared_.locks, {id});
    if (const int refused = refuse_surplus(path, *name)) return failed(refused);
    if (::setxattr(path.c_str(), name->c_str(), value.data(), value.size(),
                   static_cast<int>(in.flags)) != 0)
        return failed(errno);
    replication::SetXattr body{id, {*name, {value.begin(), value.end()}}};
    Sequence sequence = append({std::move(body), {}}, {id});
    // chmod by ACL of a group that the caller is not in.
    if ((in.setxattr_flags & FUSE_SETXATTR_ACL_KILL_SGID) != 0)
        return kill_set_gid(id, (*holder)->get(), sequence);
    return accepted(sequence);
}

Operations::Outcome Operations::kill_set_gid(FileId id, int fd, Sequence sequence) {
    struct stat now {};
    if (::fstat(fd, &now) != 0) return failed(errno);
    if ((now.st_mode & S_ISGID) == 0) return accepted(sequence);
    replication::SetAttributes body{};
    body.id = id;
    body.mask = replication::SetAttributes::kMode;
    body.mode = now.st_mode & 07777U & ~static_cast<std::uint32_t>(S_ISGID);
    if (::chmod(proc_path(fd).c_str(), body.mode) != 0) return failed(errno);
    return accepted(append({body, {}}, {id}));
}

Operations::Outcome Operations::getxattr(Request& request) {
    const auto& in = request.argument<fuse_getxattr_in>();
    std::size_t at = sizeof(in);
    auto name = request.text(at);
    if (!name) return failed(EINVAL);
    if (own(*name)) return failed(ENODATA);
    const FileId id = id_of(request);
    auto holder = shared_.tree.cached(id, O_PATH);
    if (!holder) return failed(is_ghost(id) ? ENODATA : holder.error().code);
    const std::string path = proc_path((*holder)->get());
    std::vector<std::byte> value(std::min<std::size_t>(in.size, replication::kMaxXattrValue));
    const ssize_t size = ::getxattr(path.c_str(), name->c_str(), value.data(), value.size());
    if (size < 0) return failed(errno);
    if (in.size == 0) {
        request.prepare(fuse_getxattr_out{static_cast<std::uint32_t>(size), 0});
        return done();
    }
    request.finish_with(std::span(value).first(static_cast<std::size_t>(size)));
    return replied();
}

Operations::Outcome Operations::listxattr(Request& request) {
    const auto& in = request.argument<fuse_getxattr_in>();
    const FileId id = id_of(request);
    auto holder = shared_.tree.cached(id, O_PATH);
    if (!holder && !is_ghost(id)) return failed(holder.error());
    std::string names;
    if (holder)
        if (const int error = names_of(proc_path((*holder)->get()), names)) return failed(error);
    names = listed_for(request.header().uid, names);
    if (in.size == 0) {
        request.prepare(fuse_getxattr_out{static_cast<std::uint32_t>(names.size()), 0});
        return done();
    }
    if (names.size() > in.size) return failed(ERANGE);
    request.finish_with(std::as_bytes(std::span(names)));
    return replied();
}

Operations::Outcome Operations::removexattr(Request& request) {
    std::size_t at = 0;
    auto name = request.text(at);
    if (!name) return failed(EINVAL);
    const FileId id = id_of(request);
    if (own(*name)) return failed(ENODATA);
    if (Tree::transient(id)) return failed(EPERM);
    Admission admission(shared_.journal);
    if (admission.error() != 0) return failed(admission.error());
    auto holder = shared_.tree.cached(id, O_PATH);
    if (!holder) return failed(is_ghost(id) ? ENODATA : holder.error().code);

    OrderLocks::Guard guard(shared_.locks, {id});
    if (::removexattr(proc_path((*holder)->get()).c_str(), name->c_str()) != 0)
        return failed(errno);
    return accepted(append({replication::RemoveXattr{id, *name}, {}}, {id}));
}

}  // namespace ha::replicatord
