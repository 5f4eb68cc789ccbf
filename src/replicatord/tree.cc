#include "replicatord/tree.h"

#include <fcntl.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "base/assert.h"
#include "replicatord/tree_impl.h"

namespace ha::replicatord {
namespace {

/// Read-only file system, immutable or append-only file, running program.
bool not_writable(int error) {
    return error == EROFS || error == EPERM || error == ETXTBSY;
}

}  // namespace

IdentityBinding Tree::Impl::binding(const Place& place, std::uint64_t inode) const {
    return IdentityBinding{module, roots[place.root].file_system, inode, place.handle};
}

Result<std::string> identity_value(int fd, const char* name) {
    std::string value(64, '\0');
    const std::string path = proc_path(fd, name);
    // Without a name the path is a magic link and must be followed, to the inode itself.
    auto* get = *name == '\0' ? ::getxattr : ::lgetxattr;
    ssize_t size = get(path.c_str(), kIdentityXattr, value.data(), value.size());
    // ERANGE: longer than ours ever is, so not ours.
    if (size < 0 && (errno == ENODATA || errno == ERANGE)) return std::string();
    if (size < 0) return call_failed("read the identity attribute", errno);
    value.resize(static_cast<std::size_t>(size));
    return value;
}

Result<Place> Tree::Impl::place_of(int fd, std::size_t root, struct stat& attributes) const {
    if (::fstat(fd, &attributes) != 0) return call_failed("stat", errno);
    auto at = handle_at(fd, "");
    if (!at) return tl::unexpected(at.error());
    if (at->mount_id != roots[root].mount_id)
        return fail("the file is on a file system that is not mirrored", EXDEV);
    return Place{static_cast<std::uint8_t>(root),
                 static_cast<std::uint8_t>(attributes.st_mode >> 12U), at->handle};
}

Result<> Tree::Impl::store_identity(int fd, FileId id, const Place& place, std::uint64_t inode) {
    const std::string value = write_identity(id, binding(place, inode));
    // Follows the magic link to the inode itself, even if that is a symbolic link.
    if (::setxattr(proc_path(fd).c_str(), kIdentityXattr, value.data(), value.size(), 0) != 0)
        return call_failed("write the identity attribute", errno);
    index.insert(id, place);
    return {};
}

Result<Fd> Tree::Impl::open_place(const Place& place, int flags) {
    const unsigned kind = static_cast<unsigned>(place.kind) << 12U;
    if ((flags & O_PATH) == 0 && kind != S_IFREG && kind != S_IFDIR)
        return fail("neither a file nor a directory; it is never opened", EOPNOTSUPP);
    const int mount = roots[place.root].directory.get();
    auto fd = open_handle(mount, place.handle, flags | O_NOFOLLOW);
    if (fd || !out_of_descriptors(fd.error())) return fd;
    cache.clear();
    return open_handle(mount, place.handle, flags | O_NOFOLLOW);
}

Tree::Tree(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Tree::~Tree() = default;

std::size_t Tree::root_count() const {
    return impl_->roots.size();
}

const std::string& Tree::root_path(std::size_t index) const {
    HA_ASSERT(index < impl_->roots.size());
    return impl_->roots[index].path;
}

int Tree::root_fd(std::size_t index) const {
    HA_ASSERT(index < impl_->roots.size());
    return impl_->roots[index].directory.get();
}

Result<std::size_t> Tree::root_of(FileId id) const {
    auto place = impl_->index.find(id);
    if (!place) return fail("no file with this id is known here", ESTALE);
    return place->root;
}

int Tree::orphan_fd(std::size_t root) const {
    HA_ASSERT(root < impl_->roots.size());
    return impl_->roots[root].orphans.get();
}

Result<int> Tree::orphan_directory(FileId id) {
    auto root = root_of(id);
    if (!root) return tl::unexpected(root.error());
    return orphan_fd(*root);
}

std::string Tree::orphan_name(FileId id) {
    char name[17];
    std::snprintf(name, sizeof(name), "%016llx", static_cast<unsigned long long>(id.value));
    return name;
}

bool Tree::hidden(FileId parent, const std::string& name) const {
    return parent.value <= root_count() && name == kOrphanDirectory;
}

Result<Fd> Tree::open_by_id(FileId id, int flags) {
    auto place = impl_->index.find(id);
    if (!place) return fail("no file with this id is known here", ESTALE);
    return impl_->open_place(*place, flags);
}

Result<std::shared_ptr<const Fd>> Tree::cached(FileId id, int flags) {
    if (auto found = impl_->cache.get(id, flags)) return found;
    if (flags == O_PATH)  // whatever is open already serves as well
        for (int kind : {O_RDWR, O_RDONLY | O_DIRECTORY})
            if (auto found = impl_->cache.get(id, kind)) return found;
    auto fd = open_by_id(id, flags);
    if (!fd && flags == O_RDWR && not_writable(fd.error().code)) fd = open_by_id(id, O_RDONLY);
    if (!fd) return tl::unexpected(fd.error());
    auto kept = impl_->cache.put(id, flags, std::move(*fd));
    // It may have been dropped since it was found; kept any longer, its space would not be freed.
    if (!known(id)) impl_->cache.drop(id);
    return kept;
}

bool Tree::known(FileId id) const {
    return impl_->index.find(id).has_value();
}

Result<FileId> Tree::mint() {
    FileId id = impl_->mint();
    if (id.value == 0) return fail("no new file identity can be minted", EIO);
    HA_ASSERT(id.value >= kFirstMinted && !transient(id));
    return id;
}

std::optional<Place> Tree::place(FileId id) const {
    return impl_->index.find(id);
}

void Tree::drop(FileId id) {
    if (id.value < kFirstMinted) return;
    impl_->index.erase(id);
    impl_->cache.drop(id);
}

void Tree::drop_transient() {
    impl_->index.drop_transient();
}

Result<> Tree::sync_all() {
    for (const OpenRoot& root : impl_->roots)
        if (::syncfs(root.directory.get()) != 0)
            return fail("cannot make " + root.path + " durable", errno);
    return {};
}

void Tree::probe_disks() {
    for (std::size_t root = 0; root < impl_->roots.size(); ++root) {
        impl_->probed = root;
        const Fd file{::openat(impl_->roots[root].directory.get(), ".",
                               O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600)};
        if (file && ::pwrite(file.get(), "?", 1, 0) == 1) ::fdatasync(file.get());
    }
}

const std::string& Tree::probed_path() const {
    return impl_->roots[impl_->probed].path;
}

}  // namespace ha::replicatord
