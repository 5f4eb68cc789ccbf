#include <sys/stat.h>
#include <unistd.h>

#include "replicatord/caller.h"
#include "replicatord/identity.h"
#include "replicatord/operations_impl.h"

// SETATTR: chown, chmod, truncate, utimensat. The steps are made in the order in which a local file
// system would let them stand (chown clears set-uid, truncation changes mtime), then the inode is
// read back and what came out is recorded. If a step fails those before it have happened, and are
// recorded.

namespace ha::replicatord {
namespace {

using Attributes = replication::SetAttributes;

int set_owner(int fd, const fuse_setattr_in& in) {
    const uid_t uid = (in.valid & FATTR_UID) != 0 ? in.uid : static_cast<uid_t>(-1);
    const gid_t gid = (in.valid & FATTR_GID) != 0 ? in.gid : static_cast<gid_t>(-1);
    return ::fchownat(fd, "", uid, gid, AT_EMPTY_PATH) == 0 ? 0 : errno;
}

int set_mode(int fd, std::uint32_t mode) {
    return ::chmod(proc_path(fd).c_str(), mode & 07777U) == 0 ? 0 : errno;
}

timespec time_to_set(std::uint32_t valid, std::uint32_t given, std::uint32_t now,
                     std::uint64_t seconds, std::uint32_t nanoseconds) {
    if ((valid & now) != 0) return {0, UTIME_NOW};
    if ((valid & given) == 0) return {0, UTIME_OMIT};
    return {static_cast<time_t>(seconds), static_cast<long>(nanoseconds)};
}

int set_times(int fd, const fuse_setattr_in& in) {
    const timespec times[2] = {
        time_to_set(in.valid, FATTR_ATIME, FATTR_ATIME_NOW, in.atime, in.atimensec),
        time_to_set(in.valid, FATTR_MTIME, FATTR_MTIME_NOW, in.mtime, in.mtimensec)};
    return ::utimensat(fd, "", times, AT_EMPTY_PATH) == 0 ? 0 : errno;
}

/// The bits that a write, truncation or chown by an ordinary user takes from a file.
std::uint32_t without_set_id(std::uint32_t mode) {
    if ((mode & S_IXGRP) != 0) mode &= ~static_cast<std::uint32_t>(S_ISGID);
    return mode & ~static_cast<std::uint32_t>(S_ISUID);
}

Attributes outcome_of(FileId id, std::uint32_t mask, const struct stat& now) {
    Attributes out{};
    out.id = id;
    out.mask = mask;
    out.mode = now.st_mode & 07777U;
    out.uid = now.st_uid;
    out.gid = now.st_gid;
    out.size = static_cast<std::uint64_t>(now.st_size);
    out.atime = file_time(now.st_atim);
    out.mtime = file_time(now.st_mtim);
    return out;
}

/// Makes the steps `in` asks for; `done` collects those that happened. 0, or the first errno.
int make_steps(Tree& tree, FileId id, int fd, const fuse_setattr_in& in, std::uint32_t& done) {
    if ((in.valid & (FATTR_UID | FATTR_GID)) != 0) {
        if (const int error = set_owner(fd, in)) return error;
        done |= Attributes::kOwner;
    }
    if ((in.valid & FATTR_MODE) != 0) {
        if (const int error = set_mode(fd, in.mode)) return error;
        done |= Attributes::kMode;
    }
    if ((in.valid & FATTR_SIZE) != 0) {
        auto file = tree.cached(id, O_RDWR);
        if (!file) return file.error().code;
        if (::ftruncate((*file)->get(), static_cast<off_t>(in.size)) != 0) return errno;
        done |= Attributes::kSize;
    }
    constexpr std::uint32_t kAtime = FATTR_ATIME | FATTR_ATIME_NOW;
    constexpr std::uint32_t kMtime = FATTR_MTIME | FATTR_MTIME_NOW;
    if ((in.valid & (kAtime | kMtime)) != 0) {
        if (const int error = set_times(fd, in)) return error;
        if ((in.valid & kAtime) != 0) done |= Attributes::kAtime;
        if ((in.valid & kMtime) != 0) done |= Attributes::kMtime;
    }
    return 0;
}

}  // namespace

int Operations::kill_set_id(FileId id, int fd) {
    struct stat now {};
    if (::fstat(fd, &now) != 0) return errno;
    const std::uint32_t mode = without_set_id(now.st_mode);
    if (mode == now.st_mode || !S_ISREG(now.st_mode)) return 0;
    if (const int error = set_mode(fd, mode)) return error;
    now.st_mode = mode;
    append({outcome_of(id, Attributes::kMode, now), {}}, {id});
    return 0;
}

Operations::Outcome Operations::failed_having_touched(FileId id, int fd, int error, off_t size) {
    struct stat now {};
    if (::fstat(fd, &now) != 0) return failed(errno);
    std::uint32_t mask = 0;
    if (S_ISREG(now.st_mode) && now.st_size != size) mask = Attributes::kSize;
    append({outcome_of(id, mask, now), {{id, file_time(now.st_mtim)}}}, {id});
    return failed(error);
}

Operations::Outcome Operations::set_ghost(Request& request) {
    const auto& in = request.argument<fuse_setattr_in>();
    const FileId id = id_of(request);
    fuse_attr_out out{};
    {
        std::scoped_lock lock(shared_.ghosts_mutex);
        auto found = shared_.ghosts.find(id);
        if (found == shared_.ghosts.end()) return failed(ESTALE);
        struct stat& ghost = found->second;
        if ((in.valid & FATTR_MODE) != 0)
            ghost.st_mode = (ghost.st_mode & S_IFMT) | (in.mode & 07777U);
        if ((in.valid & FATTR_UID) != 0) ghost.st_uid = in.uid;
        if ((in.valid & FATTR_GID) != 0) ghost.st_gid = in.gid;
        timespec now{};
        ::clock_gettime(CLOCK_REALTIME, &now);
        const auto given = [&](std::uint64_t seconds, std::uint32_t nanoseconds) {
            return timespec{static_cast<time_t>(seconds), static_cast<long>(nanoseconds)};
        };
        if ((in.valid & FATTR_ATIME) != 0) ghost.st_atim = given(in.atime, in.atimensec);
        if ((in.valid & FATTR_MTIME) != 0) ghost.st_mtim = given(in.mtime, in.mtimensec);
        if ((in.valid & FATTR_ATIME_NOW) != 0) ghost.st_atim = now;
        if ((in.valid & FATTR_MTIME_NOW) != 0) ghost.st_mtim = now;
        fill(out, id, ghost);
    }
    request.prepare(out);
    return done();
}

Operations::Outcome Operations::setattr(Request& request) {
    const auto& in = request.argument<fuse_setattr_in>();
    const FileId id = id_of(request);
    if (Tree::transient(id)) return failed(EPERM);
    Admission admission(shared_.journal);
    if (admission.error() != 0) return failed(admission.error());
    auto holder = shared_.tree.cached(id, O_PATH);
    if (!holder) return is_ghost(id) ? set_ghost(request) : failed(holder.error());
    const int fd = (*holder)->get();
    act_for(request.header().uid, request.header().gid);

    OrderLocks::Guard guard(shared_.locks, {id});
    struct stat before {};
    struct stat after {};
    if (::fstat(fd, &before) != 0) return failed(errno);
    std::uint32_t mask = 0;
    int error = make_steps(shared_.tree, id, fd, in, mask);
    if (error == 0 && (in.valid & FATTR_KILL_SUIDGID) != 0 && S_ISREG(before.st_mode) &&
        (in.valid & FATTR_MODE) == 0 && without_set_id(before.st_mode) != before.st_mode)
        error = set_mode(fd, without_set_id(before.st_mode));
    if (::fstat(fd, &after) != 0) return failed(errno);
    if (after.st_mode != before.st_mode) mask |= Attributes::kMode;
    fuse_attr_out out{};
    fill(out, id, after);
    request.prepare(out);
    if (mask == 0) return failed(error);
    replication::Operation operation{outcome_of(id, mask, after), {}};
    if ((mask & Attributes::kSize) != 0) operation.stamps.push_back({id, file_time(after.st_mtim)});
    Sequence sequence = append(std::move(operation), {id});
    return error == 0 ? accepted(sequence) : failed(error);
}

}  // namespace ha::replicatord
