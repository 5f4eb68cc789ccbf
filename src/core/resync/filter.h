#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>

#include "core/replication/operation.h"

// What of the running application's operations is sent while a copy is being rebuilt.
//
// Every inode is, as far as the target goes, *unknown*, *known* (there is an inode with its id,
// whatever is in it), *copying* (a file, equal below the frontier) or *mirrored* (equal, at this
// position of the stream). A directory is known or mirrored. An operation on what is mirrored is
// sent as it is; on what is not it is left out, because the copy will read its result; a write
// across the frontier is cut at it. A name that moves between a mirrored directory and another one
// becomes a removal (Detach) or an addition (Attach) on the mirrored side.
//
// All calls for one inode are made under its order lock, so that its state changes at one position
// of the stream; the caller's mutex protects the table itself.

namespace ha::resync {

/// The entry appears at the target; see CopyAttach. The caller adds what the inode is made of.
struct Attach {
    FileId parent;
    std::string name;  // empty: in the orphan directory
    FileId id;
    bool discovered = false;  // it was unknown: it must be copied
};
/// The entry goes at the target; see CopyDetach.
struct Detach {
    FileId parent;
    std::string name;  // empty: its orphan, if it has one
    FileId id;
    bool kept = false;
};

struct Action {
    std::variant<replication::Operation, Attach, Detach> what;
    std::vector<replication::TimeStamp> stamps;  // of an Attach or Detach
};

class Filter {
  public:
    /// What is to be sent instead of the operation, in this order; nothing: it is left out.
    std::vector<Action> pass(replication::Operation operation);

    /// The target is about to have an inode with this id. True: it did not know it; it is pending.
    bool discover(FileId id);
    void mirror(FileId id);
    /// It turned out to be gone.
    void forget(FileId id);

    /// A file's copy begins, or begins again at its frontier. The token changes whenever the
    /// target's content beyond the frontier may have changed otherwise than by copying.
    struct Progress {
        std::uint64_t frontier = 0;
        std::uint64_t token = 0;
    };
    Progress copy(FileId id);
    void advance(FileId id, std::uint64_t frontier);

    [[nodiscard]] bool known(FileId id) const { return states_.contains(id); }
    [[nodiscard]] bool mirrored(FileId id) const;
    /// Nothing that is known is not mirrored.
    [[nodiscard]] bool complete() const { return pending_ == 0; }
    [[nodiscard]] std::size_t pending() const { return pending_; }

  private:
    enum class Stage : std::uint8_t { Known, Copying, Mirrored };
    struct State {
        Stage stage = Stage::Known;
        Progress progress;
    };
    using Actions = std::vector<Action>;

    Actions names(const replication::Create& create);
    Actions names(const replication::Link& link);
    Actions names(const replication::Unlink& unlink);
    Actions names(const replication::Rename& rename);
    Actions exchange(const replication::Rename& rename, bool from, bool to);
    void attach(FileId parent, const std::string& name, FileId id, Actions& actions);
    bool content(replication::Operation& operation);
    bool cut(replication::Write& write);
    bool cut(replication::SetAttributes& set);
    bool cut(const replication::Allocate& allocate);
    State* copying(FileId id);

    std::unordered_map<FileId, State> states_;
    std::size_t pending_ = 0;
};

}  // namespace ha::resync
