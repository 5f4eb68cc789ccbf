#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/id128.h"
#include "base/result.h"
#include "base/time.h"
#include "replicatord/fuse/mounts.h"
#include "replicatord/operations.h"
#include "replicatord/tree.h"

namespace ha::replicatord {

struct FileSystemOptions {
    std::string module;             // its name; df shows "hamirror:NAME"
    Id128 module_id;                // what identities are bound to
    std::vector<Tree::Root> roots;  // mounted over, each
    unsigned workers = 0;           // of each mount; 0: twice the cores, between 4 and 16
};

/// The mounts of one module over its directories, and the tree below them.
///
///     open()  ->  mount()  ->  set_role(), invalidate_all(), ...  ->  unmount()
///
/// open() removes mounts that an earlier process left, so that the tree below is reached. One
/// thread at a time, and never one that the journal's completions wait for. The process must not
/// touch a path below a mount.
class FileSystem {
  public:
    /// `journal` must outlive this, and before this goes must have run, or dropped, every
    /// completion it was given.
    static Result<std::unique_ptr<FileSystem>> open(FileSystemOptions options, Tree::Mint mint,
                                                    Journal& journal);
    ~FileSystem();
    FileSystem(const FileSystem&) = delete;
    FileSystem& operator=(const FileSystem&) = delete;

    [[nodiscard]] Tree& tree() { return *tree_; }
    /// The order locks, for whoever copies from the tree while it serves (resync).
    [[nodiscard]] OrderLocks& locks() { return shared_->locks; }

    /// Mounts over every root. All or none. Role: following, until told otherwise.
    Result<> mount();

    /// What the kernel may cache from now on. In a role change (role_change.h): the journal answers
    /// whoever waits and refuses the rest, set_role(), invalidate_all(); only then it admits again.
    void set_role(Role role);
    /// The kernel forgets all it cached: data, attributes, names. Returns how much longer a *name*
    /// may be remembered: 0, or on kernels that cannot be told to forget names (before 6.16) the
    /// short time such a name is good for; the caller lets it pass before it admits anything.
    /// A modification that waits would block this: then, after `patience`, the mount is aborted
    /// and the error is ECONNABORTED.
    Result<Duration> invalidate_all(Duration patience);
    /// Removes orphans that nobody has open (left by a crash, or by the former primary), on both
    /// nodes. On the primary; waits until the journal admits. Any thread, beside the others.
    Result<> sweep_orphans();

    /// Unmounts each root within about `bound`; what is busy goes lazily and its users get errors.
    /// Returns the processes that kept it busy. The journal must not make anybody wait any more:
    /// the workers are joined.
    Result<std::vector<fuse::Holder>> unmount(Duration bound);
    /// Ends the service with the mounts left where they are, dead, until a later open() takes them
    /// away: what still runs gets errors and never the directories below. As unmount(): nobody may
    /// be made to wait any more.
    Result<> leave();
    /// Every request fails from now on (forced demotion, last resort).
    Result<> abort();

    /// Inodes the kernel knows, and requests' connection numbers; for status.
    [[nodiscard]] std::uint32_t known_inodes() const { return shared_->inodes->size(); }
    [[nodiscard]] const fuse::Session* session(std::size_t root) const;

  private:
    FileSystem(FileSystemOptions options, std::unique_ptr<Tree> tree, Journal& journal);
    Result<> make_tables();
    Result<> mount_root(std::size_t root);

    const FileSystemOptions options_;
    std::unique_ptr<Tree> tree_;
    std::unique_ptr<Shared> shared_;
    std::vector<std::unique_ptr<Operations>> operations_;  // by root
    std::vector<std::unique_ptr<fuse::Session>> sessions_;
    std::uint32_t serving_roles_ = 0;
};

}  // namespace ha::replicatord
