#pragma once

#include "core/replication/operation.h"
#include "replicatord/orphans.h"
#include "replicatord/tree.h"

namespace ha::replicatord {

/// Repeats the primary's operations on our tree, one after the other, exactly. Whatever does not
/// come out as it did there (an id nobody knows here, a name that exists, a full disk) is an error,
/// and then this copy cannot follow any more: nothing is guessed and nothing more is applied.
/// One thread uses it.
class Apply {
  public:
    Apply(Tree& tree, Orphans& orphans) : tree_(tree), orphans_(orphans) {}

    /// Fsync and the durability of a Write are not done here: see sync().
    Result<> apply(const replication::Operation& operation);
    /// What the durable result of an Fsync or a durable Write stands for. Any thread, after
    /// apply().
    static Result<> sync(Tree& tree, FileId id, bool data_only);

    /// Shared with the resync target.
    Result<> stamp(const std::vector<replication::TimeStamp>& stamps);
    /// Makes an inode, gives it its identity and leaves it open in `made` (O_PATH).
    Result<Fd> make(FileId parent, const replication::Create& create);
    /// The entry must be this inode. Its attributes.
    Result<struct stat> expect(FileId parent, const std::string& name, FileId id);
    Result<int> directory(FileId id, std::shared_ptr<const Fd>& holder);

    /// One for each kind of operation (std::visit).
    Result<> operator()(const replication::Write& write);
    Result<> operator()(const replication::Create& create);
    Result<> operator()(const replication::Link& link);
    Result<> operator()(const replication::Unlink& unlink);
    Result<> operator()(const replication::Rename& rename);
    Result<> operator()(const replication::SetAttributes& set);
    Result<> operator()(const replication::SetXattr& set);
    Result<> operator()(const replication::RemoveXattr& remove);
    Result<> operator()(const replication::Allocate& allocate);
    Result<> operator()(const replication::Fsync& fsync);
    Result<> operator()(const replication::Release& release);

  private:
    Result<> make_room(const replication::Rename& rename, bool& replaced_goes);
    Result<> adopt_whiteout(const replication::Rename& rename);

    Tree& tree_;
    Orphans& orphans_;
};

}  // namespace ha::replicatord
