#pragma once

#include <sys/stat.h>

#include <atomic>
#include <mutex>
#include <string>
#include <unordered_map>

#include "replicatord/fuse/session.h"
#include "replicatord/fuse/tables.h"
#include "replicatord/journal.h"
#include "replicatord/order_locks.h"
#include "replicatord/tree.h"

namespace ha::replicatord {

/// What a mount does now. kServing: this node is the primary and the only writer, so the kernel may
/// cache everything for ever. kFollowing: operations of the primary change the tree beneath, so it
/// caches nothing.
enum class Role { kServing, kFollowing };

/// What all mounts of a module share.
struct Shared {
    Shared(Tree& the_tree, Journal& the_journal) : tree(the_tree), journal(the_journal) {}

    Tree& tree;
    Journal& journal;
    OrderLocks locks;
    std::unique_ptr<fuse::InodeTable> inodes;
    std::unique_ptr<fuse::OpenTable> files;
    /// While serving: the number of this serving role. 0: following.
    std::atomic<std::uint32_t> serving_role = 0;

    // The last attributes of inodes that are gone while the kernel still refers to them (a removed
    // directory that is somebody's working directory): fstat(2), fchmod(2) and their like work
    // locally, too. The peer has no such inode and is told nothing.
    std::mutex ghosts_mutex;
    std::unordered_map<FileId, struct stat> ghosts;
};

/// The file system of one mount: FUSE requests to system calls on the tree and operations for the
/// journal. Each modification goes through the six steps of journal.h; a small function each.
class Operations : public fuse::Handler {
  public:
    Operations(Shared& shared, std::size_t root) : shared_(shared), root_(root) {}

    /// Names are cached this long at most where the kernel cannot forget all of them at once.
    static constexpr std::uint32_t kShortTimeout_s = 1;
    void limit_entry_timeout() { short_entries_ = true; }

    void worker_started() override;
    void handle(fuse::Request& request) noexcept override;
    [[nodiscard]] bool may_wait(std::uint32_t opcode) const noexcept override;
    void reply_lost(FileId referred, std::uint64_t opened) noexcept override;

    /// Removes an orphan that nobody has open, here and on the peer.
    Result<> release_orphan(FileId id);

    /// The FUSE node id of an inode: the root is 1 by definition, others are their FileId.
    [[nodiscard]] std::uint64_t node_of(FileId id) const;

  private:
    /// How an operation ended: with an errno; with success, now or when `sequence` is accepted; or
    /// it has replied (or will) by itself.
    struct Outcome {
        int error = 0;
        Sequence sequence;
        bool replied = false;
    };
    static Outcome failed(int error) { return {error, {}, false}; }
    static Outcome failed(const Error& error) {
        return {error.code != 0 ? error.code : EIO, {}, false};
    }
    static Outcome done() { return {}; }
    static Outcome accepted(Sequence sequence) { return {0, sequence, false}; }
    static Outcome replied() { return {0, {}, true}; }

    using Request = fuse::Request;
    using Function = Outcome (Operations::*)(Request&);
    struct Row;
    static const Row* row_of(std::uint32_t opcode);

    // operations_lookup.cc
    Outcome lookup(Request& request);
    Outcome forget(Request& request);
    Outcome batch_forget(Request& request);
    Outcome getattr(Request& request);
    Outcome readlink(Request& request);
    Outcome statfs(Request& request);
    // operations_setattr.cc
    Outcome setattr(Request& request);
    Outcome set_ghost(Request& request);
    // operations_create.cc
    Outcome symlink(Request& request);
    Outcome mknod(Request& request);
    Outcome mkdir(Request& request);
    Outcome create(Request& request);
    Outcome tmpfile(Request& request);
    // operations_names.cc
    Outcome unlink(Request& request);
    Outcome rmdir(Request& request);
    Outcome rename(Request& request);
    Outcome rename2(Request& request);
    Outcome link(Request& request);
    // operations_file.cc
    Outcome open(Request& request);
    Outcome release(Request& request);
    Outcome read(Request& request);
    Outcome write(Request& request);
    Outcome fallocate(Request& request);
    Outcome lseek(Request& request);
    // operations_fsync.cc
    Outcome fsync(Request& request);
    // operations_xattr.cc
    Outcome setxattr(Request& request);
    Outcome getxattr(Request& request);
    Outcome listxattr(Request& request);
    Outcome removexattr(Request& request);
    // operations_directory.cc
    Outcome opendir(Request& request);
    Outcome readdir(Request& request);
    Outcome readdirplus(Request& request);
    Outcome releasedir(Request& request);
    // operations.cc
    Outcome unsupported(Request& request);
    Outcome no_ioctl(Request& request);
    Outcome ignore(Request& request);
    Outcome destroy(Request& request);

    struct NewInode;
    struct Move;
    Outcome make(Request& request, std::string name, NewInode& what);
    Outcome record_new(Request& request, int holder, const std::string& name, NewInode& what);
    int make_below(const NewInode& what, int parent, const std::string& name);
    Outcome remove(Request& request, bool directory);
    Outcome move(Request& request, const Move& move);
    Outcome record_move(const Move& move, FileId id, FileId replaced, bool kept, int old_fd,
                        int new_fd);
    struct Reading;
    Outcome list(Request& request, bool plus);
    bool add_entries(Reading& reading, std::span<const std::byte> entries);
    bool describe(Reading& reading, const char* name, std::uint64_t lower, fuse_direntplus& out);
    std::uint64_t dots_inode(const Reading& reading, const char* name, std::uint64_t lower);
    Outcome kill_set_gid(FileId id, int fd, Sequence sequence);
    Outcome sync_now(Request& request, Sequence sequence, FileId id, bool data_only);
    void sync_part(Request& request, int error);
    int sync_locally(FileId id, bool data_only);
    bool only_here(FileId id);
    Outcome sync_only_here(FileId id, bool data_only);
    /// Has nobody changed it through this mount since the kernel knows it?
    bool unchanged(FileId id);

    [[nodiscard]] FileId id_of(std::uint64_t node) const;
    [[nodiscard]] FileId id_of(const Request& request) const {
        return id_of(request.header().nodeid);
    }
    [[nodiscard]] bool serving() const { return shared_.serving_role.load() != 0; }
    [[nodiscard]] Tree::Unknown unknown() const;
    /// May this name be made here? 0, or errno.
    [[nodiscard]] int refuse_name(FileId parent, const std::string& name) const;

    Result<struct stat> attributes_of(FileId id);
    [[nodiscard]] bool is_ghost(FileId id);
    void fill(fuse_attr& out, FileId id, const struct stat& attributes);
    void fill(fuse_attr_out& out, FileId id, const struct stat& attributes);
    void fill(fuse_entry_out& out, FileId id, const struct stat& attributes);
    /// Prepares an entry as the reply. The reference it gives out is counted already (refer).
    void prepare_entry(Request& request, FileId id, const struct stat& attributes);
    /// One more reference of the kernel's; false: the table is full.
    bool refer(FileId id);
    void forget(FileId id, std::uint64_t references);
    [[nodiscard]] std::uint64_t entry_timeout_s() const;
    [[nodiscard]] std::uint64_t attribute_timeout_s() const;

    /// Counts a modification of each of `ids` (for fsync) and takes the number.
    Sequence append(replication::Operation operation, std::initializer_list<FileId> ids);
    /// The inode is gone: forget it, but keep what fstat(2) may still ask for.
    void gone(FileId id, struct stat attributes);
    /// Clears set-uid and set-gid as a write by an ordinary user does, and appends that. Under the
    /// order lock. 0, or errno.
    int kill_set_id(FileId id, int fd);
    /// After a system call that failed: appends what it may have left behind all the same, the
    /// modification time, and the size if it is another than before (`size`; a resync has to
    /// compare anew after a change of size). Under the order lock. Returns `error`.
    Outcome failed_having_touched(FileId id, int fd, int error, off_t size = 0);
    int prepare_open(Request& request, FileId id, std::uint32_t flags, std::size_t offset);
    /// Was the file opened in the serving role of now? Since an earlier one others have written.
    [[nodiscard]] bool of_this_role(std::uint64_t handle) const;
    [[nodiscard]] bool readable(std::uint64_t handle) const;

    Shared& shared_;
    const std::size_t root_;
    bool short_entries_ = false;
};

}  // namespace ha::replicatord
