#include "replicatord/operations.h"

#include <array>
#include <cerrno>

#include "base/assert.h"
#include "replicatord/caller.h"
#include "replicatord/operations_impl.h"

namespace ha::replicatord {

struct Operations::Row {
    Function function = nullptr;
    std::size_t arguments = 0;  // least size of the arguments, names not counted
    bool may_wait = false;      // modifies, or waits for a disk
};

const Operations::Row* Operations::row_of(std::uint32_t opcode) {
    static const auto table = [] {
        using O = Operations;
        std::array<Row, 64> t{};
        t[FUSE_LOOKUP] = {&O::lookup};
        t[FUSE_FORGET] = {&O::forget, sizeof(fuse_forget_in)};
        t[FUSE_BATCH_FORGET] = {&O::batch_forget, sizeof(fuse_batch_forget_in)};
        t[FUSE_GETATTR] = {&O::getattr, sizeof(fuse_getattr_in)};
        t[FUSE_SETATTR] = {&O::setattr, sizeof(fuse_setattr_in), true};
        t[FUSE_READLINK] = {&O::readlink};
        t[FUSE_SYMLINK] = {&O::symlink, 0, true};
        t[FUSE_MKNOD] = {&O::mknod, sizeof(fuse_mknod_in), true};
        t[FUSE_MKDIR] = {&O::mkdir, sizeof(fuse_mkdir_in), true};
        t[FUSE_UNLINK] = {&O::unlink, 0, true};
        t[FUSE_RMDIR] = {&O::rmdir, 0, true};
        t[FUSE_RENAME] = {&O::rename, sizeof(fuse_rename_in), true};
        t[FUSE_RENAME2] = {&O::rename2, sizeof(fuse_rename2_in), true};
        t[FUSE_LINK] = {&O::link, sizeof(fuse_link_in), true};
        t[FUSE_OPEN] = {&O::open, sizeof(fuse_open_in)};
        t[FUSE_READ] = {&O::read, sizeof(fuse_read_in)};
        t[FUSE_WRITE] = {&O::write, sizeof(fuse_write_in), true};
        t[FUSE_STATFS] = {&O::statfs};
        t[FUSE_RELEASE] = {&O::release, sizeof(fuse_release_in), true};
        t[FUSE_FSYNC] = {&O::fsync, sizeof(fuse_fsync_in), true};
        t[FUSE_SETXATTR] = {&O::setxattr, sizeof(fuse_setxattr_in), true};
        t[FUSE_GETXATTR] = {&O::getxattr, sizeof(fuse_getxattr_in)};
        t[FUSE_LISTXATTR] = {&O::listxattr, sizeof(fuse_getxattr_in)};
        t[FUSE_REMOVEXATTR] = {&O::removexattr, 0, true};
        t[FUSE_OPENDIR] = {&O::opendir, sizeof(fuse_open_in)};
        t[FUSE_READDIR] = {&O::readdir, sizeof(fuse_read_in)};
        t[FUSE_READDIRPLUS] = {&O::readdirplus, sizeof(fuse_read_in)};
        t[FUSE_RELEASEDIR] = {&O::releasedir, sizeof(fuse_release_in)};
        t[FUSE_FSYNCDIR] = {&O::fsync, sizeof(fuse_fsync_in), true};
        t[FUSE_CREATE] = {&O::create, sizeof(fuse_create_in), true};
        t[FUSE_TMPFILE] = {&O::tmpfile, sizeof(fuse_create_in), true};
        t[FUSE_FALLOCATE] = {&O::fallocate, sizeof(fuse_fallocate_in), true};
        t[FUSE_LSEEK] = {&O::lseek, sizeof(fuse_lseek_in)};
        t[FUSE_IOCTL] = {&O::no_ioctl};
        t[FUSE_INTERRUPT] = {&O::ignore};  // half an operation is none of ours
        t[FUSE_NOTIFY_REPLY] = {&O::ignore};
        t[FUSE_DESTROY] = {&O::destroy};
        return t;
    }();
    static const Row unknown{&Operations::unsupported};
    if (opcode >= table.size() || table[opcode].function == nullptr) return &unknown;
    return &table[opcode];
}

void Operations::worker_started() {
    prepare_worker_thread();
}

bool Operations::may_wait(std::uint32_t opcode) const noexcept {
    return row_of(opcode)->may_wait;
}

void Operations::handle(Request& request) noexcept {
    const Row* row = row_of(request.header().opcode);
    Outcome outcome =
        request.rest(0).size() < row->arguments ? failed(EINVAL) : (this->*row->function)(request);
    if (outcome.replied) return;
    if (outcome.error != 0 || outcome.sequence.value == 0) return request.finish(outcome.error);
    request.applied(outcome.sequence);
    shared_.journal.when_accepted(outcome.sequence,
                                  [&request](int error) { request.finish(error); });
}

// Locks, flush, access, bmap, poll, copy_file_range, statx, syncfs: the kernel remembers the answer
// and does it by itself, or by other requests.
Operations::Outcome Operations::unsupported(Request&) {
    return failed(ENOSYS);
}
Operations::Outcome Operations::no_ioctl(Request&) {
    return failed(ENOTTY);
}
Operations::Outcome Operations::destroy(Request&) {
    return done();
}

Operations::Outcome Operations::ignore(Request& request) {
    request.no_reply();
    return replied();
}

void Operations::reply_lost(FileId referred, std::uint64_t opened) noexcept {
    if (auto file = shared_.files->close(opened)) shared_.inodes->close(file->id);
    if (referred.value != 0) forget(referred, 1);
}

std::uint64_t Operations::node_of(FileId id) const {
    return id == Tree::root_id(root_) ? FUSE_ROOT_ID : id.value;
}

FileId Operations::id_of(std::uint64_t node) const {
    return node == FUSE_ROOT_ID ? Tree::root_id(root_) : FileId{node};
}

Tree::Unknown Operations::unknown() const {
    return serving() ? Tree::Unknown::kMint : Tree::Unknown::kTransient;
}

int Operations::refuse_name(FileId parent, const std::string& name) const {
    if (name.size() > replication::kMaxName) return ENAMETOOLONG;
    if (shared_.tree.hidden(parent, name)) return EPERM;
    return Tree::transient(parent) ? EROFS : 0;
}

Sequence Operations::append(replication::Operation operation, std::initializer_list<FileId> ids) {
    for (FileId id : ids)
        shared_.inodes->visit(id, [](fuse::InodeEntry& entry) { ++entry.changes; });
    return shared_.journal.append(std::move(operation));
}

void Operations::gone(FileId id, struct stat attributes) {
    attributes.st_nlink = 0;
    const bool referred = shared_.inodes->visit(
        id, [](fuse::InodeEntry& entry) { entry.flags |= fuse::InodeEntry::kGone; });
    if (referred) {
        std::scoped_lock lock(shared_.ghosts_mutex);
        shared_.ghosts.insert_or_assign(id, attributes);
    }
    shared_.tree.drop(id);
}

bool Operations::refer(FileId id) {
    auto place = shared_.tree.place(id);
    return place && shared_.inodes->refer(id, *place);
}

void Operations::forget(FileId id, std::uint64_t references) {
    if (id == Tree::root_id(root_)) return;
    bool ghost = false;
    shared_.inodes->visit(id, [&](fuse::InodeEntry& entry) {
        ghost = (entry.flags & fuse::InodeEntry::kGone) != 0 && entry.lookups == references;
    });
    shared_.inodes->forget(id, references);
    if (!ghost) return;
    std::scoped_lock lock(shared_.ghosts_mutex);
    shared_.ghosts.erase(id);
}

}  // namespace ha::replicatord
