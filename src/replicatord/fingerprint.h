#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/id128.h"
#include "base/result.h"

// Between a common stop and the next start the directories are plain and writable, and the start
// compares nothing: it takes the copies for identical. So the stop ends with a walk that notes what
// every inode looks like, and the start begins with another one. A change sets an inode's change
// time to another value, in whatever direction the clock was set meanwhile.

namespace ha::replicatord {

class Tree;

/// Of all the module's trees: every name with its inode's number, type, mode, owner, links, size,
/// mtime and ctime. The orphan directories, which are the mirror's own, are left out; so are access
/// times. Equal: nobody changed anything.
struct Fingerprint {
    std::uint64_t names = 0;
    Id128 sum;

    auto operator<=>(const Fingerprint&) const = default;
};

/// Walks everything. Nothing may change meanwhile. Change times go by ticks (CLOCK_REALTIME_COARSE,
/// clock_gettime(2)), or by seconds where the file system keeps no more; a tick, or a second if
/// none of the times noted has a fraction, begins before this returns, so that the next change has
/// another time than the last one noted.
Result<Fingerprint> take_fingerprint(const Tree& tree);

/// The one kept in a module's store, DIRECTORY/fingerprint (docs/formats.md, "Fingerprint").
class KeptFingerprint {
  public:
    explicit KeptFingerprint(const std::string& directory) : path_(directory + "/fingerprint") {}

    [[nodiscard]] bool exists() const;
    /// nullopt: there is none.
    [[nodiscard]] Result<std::optional<Fingerprint>> read() const;
    /// Durable when it returns success. nullopt: one was to be taken and could not; it equals none.
    [[nodiscard]] Result<> write(const std::optional<Fingerprint>& fingerprint) const;
    /// Gone for good when it returns success. None there is success.
    [[nodiscard]] Result<> remove() const;

  private:
    std::string path_;
};

}  // namespace ha::replicatord
