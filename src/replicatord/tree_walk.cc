#include <dirent.h>
#include <fcntl.h>

#include <cerrno>
#include <cstring>

#include "replicatord/tree_impl.h"

namespace ha::replicatord {
namespace {

struct CloseDirectory {
    void operator()(DIR* directory) const { ::closedir(directory); }
};
using Directory = std::unique_ptr<DIR, CloseDirectory>;

/// Calls visit(name) for every entry but "." and "..".
template <typename Visit>
Result<> for_each_entry(int fd, Visit visit) {
    Fd copy(::openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!copy) return call_failed("open a directory", errno);
    Directory directory(::fdopendir(copy.get()));
    if (!directory) return call_failed("read a directory", errno);
    static_cast<void>(copy.release());
    for (;;) {
        errno = 0;
        const dirent* entry = ::readdir(directory.get());
        if (entry == nullptr && errno != 0) return call_failed("read a directory", errno);
        if (entry == nullptr) return {};
        if (std::strcmp(entry->d_name, ".") == 0 || std::strcmp(entry->d_name, "..") == 0) continue;
        if (auto done = visit(static_cast<const char*>(entry->d_name)); !done) return done;
    }
}

/// Whether names may go while they are walked: then what has just gone is passed over.
enum class Names : std::uint8_t { Fixed, MayGo };

/// Opens the directories of root `i` below `todo`, but neither the orphan directory nor other file
/// systems, and calls visit(directory, name, attributes) for every name in them; it fills
/// `attributes`. The stack holds places, not descriptors: a tree may be deeper than descriptors are
/// many.
template <typename Impl, typename Visit>
Result<> for_each_below(Impl& impl, std::size_t i, std::vector<Place> todo, Names names,
                        Visit visit) {
    const OpenRoot& root = impl.roots[i];
    while (!todo.empty()) {
        const Place place = todo.back();
        todo.pop_back();
        auto fd = impl.open_place(place, O_RDONLY | O_DIRECTORY);
        if (!fd && fd.error().code == ESTALE && names == Names::MayGo) continue;
        if (!fd) return tl::unexpected(fd.error());
        const bool top = place.handle == root.handle;
        auto done = for_each_entry(fd->get(), [&](const char* name) -> Result<> {
            if (top && std::strcmp(name, Tree::kOrphanDirectory) == 0) return {};
            struct stat attributes {};
            auto visited = visit(fd->get(), name, attributes);
            if (!visited && visited.error().code == ENOENT && names == Names::MayGo) return {};
            if (!visited || !S_ISDIR(attributes.st_mode)) return visited;
            auto at = handle_at(fd->get(), name);
            if (!at && names == Names::MayGo) return {};
            if (!at) return tl::unexpected(at.error());
            if (at->mount_id == root.mount_id)
                todo.push_back(Place{static_cast<std::uint8_t>(i), S_IFDIR >> 12U, at->handle});
            return {};
        });
        if (!done) return done;
    }
    return {};
}

}  // namespace

Result<> Tree::index_all() {
    for (std::size_t i = 0; i < impl_->roots.size(); ++i) {
        auto orphans = handle_at(impl_->roots[i].orphans.get(), "");
        if (!orphans) return tl::unexpected(orphans.error());
        const Place hidden{static_cast<std::uint8_t>(i), S_IFDIR >> 12U, orphans->handle};
        const auto learn = [&](int fd, const char* name, struct stat& inode) -> Result<> {
            auto id = impl_->lookup_quickly(i, fd, name, inode);
            if (!id) return tl::unexpected(id.error());
            return {};
        };
        auto done = for_each_below(*impl_, i, {hidden, *impl_->index.find(root_id(i))},
                                   Names::MayGo, learn);
        if (!done) return done;
    }
    return {};
}

Result<> Tree::walk(const std::function<void(const Entry&)>& visit) const {
    for (std::size_t i = 0; i < impl_->roots.size(); ++i) {
        const auto show = [&](int fd, const char* name, struct stat& inode) -> Result<> {
            struct stat directory {};
            if (::fstat(fd, &directory) != 0) return call_failed("stat", errno);
            if (::fstatat(fd, name, &inode, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) != 0)
                return call_failed("stat", errno);
            visit({i, directory.st_ino, name, &inode});
            return {};
        };
        auto done = for_each_below(*impl_, i, {*impl_->index.find(root_id(i))}, Names::Fixed, show);
        if (!done) return done;
    }
    return {};
}

Result<std::vector<FileId>> Tree::orphans() {
    std::vector<FileId> out;
    for (std::size_t i = 0; i < impl_->roots.size(); ++i) {
        const int fd = impl_->roots[i].orphans.get();
        auto done = for_each_entry(fd, [&](const char* name) -> Result<> {
            struct stat attributes {};
            auto id = impl_->lookup_quickly(i, fd, name, attributes);
            if (id && id->value != 0 && orphan_name(*id) == name) out.push_back(*id);
            return {};
        });
        if (!done) return tl::unexpected(done.error());
    }
    return out;
}

}  // namespace ha::replicatord
