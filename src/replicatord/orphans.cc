#include "replicatord/orphans.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>

#include "replicatord/file_handle.h"
#include "replicatord/inode_calls.h"

namespace ha::replicatord {
namespace {

constexpr const char* kPassXattr = "trusted.hamirror.pass";

Result<> set_one_aside(int orphans, const std::string& name) {
    for (int number = 0;; ++number) {
        std::string aside = kSetAside + name;
        if (number > 0) aside += "-" + std::to_string(number);
        if (::renameat2(orphans, name.c_str(), orphans, aside.c_str(), RENAME_NOREPLACE) == 0)
            return {};
        if (errno != EEXIST) return call_failed("set a displaced file aside", errno);
    }
}

}  // namespace

Result<> Orphans::keep(FileId parent, const std::string& name, FileId id) {
    return move(parent, name, id, false);
}

Result<> Orphans::link(FileId parent, const std::string& name, FileId id) {
    auto root = tree_.root_of(parent);
    if (!root) return tl::unexpected(root.error());
    auto directory = tree_.cached(parent, O_RDONLY | O_DIRECTORY);
    if (!directory) return tl::unexpected(directory.error());
    auto attributes = entry_status((*directory)->get(), name);
    if (!attributes) return tl::unexpected(attributes.error());
    const std::string orphan = Tree::orphan_name(id);
    doubtful_[*root].erase(orphan);
    const int orphans = tree_.orphan_fd(*root);
    auto there = entry_status(orphans, orphan);
    if (there && same_inode(*there, *attributes)) return {};
    if (::linkat((*directory)->get(), name.c_str(), orphans, orphan.c_str(), 0) != 0)
        return call_failed("link to the orphan directory", errno);
    return {};
}

Result<> Orphans::displace(FileId parent, const std::string& name, FileId id) {
    return move(parent, name, id, true);
}

Result<> Orphans::move(FileId parent, const std::string& name, FileId id, bool doubtful) {
    auto root = tree_.root_of(parent);
    if (!root) return tl::unexpected(root.error());
    auto directory = tree_.cached(parent, O_RDONLY | O_DIRECTORY);
    if (!directory) return tl::unexpected(directory.error());
    const int from = (*directory)->get();
    const int orphans = tree_.orphan_fd(*root);
    auto attributes = entry_status(from, name);
    if (!attributes) return tl::unexpected(attributes.error());
    std::string orphan = Tree::orphan_name(id);
    if (id.value == 0) orphan = "unnamed-" + std::to_string(++unnamed_);
    auto there = entry_status(orphans, orphan);
    if (there && same_inode(*there, *attributes)) {
        if (!doubtful) doubtful_[*root].erase(orphan);
        if (::unlinkat(from, name.c_str(), 0) != 0) return call_failed("remove a name", errno);
        return {};
    }
    while (there) {
        orphan = "unnamed-" + std::to_string(++unnamed_);
        there = entry_status(orphans, orphan);
    }
    if (::renameat2(from, name.c_str(), orphans, orphan.c_str(), RENAME_NOREPLACE) != 0) {
        return call_failed("move to the orphan directory", errno);
    }
    if (doubtful) {
        doubtful_[*root].insert(orphan);
    } else {
        doubtful_[*root].erase(orphan);
    }
    return {};
}

Result<bool> Orphans::holds(FileId id, const struct stat& of) {
    auto orphans = tree_.orphan_directory(id);
    if (!orphans) return tl::unexpected(orphans.error());
    auto there = entry_status(*orphans, Tree::orphan_name(id));
    if (!there && there.error().code != ENOENT) return tl::unexpected(there.error());
    return there && same_inode(*there, of);
}

Result<> Orphans::take_out(FileId id, FileId parent, const std::string& name) {
    auto root = tree_.root_of(id);
    if (!root) return tl::unexpected(root.error());
    auto directory = tree_.cached(parent, O_RDONLY | O_DIRECTORY);
    if (!directory) return tl::unexpected(directory.error());
    const std::string orphan = Tree::orphan_name(id);
    if (::renameat2(tree_.orphan_fd(*root), orphan.c_str(), (*directory)->get(), name.c_str(),
                    RENAME_NOREPLACE) != 0) {
        return call_failed("name an orphan", errno);
    }
    doubtful_[*root].erase(orphan);
    return {};
}

Result<> Orphans::release(FileId id) {
    auto root = tree_.root_of(id);
    if (!root) return {};
    const std::string orphan = Tree::orphan_name(id);
    doubtful_[*root].erase(orphan);
    auto freed = free_entry(tree_.orphan_fd(*root), orphan);
    if (!freed && freed.error().code == ENOENT) return {};
    return freed;
}

void Orphans::confirm(FileId id) {
    if (auto root = tree_.root_of(id)) doubtful_[*root].erase(Tree::orphan_name(id));
}

void Orphans::doubt(FileId id) {
    auto root = tree_.root_of(id);
    const std::string orphan = Tree::orphan_name(id);
    if (root && entry_status(tree_.orphan_fd(*root), orphan)) doubtful_[*root].insert(orphan);
}

Result<> Orphans::begin_pass() {
    doubtful_.clear();
    for (std::size_t root = 0; root < tree_.root_count(); ++root) {
        const int orphans = tree_.orphan_fd(root);
        if (::fsetxattr(orphans, kPassXattr, "1", 1, 0) != 0 || ::fsync(orphans) != 0)
            return call_failed("mark the orphan directory", errno);
        auto names = entry_names(orphans);
        if (!names) return tl::unexpected(names.error());
        doubtful_[root].insert(names->begin(), names->end());
    }
    return {};
}

Result<> Orphans::end_pass() {
    if (auto freed = free_doubtful(); !freed) return freed;
    for (std::size_t root = 0; root < tree_.root_count(); ++root)
        if (::fremovexattr(tree_.orphan_fd(root), kPassXattr) != 0 && errno != ENODATA)
            return call_failed("unmark the orphan directory", errno);
    return {};
}

Result<> Orphans::free_doubtful() {
    for (const auto& [root, names] : doubtful_) {
        for (const auto& name : names) {
            auto freed = free_entry(tree_.orphan_fd(root), name);
            if (!freed && freed.error().code != ENOENT) return freed;
        }
    }
    doubtful_.clear();
    return {};
}

Result<> Orphans::free_entry(int directory, const std::string& name) {
    auto fd = open_entry_path(directory, name);
    if (!fd) return tl::unexpected(fd.error());
    auto attributes = status(fd->get());
    if (!attributes) return tl::unexpected(attributes.error());
    const bool is_directory = S_ISDIR(attributes->st_mode);
    if (is_directory) {
        auto names = entry_names(fd->get());
        if (!names) return tl::unexpected(names.error());
        for (const auto& child : *names) {
            if (auto freed = free_entry(fd->get(), child); !freed) return freed;
        }
    }
    if (is_directory || attributes->st_nlink <= 1) {
        auto id = tree_.identity(fd->get());
        if (id && id->value != 0) tree_.drop(*id);
    }
    if (::unlinkat(directory, name.c_str(), is_directory ? AT_REMOVEDIR : 0) != 0) {
        return call_failed("free an orphan", errno);
    }
    return {};
}

Result<std::size_t> set_displaced_aside(Tree& tree) {
    std::size_t count = 0;
    auto all = tree.orphans();
    if (!all) return tl::unexpected(all.error());
    for (std::size_t root = 0; root < tree.root_count(); ++root) {
        const int orphans = tree.orphan_fd(root);
        if (::fgetxattr(orphans, kPassXattr, nullptr, 0) < 0) {
            if (errno == ENODATA) continue;
            return call_failed("look for the mark of a resync", errno);
        }
        for (FileId id : *all) {
            auto at = tree.root_of(id);
            if (!at || *at != root) continue;
            if (auto aside = set_one_aside(orphans, Tree::orphan_name(id)); !aside)
                return tl::unexpected(aside.error());
            ++count;
        }
        if (::fsync(orphans) != 0 || ::fremovexattr(orphans, kPassXattr) != 0)
            return call_failed("unmark the orphan directory", errno);
    }
    return count;
}

}  // namespace ha::replicatord
