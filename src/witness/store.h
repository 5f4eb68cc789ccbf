#pragma once

#include <array>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "core/witness/registers.h"
#include "io/background.h"
#include "io/fd.h"
#include "io/identity.h"

namespace ha::witness {

// The files of a witness: DIRECTORY/node.pem, its key, and DIRECTORY/clusters/STORE, a durable file
// for each cluster.

/// Whoever holds this is the only one that writes there. Error, also: somebody else holds it.
Result<io::Fd> lock_store(const std::string& directory);

/// The witness's key, made when the directory is new. Error, also: clusters without a key.
Result<io::Identity> witness_identity(const std::string& directory);

/// What every file says; of one that cannot be used, why. What was read is durable. Error: the
/// directory itself cannot be read.
using Loaded = std::map<Id128, Result<Cluster>>;
Result<Loaded> load_clusters(const std::string& directory);

/// Durably, if it returns success.
Result<> remove_cluster(const std::string& directory, const Id128& store);

/// Writes a file whole by a thread, clusters in parallel, so that a slow disk holds up nobody's
/// connections and hundreds of clusters that all decide at once do not wait for each other's fsync.
class Store {
  public:
    Store(io::Loop& loop, std::string directory);

    enum class Outcome { Written, NotWritten, Unknown };
    /// Written: durable. NotWritten: the file is as it was, for good. Unknown: neither is certain,
    /// and the cluster may not be used until the file was read by a new process.
    using Done = std::function<void(Outcome, const std::string& why)>;
    /// One call at a time for each cluster. `before` is what the file holds now; nothing: no file.
    void write(const std::optional<Cluster>& before, const Cluster& next, Done done);

  private:
    std::string directory_;
    std::array<std::unique_ptr<io::Background>, 16> lanes_;
};

}  // namespace ha::witness
