#pragma once

#include <sys/stat.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/id128.h"
#include "base/result.h"
#include "base/strong.h"

namespace ha::replicatord {

/// An owned descriptor.
class Fd {
  public:
    Fd() = default;
    explicit Fd(int fd) : fd_(fd) {}
    ~Fd();
    Fd(Fd&& other) noexcept : fd_(other.release()) {}
    Fd& operator=(Fd&& other) noexcept;
    [[nodiscard]] int get() const { return fd_; }
    [[nodiscard]] int release() noexcept;
    explicit operator bool() const { return fd_ >= 0; }

  private:
    int fd_ = -1;
};

/// The real directories of one module on this node, below our own mounts, reached only through
/// descriptors opened before the mounts. Files are named by FileId.
///
/// Identity: each inode carries trusted.hamirror.id = (FileId, inode number, generation,
/// file-system UUID); it counts only if the last three match the inode that carries it, so a copied
/// or restored attribute deceives nobody. Handles: open_by_handle_at(2); descriptors are an LRU.
///
/// Ids are minted from blocks whose upper bound is durable before the block is used (IdBlock).
/// Thread-safe. Errors carry errno.
class Tree {
  public:
    struct Root {
        std::string path;                  // as configured; for messages only
        std::vector<std::string> exclude;  // glob patterns relative to it
    };

    /// Mints ids that were never used before, on either node (4-replication).
    using Mint = std::function<FileId()>;

    static Result<std::unique_ptr<Tree>> open(std::vector<Root> roots, Mint mint);
    ~Tree();

    /// FileId of the directory at index `i` of the roots: the fixed value i + 1.
    [[nodiscard]] static FileId root_id(std::size_t index) { return FileId{index + 1}; }
    [[nodiscard]] std::size_t root_count() const;
    /// The hidden directory of orphans of the root that holds `id` (same file system, directly
    /// below the root, named ".hamirror"; never visible through the mount). Orphans are named by
    /// id, in hex.
    Result<int> orphan_directory(FileId id);

    /// A descriptor for `id`, opened with `flags` (O_PATH by default). ESTALE/ENOENT: not known
    /// here.
    Result<Fd> open_by_id(FileId id, int flags);
    /// A shared cached O_PATH (directories: O_DIRECTORY readable) descriptor, valid while the
    /// pointer lives.
    Result<std::shared_ptr<const Fd>> cached(FileId id, int flags);

    /// The id of the entry `name` of directory `parent`; gives the inode an identity if it has
    /// none.
    Result<FileId> lookup(FileId parent, const std::string& name, struct stat* attributes);
    /// The identity the inode behind `fd` carries, value 0 if it has none that counts.
    Result<FileId> identity(int fd);
    /// Gives the inode behind `fd` this identity and makes it known.
    Result<> adopt(int fd, FileId id);
    [[nodiscard]] bool known(FileId id) const;
    /// Forgets what the index knows of an inode that is gone.
    void drop(FileId id);
    /// Walks everything and makes every inode that carries an identity known (needed on a target:
    /// operations name files by id). `progress` is called with the number of inodes seen.
    Result<> index_all(const std::function<void(std::uint64_t)>& progress);

    /// syncfs(2) of every file system the roots live on.
    Result<> sync_all();

  private:
    struct Impl;
    explicit Tree(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace ha::replicatord
