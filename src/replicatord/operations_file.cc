#include <unistd.h>

#include "replicatord/caller.h"
#include "replicatord/operations_impl.h"

// Data of files. The lower descriptor is one of the tree's, shared by all who have the inode open,
// so the flags of an open never reach it: the kernel resolves O_APPEND to an offset, O_TRUNC comes
// as a SETATTR, O_DIRECT is between the application and its page cache, and O_DSYNC is honoured for
// each write.

namespace ha::replicatord {
namespace {

/// Bytes written, or -errno if none were. A short write is an honest answer: the rest did not fit.
ssize_t write_all(int fd, std::span<const std::byte> data, std::uint64_t offset) {
    std::size_t done = 0;
    while (done < data.size()) {
        const ssize_t count =
            ::pwrite(fd, data.data() + done, data.size() - done, static_cast<off_t>(offset + done));
        if (count < 0 && errno == EINTR) continue;
        if (count < 0 && done == 0) return -errno;
        if (count <= 0) break;
        done += static_cast<std::size_t>(count);
    }
    return static_cast<ssize_t>(done);
}

constexpr int kPunch = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;

/// A descriptor that can be written; a file that only can be read has another (Tree::cached).
int write_error(int error) {
    return error == EBADF ? EPERM : error;
}

}  // namespace

/// Enters an open file and prepares the reply at `offset`; 0, or errno.
int Operations::prepare_open(Request& request, FileId id, std::uint32_t flags, std::size_t offset) {
    const std::uint32_t role = shared_.serving_role.load();
    const std::uint64_t handle = shared_.files->open({id, flags, role});
    if (handle == 0) return ENFILE;
    shared_.inodes->visit(id, [](fuse::InodeEntry& entry) { ++entry.opens; });
    request.undo_open(handle);
    fuse_open_out out{};
    out.fh = handle;
    out.open_flags = role != 0 ? FOPEN_KEEP_CACHE : FOPEN_DIRECT_IO;
    request.prepare(out, offset);
    return 0;
}

bool Operations::of_this_role(std::uint64_t handle) const {
    const auto file = shared_.files->find(handle);
    return file && file->role != 0 && file->role == shared_.serving_role.load();
}

// A file opened while serving is read through the kernel's cache. On a secondary nothing tells the
// kernel what the primary writes, so what it would read could be old for ever.
bool Operations::readable(std::uint64_t handle) const {
    const auto file = shared_.files->find(handle);
    return file && (file->role == 0 || serving());
}

Operations::Outcome Operations::open(Request& request) {
    const auto& in = request.argument<fuse_open_in>();
    const FileId id = id_of(request);
    if (!serving() && (in.flags & O_ACCMODE) != O_RDONLY) return failed(EROFS);
    // An unlink must see it open, or must be seen here.
    OrderLocks::Guard guard(shared_.locks, {id});
    auto fd = shared_.tree.cached(id, O_RDWR);
    if (!fd) return failed(fd.error());
    const int error = prepare_open(request, id, in.flags, 0);
    return error == 0 ? done() : failed(error);
}

Operations::Outcome Operations::release(Request& request) {
    auto file = shared_.files->close(request.argument<fuse_release_in>().fh);
    if (!file) return failed(EBADF);
    bool orphan = false;
    {
        OrderLocks::Guard guard(shared_.locks, {file->id});
        shared_.inodes->visit(file->id, [&](const fuse::InodeEntry& entry) {
            orphan = entry.opens == 1 && (entry.flags & fuse::InodeEntry::kOrphan) != 0;
        });
        shared_.inodes->close(file->id);
    }
    // What cannot be released now (a role change) is swept at the next promotion.
    if (orphan) static_cast<void>(release_orphan(file->id));
    return done();
}

Result<> Operations::release_orphan(FileId id) {
    Admission admission(shared_.journal);
    if (admission.error() != 0) return fail("this node is not the primary", admission.error());
    OrderLocks::Guard guard(shared_.locks, {id});
    const int orphans = shared_.tree.orphan_fd(root_);
    struct stat attributes {};
    const std::string name = Tree::orphan_name(id);
    if (::fstatat(orphans, name.c_str(), &attributes, AT_SYMLINK_NOFOLLOW) != 0)
        return fail("cannot find an orphan", errno);
    bool open = false;
    shared_.inodes->visit(id, [&](fuse::InodeEntry& entry) {
        open = entry.opens > 0;
        if (open) entry.flags |= fuse::InodeEntry::kOrphan;  // its last close comes back here
    });
    if (open) return {};
    if (::unlinkat(orphans, name.c_str(), S_ISDIR(attributes.st_mode) ? AT_REMOVEDIR : 0) != 0)
        return fail("cannot remove an orphan", errno);
    append({replication::Release{id}, {}}, {});
    if (S_ISDIR(attributes.st_mode) || attributes.st_nlink == 1) gone(id, attributes);
    return {};
}

Operations::Outcome Operations::read(Request& request) {
    const auto& in = request.argument<fuse_read_in>();
    if (!readable(in.fh)) return failed(EIO);
    auto fd = shared_.tree.cached(id_of(request), O_RDWR);
    if (!fd) return failed(fd.error());
    static thread_local std::vector<std::byte> buffer(fuse::kMaxWrite);
    const std::size_t size = std::min<std::size_t>(in.size, buffer.size());
    ssize_t count = 0;
    do {
        count = ::pread((*fd)->get(), buffer.data(), size, static_cast<off_t>(in.offset));
    } while (count < 0 && errno == EINTR);
    if (count < 0) return failed(errno);
    request.finish_with(std::span(buffer).first(static_cast<std::size_t>(count)));
    return replied();
}

Operations::Outcome Operations::write(Request& request) {
    const auto& in = request.argument<fuse_write_in>();
    const FileId id = id_of(request);
    auto data = request.rest(sizeof(in));
    if (data.size() != in.size || in.size > replication::kMaxData) return failed(EINVAL);
    if (Tree::transient(id)) return failed(EPERM);
    const bool durable = (in.flags & (O_DSYNC | O_SYNC)) != 0;
    Sequence sequence;
    {
        Admission admission(shared_.journal);
        if (admission.error() != 0) return failed(admission.error());
        // The kernel appends where it believes the end to be, and nothing updates that belief for a
        // file that stayed open. Stores to a mapping have an offset of their own (and a handle that
        // is anybody's).
        if ((in.write_flags & FUSE_WRITE_CACHE) == 0 && !of_this_role(in.fh)) return failed(EIO);
        auto holder = shared_.tree.cached(id, O_RDWR);
        if (!holder) return failed(holder.error());
        const int fd = (*holder)->get();
        act_for(request.header().uid, request.header().gid);
        OrderLocks::Guard guard(shared_.locks, {id});
        // Before the write, as a local file system does; it stands even if the write fails.
        if ((in.write_flags & FUSE_WRITE_KILL_SUIDGID) != 0)
            if (const int error = kill_set_id(id, fd)) return failed(error);
        struct stat before {};
        if (::fstat(fd, &before) != 0) return failed(errno);
        const ssize_t count = write_all(fd, data, in.offset);
        if (count < 0)
            return failed_having_touched(id, fd, write_error(static_cast<int>(-count)),
                                         before.st_size);
        const auto written = data.first(static_cast<std::size_t>(count));
        replication::Write body{id, in.offset, {written.begin(), written.end()}, durable};
        sequence = append({std::move(body), {stamp_of(id, fd)}}, {id});
        fuse_write_out out{};
        out.size = static_cast<std::uint32_t>(count);
        request.prepare(out);
        if (durable)
            shared_.inodes->visit(
                id, [&](const fuse::InodeEntry& entry) { request.note = entry.changes; });
    }
    if (!durable) return accepted(sequence);
    return sync_now(request, sequence, id, true);
}

Operations::Outcome Operations::fallocate(Request& request) {
    const auto& in = request.argument<fuse_fallocate_in>();
    const FileId id = id_of(request);
    if (Tree::transient(id)) return failed(EPERM);
    Admission admission(shared_.journal);
    if (admission.error() != 0) return failed(admission.error());
    auto holder = shared_.tree.cached(id, O_RDWR);
    if (!holder) return failed(holder.error());
    const int fd = (*holder)->get();
    act_for(request.header().uid, request.header().gid);

    OrderLocks::Guard guard(shared_.locks, {id});
    // The protocol has no flag for it here; root keeps the bits, as it does locally.
    if (request.header().uid != 0)
        if (const int error = kill_set_id(id, fd)) return failed(error);
    struct stat before {};
    if (::fstat(fd, &before) != 0) return failed(errno);
    const auto offset = static_cast<off_t>(in.offset);
    const auto length = static_cast<off_t>(in.length);
    if (::fallocate(fd, static_cast<int>(in.mode), offset, length) != 0) {
        const int error = write_error(errno);
        if (error == EOPNOTSUPP || error == EINVAL || error == EPERM) return failed(error);
        // Some of it may be zeroed, nobody knows how much: then all of it is, on both nodes.
        if ((in.mode & (FALLOC_FL_ZERO_RANGE | FALLOC_FL_PUNCH_HOLE)) != 0 &&
            ::fallocate(fd, kPunch, offset, length) == 0)
            append({replication::Allocate{id, kPunch, in.offset, in.length}, {}}, {id});
        return failed_having_touched(id, fd, error, before.st_size);
    }
    return accepted(append(
        {replication::Allocate{id, in.mode, in.offset, in.length}, {stamp_of(id, fd)}}, {id}));
}

Operations::Outcome Operations::lseek(Request& request) {
    const auto& in = request.argument<fuse_lseek_in>();
    auto fd = shared_.tree.cached(id_of(request), O_RDWR);
    if (!fd) return failed(fd.error());
    // The position itself is nobody's: all else is pread and pwrite.
    const off_t found =
        ::lseek((*fd)->get(), static_cast<off_t>(in.offset), static_cast<int>(in.whence));
    if (found < 0) return failed(errno);
    fuse_lseek_out out{};
    out.offset = static_cast<std::uint64_t>(found);
    request.prepare(out);
    return done();
}

}  // namespace ha::replicatord
