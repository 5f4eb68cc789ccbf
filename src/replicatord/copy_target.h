#pragma once

#include <functional>
#include <map>

#include "core/replication/copy.h"
#include "replicatord/apply.h"

namespace ha::replicatord {

/// The resync on the node whose copy is rebuilt: makes what the copy records say (docs/resync.md).
/// A directory whose listing was applied, and a file whose CopyFinal was, equal the source's at
/// that position of the stream; what is below may hold anything still. One thread uses it, the one
/// that applies operations.
class CopyTarget {
  public:
    CopyTarget(Tree& tree, Orphans& orphans, Apply& apply)
        : tree_(tree), orphans_(orphans), apply_(apply) {}

    using Answered = std::function<void(replication::HashAnswer)>;
    /// Barrier and TellIn are not for here.
    Result<> apply(const replication::CopyRecord& record, const Answered& answered);

  private:
    Result<> begin();
    Result<> listed(const replication::CopyListed& listed);
    Result<> settle_entry(FileId directory, const std::string& name,
                          const replication::CopyEntry* wanted);
    Result<> place(FileId parent, const replication::CopyEntry& entry);
    Result<> place_known(FileId parent, const replication::CopyEntry& entry, const Fd& fd);
    Result<> move_directory(int fd, int parent, const std::string& name);
    Result<> attach(const replication::CopyAttach& attach);
    Result<> detach(const replication::CopyDetach& detach);
    Result<replication::HashAnswer> hashes(const replication::CopyHashes& request);
    Result<> finish(FileId id, const replication::Attributes& attributes);
    Result<bool> adoptable(int fd, const replication::CopyEntry& wanted);

    Tree& tree_;
    Orphans& orphans_;
    Apply& apply_;
    std::map<FileId, std::vector<replication::CopyEntry>> listing_;
    bool in_pass_ = false;
};

}  // namespace ha::replicatord
