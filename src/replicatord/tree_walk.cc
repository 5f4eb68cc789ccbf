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

}  // namespace

// The stack holds places, not descriptors: a tree may be deeper than descriptors are many.
Result<> Tree::index_all(const std::function<void(std::uint64_t)>& progress) {
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < impl_->roots.size(); ++i) {
        const OpenRoot& root = impl_->roots[i];
        std::vector<Place> todo{*impl_->index.find(root_id(i))};
        auto orphans = handle_at(root.orphans.get(), "");
        if (!orphans) return tl::unexpected(orphans.error());
        todo.push_back(Place{static_cast<std::uint8_t>(i), S_IFDIR >> 12U, orphans->handle});
        while (!todo.empty()) {
            Place place = todo.back();
            todo.pop_back();
            auto fd = impl_->open_place(place, O_RDONLY | O_DIRECTORY);
            if (!fd && fd.error().code == ESTALE) continue;
            if (!fd) return tl::unexpected(fd.error());
            auto done = for_each_entry(fd->get(), [&](const char* name) -> Result<> {
                struct stat attributes {};
                auto id = impl_->lookup_quickly(i, fd->get(), name, attributes);
                if (!id && id.error().code == ENOENT) return {};
                if (!id) return tl::unexpected(id.error());
                if (++seen % 1024 == 0) progress(seen);
                if (!S_ISDIR(attributes.st_mode)) return {};
                auto at = handle_at(fd->get(), name);
                if (!at || at->mount_id != root.mount_id || at->handle == orphans->handle)
                    return {};
                todo.push_back(Place{static_cast<std::uint8_t>(i), S_IFDIR >> 12U, at->handle});
                return {};
            });
            if (!done) return done;
        }
    }
    progress(seen);
    return {};
}

Result<> Tree::walk(const std::function<void(const Entry&)>& visit) const {
    for (std::size_t i = 0; i < impl_->roots.size(); ++i) {
        const OpenRoot& root = impl_->roots[i];
        auto orphans = handle_at(root.orphans.get(), "");
        if (!orphans) return tl::unexpected(orphans.error());
        std::vector<Place> todo{*impl_->index.find(root_id(i))};
        while (!todo.empty()) {
            Place place = todo.back();
            todo.pop_back();
            auto fd = impl_->open_place(place, O_RDONLY | O_DIRECTORY);
            if (!fd) return tl::unexpected(fd.error());
            struct stat directory {};
            if (::fstat(fd->get(), &directory) != 0) return call_failed("stat", errno);
            auto done = for_each_entry(fd->get(), [&](const char* name) -> Result<> {
                struct stat inode {};
                if (::fstatat(fd->get(), name, &inode, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) != 0)
                    return call_failed("stat", errno);
                if (!S_ISDIR(inode.st_mode)) {
                    visit({i, directory.st_ino, name, &inode});
                    return {};
                }
                auto at = handle_at(fd->get(), name);
                if (!at) return tl::unexpected(at.error());
                if (at->handle == orphans->handle) return {};
                visit({i, directory.st_ino, name, &inode});
                if (at->mount_id == root.mount_id)
                    todo.push_back(Place{static_cast<std::uint8_t>(i), S_IFDIR >> 12U, at->handle});
                return {};
            });
            if (!done) return done;
        }
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
