#pragma once

#include <mutex>
#include <string>

#include "api/worker.h"
#include "base/result.h"

namespace ha::replicatord {

/// What this node changed alone, as its process before knew it: DIRECTORY/alone (docs/formats.md).
/// It tells people something and decides nothing, so a damaged file is none. Thread-safe.
class KeptAlone {
  public:
    explicit KeptAlone(const std::string& directory) : path_(directory + "/alone") {}

    /// At least so much, unless it was closed; without a decision: nothing was kept.
    [[nodiscard]] Result<api::ChangedAlone> read() const;
    /// Durable when it returns success. Whatever is changed after it is not in it.
    Result<> save(const api::ChangedAlone& changed);
    /// As save(), and nothing is changed any more: it is all there is.
    Result<> close(const api::ChangedAlone& changed);
    /// Gone for good when it returns success; what was changed since this decision is not saved any
    /// more, whoever still tries.
    Result<> forget(const Id128& decision);

  private:
    Result<> write(const api::ChangedAlone& changed, bool all);

    const std::string path_;
    std::mutex mutex_;
    Id128 forgotten_;
};

}  // namespace ha::replicatord
