#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "core/cluster/record.h"
#include "core/ports/register.h"
#include "io/background.h"
#include "io/disk_reserve.h"

namespace ha::clusterd {

inline constexpr const char* kStateDirectory = "/var/lib/hamirror/modules";

/// The records of this node's modules, one durable file each. Saving happens in a thread of its
/// own, so that a slow disk holds up decisions and never the heartbeats. A full disk does not keep
/// a module from being stopped: blocks are kept for that.
class RecordStore {
  public:
    RecordStore(io::Loop& loop, std::string directory);

    /// A module without a file is new: no decision, and meant to run. A damaged file is an error:
    /// the module must not be opened, for nobody knows whether its copy may lead.
    [[nodiscard]] Result<cluster::Record> load(const std::string& module) const;
    /// `saved` runs in the loop's thread once the record is durable. A failure ends the process:
    /// what is on disk is then unknown to it, and its successor reads it.
    void save(const std::string& module, const cluster::Record& record,
              std::function<void()> saved);

    /// How far this node has seen the witness's store; none yet: an empty stamp. As above.
    [[nodiscard]] Result<ports::RegisterStamp> load_seen() const;
    void save_seen(const ports::RegisterStamp& stamp, std::function<void()> saved);

  private:
    void write(const std::string& file, std::vector<std::byte> bytes,
               std::function<void()> written);
    [[nodiscard]] std::string path(const std::string& module) const;

    std::string directory_;
    io::DiskReserve reserve_;  // used in the background's thread
    io::Background background_;
};

}  // namespace ha::clusterd
