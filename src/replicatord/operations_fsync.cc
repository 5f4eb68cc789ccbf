#include <unistd.h>

#include "replicatord/operations_impl.h"

// fsync, fdatasync, fsync of a directory, and the second half of an O_DSYNC write: this node's disk
// and the peer's work in parallel, and the reply waits for both. A failure here is final: what the
// kernel could not write it has forgotten, so every later fsync of that inode fails, too.

namespace ha::replicatord {

int Operations::sync_locally(FileId id, bool data_only) {
    auto place = shared_.tree.place(id);
    if (!place) return ESTALE;
    const bool directory = (static_cast<unsigned>(place->kind) << 12U) == S_IFDIR;
    auto fd = shared_.tree.cached(id, directory ? kDirectory : O_RDWR);
    if (!fd) return fd.error().code;
    const int result = data_only ? ::fdatasync((*fd)->get()) : ::fsync((*fd)->get());
    if (result == 0) return 0;
    const int error = errno;
    shared_.inodes->visit(id, [&](fuse::InodeEntry& entry) {
        if (entry.sync_error == 0) entry.sync_error = error;
    });
    return error;
}

Operations::Outcome Operations::sync_now(Request& request, Sequence sequence, FileId id,
                                         bool data_only) {
    request.note_data_only = data_only;
    request.applied(sequence);
    request.expect_parts(2);
    shared_.journal.when_durable(sequence,
                                 [this, &request](int error) { sync_part(request, error); });
    sync_part(request, sync_locally(id, data_only));
    return replied();
}

void Operations::sync_part(Request& request, int error) {
    auto result = request.part_done(error);
    if (!result) return;
    if (*result == 0)
        shared_.inodes->visit(id_of(request), [&](fuse::InodeEntry& entry) {
            (request.note_data_only ? entry.synced_data : entry.synced) = request.note;
        });
    request.finish(*result);
}

bool Operations::unchanged(FileId id) {
    bool out = true;
    shared_.inodes->visit(id, [&](const fuse::InodeEntry& entry) { out = entry.changes <= 1; });
    return out;
}

/// The peer has no such inode: it was removed, or it is one that cannot be mirrored.
bool Operations::only_here(FileId id) {
    bool out = Tree::transient(id) || !shared_.tree.known(id);
    shared_.inodes->visit(id, [&](const fuse::InodeEntry& entry) {
        if ((entry.flags & fuse::InodeEntry::kGone) != 0) out = true;
    });
    return out;
}

/// Of an inode that is gone there is nothing to be made durable, and the call succeeds.
Operations::Outcome Operations::sync_only_here(FileId id, bool data_only) {
    const int error = sync_locally(id, data_only);
    return error == 0 || error == ESTALE ? done() : failed(error);
}

Operations::Outcome Operations::fsync(Request& request) {
    const FileId id = id_of(request);
    const bool data_only =
        (request.argument<fuse_fsync_in>().fsync_flags & FUSE_FSYNC_FDATASYNC) != 0;
    std::uint32_t changes = 0;
    bool nothing_new = false;
    int earlier = 0;
    Sequence sequence;
    if (!serving() && unchanged(id)) return done();  // a reader's fsync on the secondary
    {
        Admission admission(shared_.journal);
        if (admission.error() != 0) return failed(admission.error());
        OrderLocks::Guard guard(shared_.locks, {id});
        shared_.inodes->visit(id, [&](const fuse::InodeEntry& entry) {
            changes = entry.changes;
            nothing_new = entry.synced == changes || (data_only && entry.synced_data == changes);
            earlier = entry.sync_error;
        });
        if (earlier != 0) return failed(earlier);
        if (nothing_new) return done();
        if (only_here(id)) return sync_only_here(id, data_only);
        sequence = append({replication::Fsync{id, data_only}, {}}, {});
    }
    request.note = changes;
    return sync_now(request, sequence, id, data_only);
}

}  // namespace ha::replicatord
