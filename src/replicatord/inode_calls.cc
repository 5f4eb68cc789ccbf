#include "replicatord/inode_calls.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

#include "replicatord/file_handle.h"
#include "replicatord/identity.h"

namespace ha::replicatord {
namespace {

bool ours(const std::string& name) {
    return name.starts_with(kOwnXattrPrefix);
}

Result<std::vector<std::string>> xattr_names(int fd) {
    std::vector<char> list(65536);
    ssize_t size = ::listxattr(proc_path(fd).c_str(), list.data(), list.size());
    if (size < 0 && errno == EOPNOTSUPP) return std::vector<std::string>{};
    if (size < 0) return call_failed("list extended attributes", errno);
    std::vector<std::string> names;
    for (const char* at = list.data(); at < list.data() + size; at += std::strlen(at) + 1) {
        if (!ours(at)) names.emplace_back(at);
    }
    return names;
}

/// For people: the path, if the kernel knows one.
std::string where(int fd) {
    std::string path(4096, '\0');
    const ssize_t size = ::readlink(proc_path(fd).c_str(), path.data(), path.size());
    path.resize(size < 0 ? 0 : static_cast<std::size_t>(size));
    if (path.size() > 1) return path;
    struct stat attributes {};
    if (::fstat(fd, &attributes) != 0) return "a file";
    return "the file with inode number " + std::to_string(attributes.st_ino);
}

timespec to_timespec(const FileTime* time) {
    if (time == nullptr) return {0, UTIME_OMIT};
    return {time->seconds, static_cast<long>(time->nanoseconds)};
}

}  // namespace

Result<> write_all(int fd, std::span<const std::byte> data, std::uint64_t offset) {
    while (!data.empty()) {
        ssize_t count = ::pwrite(fd, data.data(), data.size(), static_cast<off_t>(offset));
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return call_failed("write", errno);
        if (count == 0) return call_failed("write", EIO);
        data = data.subspan(static_cast<std::size_t>(count));
        offset += static_cast<std::uint64_t>(count);
    }
    return {};
}

Result<> set_owner(int fd, std::uint32_t uid, std::uint32_t gid) {
    if (::fchownat(fd, "", uid, gid, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) != 0) {
        return call_failed("set the owner", errno);
    }
    return {};
}

Result<> set_mode(int fd, std::uint32_t mode) {
    auto attributes = status(fd);
    if (!attributes) return tl::unexpected(attributes.error());
    if (S_ISLNK(attributes->st_mode)) return {};
    if (::chmod(proc_path(fd).c_str(), mode & 07777) != 0)
        return call_failed("set the mode", errno);
    return {};
}

Result<> set_times(int fd, const FileTime* atime, const FileTime* mtime) {
    const timespec times[2] = {to_timespec(atime), to_timespec(mtime)};
    if (::utimensat(AT_FDCWD, proc_path(fd).c_str(), times, 0) != 0) {
        return call_failed("set the times", errno);
    }
    return {};
}

Result<std::vector<Xattr>> read_xattrs(int fd) {
    auto names = xattr_names(fd);
    if (!names) return tl::unexpected(names.error());
    if (names->size() > replication::kMaxXattrs) {
        return fail(where(fd) + " has " + std::to_string(names->size()) +
                        " extended attributes; more than " +
                        std::to_string(replication::kMaxXattrs) +
                        " cannot be mirrored. Remove some of them.",
                    E2BIG);
    }
    std::vector<Xattr> xattrs;
    std::vector<std::byte> value(replication::kMaxXattrValue);
    for (auto& name : *names) {
        ssize_t size = ::getxattr(proc_path(fd).c_str(), name.c_str(), value.data(), value.size());
        if (size < 0 && errno == ENODATA) continue;
        if (size < 0) return call_failed("read an extended attribute", errno);
        xattrs.push_back({std::move(name), {value.begin(), value.begin() + size}});
    }
    return xattrs;
}

Result<> set_xattr(int fd, const Xattr& xattr) {
    if (::setxattr(proc_path(fd).c_str(), xattr.name.c_str(), xattr.value.data(),
                   xattr.value.size(), 0) != 0) {
        return call_failed("set an extended attribute", errno);
    }
    return {};
}

Result<> remove_xattr(int fd, const std::string& name) {
    if (::removexattr(proc_path(fd).c_str(), name.c_str()) != 0) {
        return call_failed("remove an extended attribute", errno);
    }
    return {};
}

Result<> set_exact_xattrs(int fd, const std::vector<Xattr>& wanted) {
    auto names = xattr_names(fd);
    if (!names) return tl::unexpected(names.error());
    for (const auto& name : *names) {
        bool stays = std::any_of(wanted.begin(), wanted.end(),
                                 [&](const Xattr& xattr) { return xattr.name == name; });
        // A security module's label cannot be taken away, only changed.
        if (stays || name == "security.selinux") continue;
        if (auto removed = remove_xattr(fd, name); !removed) return removed;
    }
    for (const auto& xattr : wanted) {
        if (auto set = set_xattr(fd, xattr); !set) return set;
    }
    return {};
}

Result<struct stat> status(int fd) {
    struct stat attributes {};
    if (::fstat(fd, &attributes) != 0) return call_failed("stat", errno);
    return attributes;
}

Result<struct stat> entry_status(int directory, const std::string& name) {
    struct stat attributes {};
    if (::fstatat(directory, name.c_str(), &attributes, AT_SYMLINK_NOFOLLOW) != 0) {
        return call_failed("look up a name", errno);
    }
    return attributes;
}

Result<Fd> open_entry_path(int directory, const std::string& name) {
    Fd fd(::openat(directory, name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
    if (!fd) return call_failed("look up a name", errno);
    return fd;
}

Result<std::string> read_target(int fd) {
    std::string target(replication::kMaxTarget + 1, '\0');
    ssize_t size = ::readlinkat(fd, "", target.data(), target.size());
    if (size < 0) return call_failed("read a symbolic link", errno);
    target.resize(static_cast<std::size_t>(size));
    return target;
}

Result<std::vector<std::string>> entry_names(int directory) {
    Fd copy(::openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!copy) return call_failed("open a directory", errno);
    std::unique_ptr<DIR, int (*)(DIR*)> open(::fdopendir(copy.get()), ::closedir);
    if (!open) return call_failed("read a directory", errno);
    static_cast<void>(copy.release());
    std::vector<std::string> names;
    for (;;) {
        errno = 0;
        const dirent* entry = ::readdir(open.get());
        if (entry == nullptr && errno != 0) return call_failed("read a directory", errno);
        if (entry == nullptr) return names;
        std::string name = entry->d_name;
        if (name != "." && name != "..") names.push_back(std::move(name));
    }
}

Result<replication::Attributes> read_attributes(int fd) {
    auto attributes = status(fd);
    if (!attributes) return tl::unexpected(attributes.error());
    auto xattrs = read_xattrs(fd);
    if (!xattrs) return tl::unexpected(xattrs.error());
    replication::Attributes all;
    all.mode = attributes->st_mode;
    all.uid = attributes->st_uid;
    all.gid = attributes->st_gid;
    all.size = static_cast<std::uint64_t>(attributes->st_size);
    all.atime = file_time(attributes->st_atim);
    all.mtime = file_time(attributes->st_mtim);
    all.xattrs = std::move(*xattrs);
    return all;
}

}  // namespace ha::replicatord
