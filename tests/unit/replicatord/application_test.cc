#include "application.h"

#include <fcntl.h>
#include <linux/falloc.h>
#include <stdio.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "replicatord/identity.h"

// The random application of the mirror tests (mirror_test.cc).

namespace ha::replicatord::testing_pair {

using namespace replication;

namespace {
constexpr std::uint64_t kPage = 4096;
}

void Application::run(std::uint64_t seed, int operations) {
    Random random(seed);
    for (int i = 0; i < operations; ++i) {
        if (journal_.admit() != 0) return;
        one(random);
        journal_.leave();
        ++done;
    }
}

void Application::one(Random& random) {
    switch (random() % 20) {
        case 0:
        case 1:
        case 2:
            return create(random);
        case 3:
            return link(random);
        case 4:
        case 5:
            return unlink(random);
        case 6:
        case 7:
            return rename(random);
        case 8:
            return resize(random);
        case 9:
        case 10:
            return allocate(random);
        case 11:
            return attributes(random);
        case 12:
            return xattr(random);
        case 13:
            return sync(random);
        case 14:
            return open_or_close(random);
        default:
            return write(random);
    }
}

void Application::append(Body body, std::vector<TimeStamp> stamps, bool durable) {
    {
        std::scoped_lock lock(mutex_);
        ++waiting_;
    }
    Sequence sequence = journal_.append({std::move(body), std::move(stamps)});
    auto completion = [this](int error) {
        std::scoped_lock lock(mutex_);
        --waiting_;
        if (error != 0) ++errors_;
        changed_.notify_all();
    };
    if (durable) {
        journal_.when_durable(sequence, completion);
    } else {
        journal_.when_accepted(sequence, completion);
    }
}

int Application::finish() {
    for (;;) {
        std::unique_lock lock(mutex_);
        if (open_.empty()) break;
        FileId id = *open_.begin();
        lock.unlock();
        if (journal_.admit() != 0) break;
        release(id);
        journal_.leave();
    }
    std::unique_lock lock(mutex_);
    bool all = changed_.wait_for(lock, std::chrono::seconds(60), [&] { return waiting_ == 0; });
    return all ? errors_ : -1;
}

std::vector<TimeStamp> Application::stamps(std::initializer_list<FileId> ids) {
    std::vector<TimeStamp> all;
    for (FileId id : ids) {
        auto fd = tree_.open_by_id(id, O_PATH);
        if (!fd) continue;
        if (auto now = status(fd->get())) all.push_back({id, file_time(now->st_mtim)});
    }
    return all;
}

FileId Application::directory(Random& random) {
    std::scoped_lock lock(mutex_);
    return directories_[random() % directories_.size()];
}

FileId Application::file(Random& random) {
    std::scoped_lock lock(mutex_);
    return files_.empty() ? FileId{} : files_[random() % files_.size()];
}

Application::Target Application::look(FileId parent, const std::string& name) {
    Target target;
    target.parent = parent;
    target.name = name;
    auto id = tree_.lookup(parent, name, &target.attributes);
    if (id) target.id = *id;
    return target;
}

Application::Target Application::find(Random& random) {
    FileId parent = directory(random);
    Target target;
    target.parent = parent;
    target.name = "n" + std::to_string(random() % 12);
    // Without the lock nobody may give an identity: the inode may be about to get its own.
    auto id = tree_.lookup(parent, target.name, &target.attributes, Tree::Unknown::kTransient);
    if (id) target.id = *id;
    return target;
}

void Application::create(Random& random) {
    static constexpr mode_t kTypes[] = {S_IFREG, S_IFREG, S_IFREG, S_IFDIR, S_IFLNK, S_IFIFO};
    Target at = find(random);
    const mode_t type = kTypes[random() % 6];
    const bool nameless = type == S_IFREG && random() % 8 == 0;
    auto id = tree_.mint();
    OrderLocks::Guard guard(locks_, {at.parent, *id});
    auto parent = tree_.cached(at.parent, O_RDONLY | O_DIRECTORY);
    if (!parent) return;
    int where = nameless ? *tree_.orphan_directory(at.parent) : (*parent)->get();
    std::string name = nameless ? Tree::orphan_name(*id) : at.name;
    const mode_t mode = type | (random() % 2 ? 0640 : 0755);
    int made = -1;
    if (type == S_IFDIR) made = ::mkdirat(where, name.c_str(), mode & 07777);
    if (type == S_IFLNK) made = ::symlinkat("to/nowhere", where, name.c_str());
    if (type == S_IFREG || type == S_IFIFO) made = ::mknodat(where, name.c_str(), mode, 0);
    if (made != 0) return;
    auto fd = open_entry_path(where, name);
    if (!fd || !tree_.adopt(fd->get(), *id, at.parent)) std::abort();
    auto now = status(fd->get());
    Create op{at.parent,   nameless ? "" : name, *id, now->st_mode,
              now->st_uid, now->st_gid,          0,   type == S_IFLNK ? "to/nowhere" : "",
              {}};
    append(op, nameless ? stamps({*id}) : stamps({*id, at.parent}));
    std::scoped_lock lock(mutex_);
    if (type == S_IFDIR && directories_.size() < 24) directories_.push_back(*id);
    if (type == S_IFREG) files_.push_back(*id);
    if (nameless) open_.insert(*id);
}

void Application::link(Random& random) {
    FileId id = file(random);
    if (id.value == 0) return;
    Target at = find(random);
    OrderLocks::Guard guard(locks_, {at.parent, id});
    auto fd = tree_.open_by_id(id, O_PATH);
    auto parent = tree_.cached(at.parent, O_RDONLY | O_DIRECTORY);
    if (!fd || !parent) return;
    if (::linkat(fd->get(), "", (*parent)->get(), at.name.c_str(), AT_EMPTY_PATH) != 0) return;
    // An orphan that gets a name is none any more.
    auto orphans = tree_.orphan_directory(id);
    if (::unlinkat(*orphans, Tree::orphan_name(id).c_str(), 0) == 0) {
        std::scoped_lock lock(mutex_);
        open_.erase(id);
    }
    append(Link{id, at.parent, at.name}, stamps({at.parent}));
}

bool Application::keeps(const Target& target) {
    std::scoped_lock lock(mutex_);
    return S_ISREG(target.attributes.st_mode) && target.attributes.st_nlink == 1 &&
           open_.contains(target.id);
}

bool Application::move_to_orphans(int parent, const Target& target) {
    auto orphans = tree_.orphan_directory(target.id);
    return orphans && ::renameat(parent, target.name.c_str(), *orphans,
                                 Tree::orphan_name(target.id).c_str()) == 0;
}

void Application::unlink(Random& random) {
    Target at = find(random);
    if (at.id.value == 0) return;
    OrderLocks::Guard guard(locks_, {at.parent, at.id});
    Target now = look(at.parent, at.name);
    auto parent = tree_.cached(at.parent, O_RDONLY | O_DIRECTORY);
    if (now.id != at.id || !parent) return;
    const bool kept = keeps(now);
    const bool is_directory = S_ISDIR(now.attributes.st_mode);
    if (kept) {
        if (!move_to_orphans((*parent)->get(), now)) std::abort();
    } else {
        const int flags = is_directory ? AT_REMOVEDIR : 0;
        if (::unlinkat((*parent)->get(), at.name.c_str(), flags) != 0) return;
        if (is_directory || now.attributes.st_nlink == 1) tree_.drop(at.id);
    }
    append(Unlink{at.parent, at.name, at.id, kept}, stamps({at.parent}));
    std::scoped_lock lock(mutex_);
    if (is_directory) std::erase(directories_, at.id);
}

void Application::rename(Random& random) {
    static constexpr unsigned kFlags[] = {
        0, 0, 0, RENAME_NOREPLACE, RENAME_EXCHANGE, RENAME_EXCHANGE, RENAME_WHITEOUT};
    Target from = find(random);
    Target to = find(random);
    if (from.id.value == 0) return;
    unsigned flags = kFlags[random() % 7];
    auto whiteout = flags == RENAME_WHITEOUT ? *tree_.mint() : FileId{};
    OrderLocks::Guard guard(locks_, {from.parent, to.parent, from.id, to.id});
    if (look(from.parent, from.name).id != from.id) return;
    Target replaced = look(to.parent, to.name);
    if (replaced.id != to.id) return;
    auto old_parent = tree_.cached(from.parent, O_RDONLY | O_DIRECTORY);
    auto new_parent = tree_.cached(to.parent, O_RDONLY | O_DIRECTORY);
    if (!old_parent || !new_parent) return;
    if (flags == RENAME_EXCHANGE && to.id.value == 0) return;
    if (from.id == to.id) return;
    const bool kept = flags != RENAME_EXCHANGE && to.id.value != 0 && keeps(replaced) &&
                      flags != RENAME_NOREPLACE && !S_ISDIR(from.attributes.st_mode);
    if (kept && !move_to_orphans((*new_parent)->get(), replaced)) std::abort();
    if (::renameat2((*old_parent)->get(), from.name.c_str(), (*new_parent)->get(), to.name.c_str(),
                    flags) != 0) {
        if (kept) std::abort();
        return touched({from.parent, to.parent});
    }
    if (to.id.value != 0 && flags != RENAME_EXCHANGE && !kept) {
        if (S_ISDIR(replaced.attributes.st_mode) || replaced.attributes.st_nlink == 1) {
            tree_.drop(to.id);
            std::scoped_lock lock(mutex_);
            std::erase(directories_, to.id);
        }
    }
    if (whiteout.value != 0) {
        auto fd = open_entry_path((*old_parent)->get(), from.name);
        if (!fd || !tree_.adopt(fd->get(), whiteout, from.parent)) std::abort();
    }
    auto times = stamps({from.parent, to.parent});
    // Times of a whiteout are those of its making.
    for (auto& stamp : stamps({whiteout})) times.push_back(stamp);
    append(
        Rename{from.parent, from.name, to.parent, to.name, from.id, to.id, kept, flags, whiteout},
        times);
}

/// A call failed, but ext4 changed mtime before it found that it cannot: collapsing and inserting
/// ranges do that, and a rename with a whiteout over a directory that is not empty.
void Application::touched(std::initializer_list<FileId> ids) {
    SetAttributes nothing;
    nothing.id = *ids.begin();
    append(nothing, stamps(ids));
}

void Application::write(Random& random) {
    FileId id = file(random);
    if (id.value == 0) return;
    const bool durable = random() % 16 == 0;
    Write op{id, random() % (random() % 16 == 0 ? 40U << 20 : 600U << 10), {}, durable};
    op.data.resize(1 + random() % (random() % 8 == 0 ? 200000 : 9000));
    for (auto& byte : op.data) byte = static_cast<std::byte>(random() >> 56);
    OrderLocks::Guard guard(locks_, {id});
    auto fd = tree_.cached(id, O_RDWR);
    if (!fd || !write_all((*fd)->get(), op.data, op.offset)) return;
    append(std::move(op), stamps({id}), durable);
}

void Application::resize(Random& random) {
    FileId id = file(random);
    if (id.value == 0) return;
    SetAttributes op;
    op.id = id;
    op.mask = SetAttributes::kSize;
    op.size = random() % (random() % 8 == 0 ? 30U << 20 : 500U << 10);
    OrderLocks::Guard guard(locks_, {id});
    auto fd = tree_.cached(id, O_RDWR);
    if (!fd || ::ftruncate((*fd)->get(), static_cast<off_t>(op.size)) != 0) return;
    append(op, stamps({id}));
}

void Application::allocate(Random& random) {
    static constexpr int kModes[] = {0,
                                     FALLOC_FL_KEEP_SIZE,
                                     FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                                     FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                                     FALLOC_FL_ZERO_RANGE,
                                     FALLOC_FL_COLLAPSE_RANGE,
                                     FALLOC_FL_INSERT_RANGE};
    FileId id = file(random);
    if (id.value == 0) return;
    Allocate op{id, static_cast<std::uint32_t>(kModes[random() % 7]), random() % 100 * kPage,
                (1 + random() % 60) * kPage};
    OrderLocks::Guard guard(locks_, {id});
    auto fd = tree_.cached(id, O_RDWR);
    if (!fd) return;
    if (::fallocate((*fd)->get(), static_cast<int>(op.mode), static_cast<off_t>(op.offset),
                    static_cast<off_t>(op.length)) != 0) {
        return touched({id});
    }
    append(op, stamps({id}));
}

void Application::attributes(Random& random) {
    FileId id = random() % 3 == 0 ? directory(random) : file(random);
    if (id.value == 0) return;
    SetAttributes op;
    op.id = id;
    op.mask = SetAttributes::kMode | SetAttributes::kOwner | SetAttributes::kMtime;
    op.mode = 0700 | (random() & 07077);
    op.uid = static_cast<std::uint32_t>(random() % 5);
    op.gid = static_cast<std::uint32_t>(random() % 5);
    op.mtime = {static_cast<std::int64_t>(random() % 2000000000), 123456789};
    OrderLocks::Guard guard(locks_, {id});
    auto fd = tree_.open_by_id(id, O_PATH);
    if (!fd) return;
    if (!set_owner(fd->get(), op.uid, op.gid) || !set_mode(fd->get(), op.mode) ||
        !set_times(fd->get(), nullptr, &op.mtime)) {
        return;
    }
    append(op, {});
}

void Application::xattr(Random& random) {
    FileId id = file(random);
    if (id.value == 0) return;
    std::string name = "user.x" + std::to_string(random() % 4);
    OrderLocks::Guard guard(locks_, {id});
    auto fd = tree_.open_by_id(id, O_PATH);
    if (!fd) return;
    if (random() % 3 == 0) {
        if (remove_xattr(fd->get(), name)) append(RemoveXattr{id, name}, {});
        return;
    }
    Xattr value{name, std::vector<std::byte>(random() % 50)};
    if (set_xattr(fd->get(), value)) append(SetXattr{id, value}, {});
}

void Application::sync(Random& random) {
    FileId id = file(random);
    if (id.value == 0) return;
    OrderLocks::Guard guard(locks_, {id});
    if (!tree_.cached(id, O_RDONLY)) return;
    append(Fsync{id, random() % 2 == 0}, {}, true);
}

void Application::open_or_close(Random& random) {
    FileId id = file(random);
    if (id.value == 0) return;
    std::unique_lock lock(mutex_);
    if (!open_.contains(id)) {
        open_.insert(id);
        return;
    }
    lock.unlock();
    release(id);
}

void Application::release(FileId id) {
    OrderLocks::Guard guard(locks_, {id});
    {
        std::scoped_lock lock(mutex_);
        open_.erase(id);
    }
    auto orphans = tree_.orphan_directory(id);
    if (!orphans || ::unlinkat(*orphans, Tree::orphan_name(id).c_str(), 0) != 0) return;
    tree_.drop(id);
    append(Release{id}, {});
}

}  // namespace ha::replicatord::testing_pair
