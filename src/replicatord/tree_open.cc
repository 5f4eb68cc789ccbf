#include <fcntl.h>
#include <sys/resource.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "replicatord/fuse/mounts.h"
#include "replicatord/tree_impl.h"

namespace ha::replicatord {
namespace {

/// The first mount point strictly below `path`, or empty.
std::string mount_below(const std::string& path) {
    const std::string prefix = path == "/" ? path : path + "/";
    for (const fuse::Mount& mount : fuse::read_mounts())
        if (mount.point.starts_with(prefix) && mount.point != path) return mount.point;
    return {};
}

Result<Fd> open_orphans(int root, const std::string& path) {
    if (::mkdirat(root, Tree::kOrphanDirectory, 0700) != 0 && errno != EEXIST && errno != EROFS)
        return fail(
            "cannot make " + path + "/" + Tree::kOrphanDirectory + ": " + std::strerror(errno),
            errno);
    Fd fd(::openat(root, Tree::kOrphanDirectory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!fd)
        return fail(
            "cannot open " + path + "/" + Tree::kOrphanDirectory + ": " + std::strerror(errno),
            errno);
    // A default ACL of the root must not open it to anybody.
    if (::fchmod(fd.get(), 0700) != 0 && errno != EROFS) return call_failed("chmod", errno);
    return fd;
}

/// Three kinds of descriptor may exist for an inode, and the rest of the daemon needs some too.
std::size_t descriptor_budget() {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 256;
    return std::clamp<std::size_t>(limit.rlim_cur / 2, 64, 16384);
}

bool nested(const std::string& outer, const std::string& inner) {
    return inner == outer || inner.starts_with(outer + "/");
}

}  // namespace

Result<OpenRoot> open_root(const Tree::Root& root) {
    if (!root.exclude.empty())
        return fail(root.path + ": exclusions are not supported yet; remove 'exclude'", ENOTSUP);
    auto path = fuse::real_path(root.path);
    if (!path) return tl::unexpected(path.error());
    if (std::string inside = mount_below(*path); !inside.empty())
        return fail(root.path + " cannot be mirrored: " + inside +
                        " is a mount point inside it; unmount it or choose another directory",
                    EXDEV);
    OpenRoot out;
    out.path = *path;
    out.directory = Fd(::open(path->c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!out.directory) return fail("cannot open " + *path + ": " + std::strerror(errno), errno);
    struct stat attributes {};
    if (::fstat(out.directory.get(), &attributes) != 0) return call_failed("stat", errno);
    out.device = attributes.st_dev;
    out.inode = attributes.st_ino;
    auto handle = handle_at(out.directory.get(), "");
    if (!handle)
        return fail(root.path + " cannot be mirrored: its file system gives no file handles",
                    handle.error().code);
    out.handle = handle->handle;
    out.mount_id = handle->mount_id;
    auto file_system = file_system_id(out.directory.get());
    if (!file_system) return tl::unexpected(file_system.error());
    out.file_system = *file_system;
    auto orphans = open_orphans(out.directory.get(), *path);
    if (!orphans) return tl::unexpected(orphans.error());
    out.orphans = std::move(*orphans);
    return out;
}

Result<std::unique_ptr<Tree>> Tree::open(std::vector<Root> roots, Mint mint, Id128 module) {
    if (roots.empty() || roots.size() > 255)
        return fail("a module mirrors between 1 and 255 directories", EINVAL);
    auto impl = std::make_unique<Impl>(std::move(mint), module, descriptor_budget());
    for (const Root& root : roots) {
        auto opened = open_root(root);
        if (!opened) return tl::unexpected(opened.error());
        for (const OpenRoot& other : impl->roots)
            if (nested(other.path, opened->path) || nested(opened->path, other.path))
                return fail(opened->path + " and " + other.path + " overlap", EINVAL);
        Place place{static_cast<std::uint8_t>(impl->roots.size()), S_IFDIR >> 12U, opened->handle};
        impl->index.insert(root_id(impl->roots.size()), place);
        impl->roots.push_back(std::move(*opened));
    }
    return std::unique_ptr<Tree>(new Tree(std::move(impl)));
}

}  // namespace ha::replicatord
