#include "replicatord/filesystem.h"

#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <array>
#include <cerrno>
#include <utility>

#include "replicatord/tree_index.h"

namespace ha::replicatord {
namespace {

/// mount(2) flags that say what statvfs(3) flags say.
unsigned long mount_flags_of(int fd) {
    constexpr std::array<std::pair<unsigned long, unsigned long>, 7> kSame{{
        {ST_RDONLY, MS_RDONLY},
        {ST_NOSUID, MS_NOSUID},
        {ST_NODEV, MS_NODEV},
        {ST_NOEXEC, MS_NOEXEC},
        {ST_NOATIME, MS_NOATIME},
        {ST_NODIRATIME, MS_NODIRATIME},
        {ST_RELATIME, MS_RELATIME},
    }};
    struct statvfs lower {};
    if (::fstatvfs(fd, &lower) != 0) return 0;
    unsigned long out = 0;
    for (auto [lower_flag, flag] : kSame)
        if ((lower.f_flag & lower_flag) != 0) out |= flag;
    return out;
}

}  // namespace

FileSystem::FileSystem(FileSystemOptions options, std::unique_ptr<Tree> tree, Journal& journal)
    : options_(std::move(options)),
      tree_(std::move(tree)),
      shared_(std::make_unique<Shared>(*tree_, journal)) {}

FileSystem::~FileSystem() = default;

Result<std::unique_ptr<FileSystem>> FileSystem::open(FileSystemOptions options, Tree::Mint mint,
                                                     Journal& journal) {
    for (const Tree::Root& root : options.roots)
        if (auto cleared = fuse::clear_old_mounts(root.path); !cleared)
            return tl::unexpected(cleared.error());
    auto tree = Tree::open(options.roots, std::move(mint), options.module_id);
    if (!tree) return tl::unexpected(tree.error());
    std::unique_ptr<FileSystem> out(new FileSystem(std::move(options), std::move(*tree), journal));
    if (auto made = out->make_tables(); !made) return tl::unexpected(made.error());
    return out;
}

Result<> FileSystem::make_tables() {
    auto inodes = fuse::InodeTable::create();
    if (!inodes) return tl::unexpected(inodes.error());
    auto files = fuse::OpenTable::create();
    if (!files) return tl::unexpected(files.error());
    shared_->inodes = std::move(*inodes);
    shared_->files = std::move(*files);
    for (std::size_t i = 0; i < tree_->root_count(); ++i) {
        // The kernel never looks a root up, nor forgets it.
        if (!shared_->inodes->refer(Tree::root_id(i), *tree_->place(Tree::root_id(i))))
            return fail("the inode table is too small", ENFILE);
        operations_.push_back(std::make_unique<Operations>(*shared_, i));
    }
    return {};
}

Result<> FileSystem::mount() {
    for (std::size_t i = 0; i < tree_->root_count(); ++i) {
        auto mounted = mount_root(i);
        if (mounted) continue;
        sessions_.clear();
        return mounted;
    }
    return {};
}

Result<> FileSystem::mount_root(std::size_t root) {
    struct stat attributes {};
    if (::fstat(tree_->root_fd(root), &attributes) != 0) return fail("cannot stat a root", errno);
    fuse::SessionOptions options;
    options.point = tree_->root_path(root);
    options.source = "hamirror:" + options_.module;
    options.mount_flags = mount_flags_of(tree_->root_fd(root));
    options.root_mode = attributes.st_mode;
    options.workers = options_.workers;
    auto session = fuse::Session::mount(options, *operations_[root]);
    if (!session) return tl::unexpected(session.error());
    if (!(*session)->can_invalidate_entries()) operations_[root]->limit_entry_timeout();
    (*session)->start();
    sessions_.push_back(std::move(*session));
    return {};
}

void FileSystem::set_role(Role role) {
    if (role == Role::kFollowing) return shared_->serving_role.store(0);
    tree_->drop_transient();
    if (shared_->serving_role.load() == 0) shared_->serving_role.store(++serving_roles_);
}

Result<Duration> FileSystem::invalidate_all(Duration patience) {
    shared_->inodes->forget_syncs();
    Duration left{};
    for (std::size_t i = 0; i < sessions_.size(); ++i) {
        fuse::Session& session = *sessions_[i];
        if (!session.invalidate_all_entries())
            left = std::chrono::seconds(Operations::kShortTimeout_s);
        std::vector<std::uint64_t> nodes;
        for (FileId id : shared_->inodes->ids()) {
            auto at = tree_->root_of(id);
            if (at && *at == i) nodes.push_back(operations_[i]->node_of(id));
        }
        if (!session.invalidate_inodes(nodes, patience))
            return fail("a request on " + tree_->root_path(i) +
                            " was not answered in time; the mount was aborted",
                        ECONNABORTED);
    }
    return left;
}

Result<> FileSystem::sweep_orphans() {
    auto orphans = tree_->orphans();
    if (!orphans) return tl::unexpected(orphans.error());
    Result<> first;
    for (FileId id : *orphans) {
        auto root = tree_->root_of(id);
        if (!root) continue;
        auto gone = operations_[*root]->release_orphan(id);
        if (!gone && gone.error().code != ENOENT && first) first = gone;
    }
    return first;
}

Result<std::vector<fuse::Holder>> FileSystem::unmount(Duration bound) {
    std::vector<fuse::Holder> all;
    Result<> first;
    for (auto& session : sessions_) {
        auto holders = session->unmount(bound);
        if (holders)
            all.insert(all.end(), holders->begin(), holders->end());
        else if (first)
            first = tl::unexpected(holders.error());
    }
    if (!first) return tl::unexpected(first.error());
    return all;
}

Result<> FileSystem::leave() {
    Result<> first;
    for (auto& session : sessions_)
        if (auto left = session->leave(); !left && first) first = left;
    return first;
}

Result<> FileSystem::abort() {
    Result<> first;
    for (auto& session : sessions_)
        if (auto aborted = session->abort(); !aborted && first) first = aborted;
    return first;
}

const fuse::Session* FileSystem::session(std::size_t root) const {
    return root < sessions_.size() ? sessions_[root].get() : nullptr;
}

}  // namespace ha::replicatord
