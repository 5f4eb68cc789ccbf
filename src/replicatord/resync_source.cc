#include "replicatord/resync_source.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>

#include "io/clock.h"
#include "replicatord/file_handle.h"
#include "replicatord/inode_calls.h"

namespace ha::replicatord {

using namespace replication;

namespace {
constexpr Duration kProgressEvery = 250ms;
}

FrameBuilder frame_of(const Operation& operation) {
    const auto* write = std::get_if<Write>(&operation.body);
    FrameBuilder frame(FrameType::Operation, write != nullptr ? write->data.size() + 128 : 256);
    encode(operation, frame.out());
    frame.seal();
    return frame;
}

FrameBuilder frame_of(const CopyRecord& record) {
    FrameBuilder frame(FrameType::Copy);
    encode(record, frame.out());
    frame.seal();
    return frame;
}

ResyncSource::~ResyncSource() {
    stop();
    join();
}

void ResyncSource::join() {
    if (thread_.joinable()) thread_.join();
}

void ResyncSource::start(Sequence begin) {
    thread_ = std::thread([this, begin] { run(begin); });
}

void ResyncSource::stop() {
    std::scoped_lock lock(mutex_);
    stopping_ = true;
    changed_.notify_all();
}

void ResyncSource::answered(HashAnswer answer) {
    std::scoped_lock lock(mutex_);
    answers_.push_back(std::move(answer));
    changed_.notify_all();
}

Sequence ResyncSource::send(const CopyRecord& record) {
    return sink_.send(frame_of(record));
}

void ResyncSource::send(const Operation& operation) {
    sink_.send(frame_of(operation));
}

void ResyncSource::run(Sequence begin) {
    // The target looks through its whole tree first; nothing is sent into that time.
    if (!sink_.wait_accepted(begin)) return;
    if (auto walked = walk(); !walked) return sink_.failed(walked.error());
    {
        std::scoped_lock lock(mutex_);
        if (stopping_) return;
    }
    if (!sink_.wait_accepted(send({CopyEnd{}, {}}))) return;
    std::unique_lock lock(mutex_);
    const Counters counters = counters_;
    lock.unlock();
    sink_.complete(counters);
}

Result<> ResyncSource::walk() {
    if (auto added = add_roots(); !added) return added;
    for (;;) {
        auto more = step();
        if (!more) return tl::unexpected(more.error());
        if (!*more) return {};
        tell_progress();
        if (!sink_.wait_for_room()) return {};
    }
}

/// One answer, or one inode. False: nothing is left, or the pass was stopped.
Result<bool> ResyncSource::step() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] {
        return stopping_ || !answers_.empty() || (!todo_.empty() && requests_ < kRequests) ||
               (todo_.empty() && requests_ == 0);
    });
    if (stopping_) return false;
    Result<> done;
    if (!answers_.empty()) {
        HashAnswer answer = std::move(answers_.front());
        answers_.pop_front();
        lock.unlock();
        done = copy_zone(answer);
    } else if (!todo_.empty()) {
        Todo todo = todo_.back();
        todo_.pop_back();
        lock.unlock();
        done = process(todo);
    } else {
        // From here on every operation is sent as it is; no directory is left that could hide one.
        completed_ = filter_.complete();
        if (!completed_) return fail("the resync lost track of a file", EPROTO);
        return false;
    }
    if (!done) return tl::unexpected(done.error());
    return true;
}

void ResyncSource::queue(FileId id, FileId attached_to) {
    todo_.push_back({id, attached_to});
    ++counters_.files_found;
    changed_.notify_all();
}

void ResyncSource::gone(FileId id) {
    std::scoped_lock lock(mutex_);
    filter_.forget(id);
    ++counters_.files_done;
}

Result<> ResyncSource::add_roots() {
    auto orphans = tree_.orphans();
    if (!orphans) return tl::unexpected(orphans.error());
    for (FileId id : *orphans) {
        OrderLocks::Guard guard(locks_, {id});
        auto fd = tree_.open_by_id(id, O_PATH);
        if (!fd) continue;
        auto directory = tree_.orphan_directory(id);
        if (!directory || !entry_status(*directory, Tree::orphan_name(id))) continue;
        std::unique_lock lock(mutex_);
        if (!filter_.discover(id)) continue;
        queue(id);
        lock.unlock();
        auto record = to_record({id, {}, id, true});
        if (!record) return tl::unexpected(record.error());
        send(*record);
    }
    std::scoped_lock lock(mutex_);
    for (std::size_t i = 0; i < tree_.root_count(); ++i) {
        filter_.discover(Tree::root_id(i));
        queue(Tree::root_id(i));
    }
    return {};
}

// A new inode has no identity for a moment, and whoever makes it holds the lock of its directory
// for that moment; so do we, or it would get two. In small parts, so that the listing, under one
// hold, finds nothing left to write.
void ResyncSource::identify_children(FileId id) {
    constexpr std::size_t kPart = 64;
    auto directory = tree_.cached(id, O_RDONLY | O_DIRECTORY);
    if (!directory) return;
    auto names = entry_names((*directory)->get());
    if (!names) return;
    for (std::size_t at = 0; at < names->size(); at += kPart) {
        OrderLocks::Guard guard(locks_, {id});
        for (std::size_t i = at; i < std::min(at + kPart, names->size()); ++i) {
            struct stat attributes {};
            static_cast<void>(tree_.lookup(id, (*names)[i], &attributes));
        }
    }
}

// What an operation has attached is queued before the record that makes it at the target is sent,
// and an inode made by the operation itself (a whiteout) is locked by nobody: its directory is.
Result<> ResyncSource::process(Todo todo) {
    const FileId id = todo.id;
    { OrderLocks::Guard sent(locks_, {todo.attached_to}); }
    identify_children(id);
    OrderLocks::Guard guard(locks_, {id});
    auto fd = tree_.open_by_id(id, O_PATH);
    if (!fd && fd.error().code != ESTALE) return tl::unexpected(fd.error());
    auto attributes = fd ? status(fd->get()) : Result<struct stat>(tl::unexpected(fd.error()));
    if (!fd || (attributes && attributes->st_nlink == 0)) {
        gone(id);
        return {};
    }
    if (!attributes) return tl::unexpected(attributes.error());
    {
        std::scoped_lock lock(mutex_);
        if (filter_.mirrored(id)) return {};
    }
    if (S_ISDIR(attributes->st_mode)) return list(id, fd->get());
    if (!S_ISREG(attributes->st_mode)) return finish(id, fd->get());
    {
        std::scoped_lock lock(mutex_);
        ++requests_;
    }
    request(id);
    return {};
}

/// Under the order lock of `id`.
void ResyncSource::request(FileId id) {
    std::unique_lock lock(mutex_);
    auto progress = filter_.copy(id);
    lock.unlock();
    send({CopyHashes{id, progress.frontier, progress.token}, {}});
}

Result<std::vector<CopyEntry>> ResyncSource::entries(FileId id, int fd) {
    auto names = entry_names(fd);
    if (!names) return tl::unexpected(names.error());
    std::vector<CopyEntry> all;
    for (auto& name : *names) {
        if (tree_.hidden(id, name)) continue;
        struct stat attributes {};
        auto child = tree_.lookup(id, name, &attributes);
        if (!child) return tl::unexpected(child.error());
        if (Tree::transient(*child)) {
            return fail("\"" + name + "\" cannot be given an identity (immutable?)", EPERM);
        }
        CopyEntry entry{std::move(name), *child, attributes.st_mode, attributes.st_rdev, {}};
        if (S_ISLNK(attributes.st_mode)) {
            auto link = open_entry_path(fd, entry.name);
            if (!link) return tl::unexpected(link.error());
            auto target = read_target(link->get());
            if (!target) return tl::unexpected(target.error());
            entry.target = std::move(*target);
        }
        all.push_back(std::move(entry));
    }
    return all;
}

/// Under the order lock of the directory, from the first chunk to the last.
Result<> ResyncSource::list(FileId id, int path) {
    auto directory = tree_.cached(id, O_RDONLY | O_DIRECTORY);
    if (!directory) return tl::unexpected(directory.error());
    auto all = entries(id, (*directory)->get());
    if (!all) return tl::unexpected(all.error());
    auto attributes = read_attributes(path);
    if (!attributes) return tl::unexpected(attributes.error());
    for (std::size_t at = 0; at < all->size(); at += kMaxListed) {
        auto end = std::min(all->size(), at + kMaxListed);
        auto from = all->begin() + static_cast<std::ptrdiff_t>(at);
        auto to = all->begin() + static_cast<std::ptrdiff_t>(end);
        send({CopyList{id, {from, to}}, {}});
    }
    send({CopyListed{id, std::move(*attributes)}, {}});
    // The table changes after the record is sent: the children are not locked, and an operation on
    // one of them must not find it known before the target knows it. The other way round does no
    // harm: attaching what the target knows already is attaching by id.
    std::scoped_lock lock(mutex_);
    filter_.mirror(id);
    ++counters_.files_done;
    for (const auto& entry : *all) {
        if (filter_.discover(entry.id)) queue(entry.id);
    }
    return {};
}

/// All but content and names; the inode is mirrored then. Under its order lock.
Result<> ResyncSource::finish(FileId id, int fd) {
    auto attributes = read_attributes(fd);
    if (!attributes) return tl::unexpected(attributes.error());
    {
        std::scoped_lock lock(mutex_);
        filter_.mirror(id);
        ++counters_.files_done;
    }
    send({CopyFinal{id, std::move(*attributes)}, {}});
    return {};
}

void ResyncSource::tell_progress() {
    std::unique_lock lock(mutex_);
    const Instant now = io::boot_now();
    if (now - told_ < kProgressEvery) return;
    told_ = now;
    const Counters counters = counters_;
    lock.unlock();
    sink_.progress(counters);
}

}  // namespace ha::replicatord
