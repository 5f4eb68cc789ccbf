#pragma once

#include <map>
#include <set>
#include <string>

#include "replicatord/tree.h"

namespace ha::replicatord {

/// The secondary's use of the orphan directories. An entry is *kept* (the primary holds the same
/// orphan, until Release) or *doubtful* (put there by a resync; freed when the pass ends unless
/// something took it out or the source turned out to keep it). One thread uses it.
class Orphans {
  public:
    explicit Orphans(Tree& tree) : tree_(tree) {}

    /// parent/name -> orphan, named by id. If that orphan exists already (another link of the same
    /// inode) the name is only removed.
    Result<> keep(FileId parent, const std::string& name, FileId id);
    /// The orphan becomes one more name of parent/name.
    Result<> link(FileId parent, const std::string& name, FileId id);
    /// keep(), doubtful. Value 0: an inode without identity.
    Result<> displace(FileId parent, const std::string& name, FileId id);
    /// Is there an orphan of `id`, the same inode as `of`?
    Result<bool> holds(FileId id, const struct stat& of);
    /// The orphan of `id` gets the name parent/name. ENOENT: there is none.
    Result<> take_out(FileId id, FileId parent, const std::string& name);
    /// Removes the orphan of `id`, if there is one, and forgets the inode if that was its last
    /// name.
    Result<> release(FileId id);
    /// The source keeps it too.
    void confirm(FileId id);
    /// It does not any more.
    void doubt(FileId id);

    /// Every orphan becomes doubtful. Until the pass ends the trees carry a mark, since the orphans
    /// are not only what was deleted: set_displaced_aside().
    Result<> begin_pass();
    Result<> end_pass();
    /// Frees what is still doubtful, directories with all that is in them.
    Result<> free_doubtful();

  private:
    Result<> move(FileId parent, const std::string& name, FileId id, bool doubtful);
    Result<> free_entry(int directory, const std::string& name);

    Tree& tree_;
    std::map<std::size_t, std::set<std::string>> doubtful_;  // by root
    std::uint64_t unnamed_ = 0;
};

/// Before a node serves: if a pass that rebuilt its copy never ended, what that had moved aside are
/// files that live elsewhere in the source's tree, and perhaps nowhere else by now. They get names
/// that no sweep looks for (kSetAside and the id) and stay in the orphan directory until a later
/// pass is through. How many.
inline constexpr const char* kSetAside = "set-aside-";
Result<std::size_t> set_displaced_aside(Tree& tree);

}  // namespace ha::replicatord
