#pragma once

#include <sys/stat.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/id128.h"
#include "base/result.h"
#include "base/strong.h"
#include "io/fd.h"

namespace ha::replicatord {

using io::Fd;
struct Place;

/// The real directories of one module on this node, below our own mounts, reached only through
/// descriptors opened before the mounts. Files are named by FileId.
///
/// Identity: each inode carries trusted.hamirror.id = (FileId, bound to module, file system, inode
/// number and generation); it counts only on the very inode it was given to, so a copied or
/// restored attribute deceives nobody (identity.h). Handles: open_by_handle_at(2); descriptors are
/// a bounded LRU.
///
/// Ids are minted from blocks whose upper bound is durable before the block is used (IdMinter).
/// Thread-safe; takes no order lock. Errors carry errno.
class Tree {
  public:
    struct Root {
        std::string path;                  // as configured; for messages only, once opened
        std::vector<std::string> exclude;  // glob patterns relative to it; not supported yet
    };

    /// Mints ids that were never used before, on either node (4-replication). Value 0: it cannot.
    using Mint = std::function<FileId()>;

    /// What lookup() does with an inode that has no identity.
    enum class Unknown {
        kMint,      // gives it one; only the primary may
        kTransient  // names it by a transient id that nobody stores
    };

    /// `module` is part of what identities are bound to: a directory that once belonged to another
    /// module starts afresh. A mount point inside a root is refused, and so is a second root on or
    /// below a first.
    static Result<std::unique_ptr<Tree>> open(std::vector<Root> roots, Mint mint,
                                              Id128 module = {});
    ~Tree();
    Tree(const Tree&) = delete;
    Tree& operator=(const Tree&) = delete;

    /// FileId of the directory at index `i` of the roots: the fixed value i + 1.
    [[nodiscard]] static FileId root_id(std::size_t index) { return FileId{index + 1}; }
    /// Ids below this are roots; minted ones never are.
    static constexpr std::uint64_t kFirstMinted = 1U << 16U;
    /// Ids from this on are transient: they name inodes of this process only, never travel and are
    /// never stored.
    static constexpr std::uint64_t kFirstTransient = 1ULL << 63U;
    [[nodiscard]] static bool transient(FileId id) { return id.value >= kFirstTransient; }

    [[nodiscard]] std::size_t root_count() const;
    [[nodiscard]] const std::string& root_path(std::size_t index) const;
    /// Readable directory descriptor, open as long as the tree.
    [[nodiscard]] int root_fd(std::size_t index) const;
    /// Index of the root that holds `id`. ESTALE: not known here.
    Result<std::size_t> root_of(FileId id) const;

    /// The hidden directory of orphans of a root (".hamirror", mode 0700, directly below the root).
    /// The descriptor is open as long as the tree.
    static constexpr const char* kOrphanDirectory = ".hamirror";
    [[nodiscard]] int orphan_fd(std::size_t root) const;
    /// The same for the root that holds `id`.
    Result<int> orphan_directory(FileId id);
    /// Orphans are named by id: 16 lower-case hexadecimal digits.
    [[nodiscard]] static std::string orphan_name(FileId id);
    /// Is `name` in `parent` the orphan directory, which nobody may see or make?
    [[nodiscard]] bool hidden(FileId parent, const std::string& name) const;
    /// Every inode in the orphan directories.
    Result<std::vector<FileId>> orphans();

    /// A descriptor for `id`, opened with `flags` (O_PATH by default). ESTALE: not known here or
    /// gone. EOPNOTSUPP: only O_PATH is possible (fifo, socket, device, symbolic link).
    Result<Fd> open_by_id(FileId id, int flags);
    /// A shared cached descriptor, valid while the pointer lives. `flags`: O_PATH, O_RDWR (falls
    /// back to O_RDONLY where writing is impossible), O_RDONLY or O_RDONLY | O_DIRECTORY.
    Result<std::shared_ptr<const Fd>> cached(FileId id, int flags);

    /// The id of the entry `name` of directory `parent`; gives the inode an identity if it has
    /// none. ENOENT: no such name, or hidden.
    Result<FileId> lookup(FileId parent, const std::string& name, struct stat* attributes,
                          Unknown unknown = Unknown::kMint);
    /// The identity the inode behind `fd` (O_PATH is enough) carries, value 0 if it has none that
    /// counts.
    Result<FileId> identity(int fd);
    /// Gives the inode behind `fd` this identity and makes it known. `near` is any known inode of
    /// the same root, its parent for example.
    Result<> adopt(int fd, FileId id, FileId near);
    /// Mints an id for an inode about to be made.
    Result<FileId> mint();
    [[nodiscard]] bool known(FileId id) const;
    /// Where a known inode is, in the words of the file system (tree_index.h).
    [[nodiscard]] std::optional<Place> place(FileId id) const;
    /// Forgets what the index knows of an inode that is gone and closes its descriptors.
    void drop(FileId id);
    /// Forgets every transient id (before a promotion).
    void drop_transient();
    /// Walks everything and makes every inode that carries an identity known (needed on a target:
    /// operations name files by id).
    Result<> index_all();

    /// A name in a directory, as walk() shows it.
    struct Entry {
        std::size_t root = 0;
        std::uint64_t directory = 0;  // the inode number of the directory that holds it
        const char* name = "";
        const struct stat* inode = nullptr;
    };
    /// Shows every name but the orphan directories and what is in them. Gives nobody an identity.
    Result<> walk(const std::function<void(const Entry&)>& visit) const;

    /// syncfs(2) of every file system the roots live on.
    Result<> sync_all();

    /// A small write of its own, made durable, to the file system of each root in turn, in a file
    /// without a name. An error is an answer; it returns never where a disk hangs. One thread.
    void probe_disks();
    /// The root that probe_disks() asks, or asked last. Any thread.
    [[nodiscard]] const std::string& probed_path() const;

  private:
    struct Impl;
    explicit Tree(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace ha::replicatord
