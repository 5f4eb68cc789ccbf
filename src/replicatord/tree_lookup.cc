#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "replicatord/tree_impl.h"

// Names to ids. The common case costs three system calls and no descriptor: the attributes, the
// handle and the identity of the entry, each taken by name. They may be of different inodes if the
// name changes hands meanwhile; then the identity does not match its binding and the entry is
// looked at again through a descriptor.

namespace ha::replicatord {
namespace {

/// The entry itself: no symbolic link followed, no mount point crossed, never out of the parent.
Result<Fd> open_entry(int parent, const char* name) {
    open_how how{};
    how.flags = O_PATH | O_NOFOLLOW | O_CLOEXEC;
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS;
    Fd fd(static_cast<int>(::syscall(SYS_openat2, parent, name, &how, sizeof(how))));
    if (!fd) return call_failed("look up a name", errno);
    return fd;
}

}  // namespace

Result<FileId> Tree::identity(int fd) {
    struct stat attributes {};
    for (std::size_t i = 0; i < impl_->roots.size(); ++i) {
        auto place = impl_->place_of(fd, i, attributes);
        if (!place && place.error().code == EXDEV) continue;
        if (!place) return tl::unexpected(place.error());
        if (impl_->roots[i].handle == place->handle) return root_id(i);
        auto value = identity_value(fd);
        if (!value) return tl::unexpected(value.error());
        auto id = read_identity(*value, impl_->binding(*place, attributes.st_ino));
        if (id) return *id;
    }
    return FileId{};
}

Result<> Tree::adopt(int fd, FileId id, FileId near) {
    auto root = root_of(near);
    if (!root) return tl::unexpected(root.error());
    struct stat attributes {};
    auto place = impl_->place_of(fd, *root, attributes);
    if (!place) return tl::unexpected(place.error());
    return impl_->store_identity(fd, id, *place, attributes.st_ino);
}

Result<FileId> Tree::lookup(FileId parent, const std::string& name, struct stat* attributes,
                            Unknown unknown) {
    if (hidden(parent, name)) return fail("no such name", ENOENT);
    auto root = root_of(parent);
    if (!root) return tl::unexpected(root.error());
    auto directory = cached(parent, O_RDONLY | O_DIRECTORY);
    if (!directory) return tl::unexpected(directory.error());
    const int fd = (*directory)->get();
    auto quick = impl_->lookup_quickly(*root, fd, name.c_str(), *attributes);
    if (!quick || quick->value != 0) return quick;
    auto entry = open_entry(fd, name.c_str());
    if (!entry && out_of_descriptors(entry.error())) {
        impl_->cache.clear();
        entry = open_entry(fd, name.c_str());
    }
    if (!entry) return tl::unexpected(entry.error());
    return impl_->identify(entry->get(), *root, *attributes, unknown);
}

Result<FileId> Tree::Impl::lookup_quickly(std::size_t root, int parent, const char* name,
                                          struct stat& attributes) {
    if (::fstatat(parent, name, &attributes, AT_SYMLINK_NOFOLLOW) != 0)
        return call_failed("look up a name", errno);
    auto at = handle_at(parent, name);
    auto value = identity_value(parent, name);
    if (!at || !value || at->mount_id != roots[root].mount_id) return FileId{};
    Place place{static_cast<std::uint8_t>(root),
                static_cast<std::uint8_t>(attributes.st_mode >> 12U), at->handle};
    auto id = read_identity(*value, binding(place, attributes.st_ino));
    if (!id) return FileId{};
    index.insert(*id, place);
    return *id;
}

Result<FileId> Tree::Impl::identify(int fd, std::size_t root, struct stat& attributes,
                                    Unknown unknown) {
    auto place = place_of(fd, root, attributes);
    if (!place) return tl::unexpected(place.error());
    std::scoped_lock lock(adopting[attributes.st_ino % adopting.size()]);
    auto value = identity_value(fd);
    if (!value) return tl::unexpected(value.error());
    if (auto id = read_identity(*value, binding(*place, attributes.st_ino))) {
        index.insert(*id, *place);
        return *id;
    }
    if (unknown == Unknown::kTransient) return index.transient_id(*place);
    FileId id = mint();
    if (id.value == 0) return fail("no new file identity can be minted", EIO);
    auto stored = store_identity(fd, id, *place, attributes.st_ino);
    // An immutable file or a read-only file system: it can be read, and nothing can change it.
    if (!stored && (stored.error().code == EPERM || stored.error().code == EROFS))
        return index.transient_id(*place);
    if (!stored) return tl::unexpected(stored.error());
    if (::fstat(fd, &attributes) != 0) return call_failed("stat", errno);
    return id;
}

}  // namespace ha::replicatord
