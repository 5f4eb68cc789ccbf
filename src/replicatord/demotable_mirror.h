#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>

#include "replicatord/mirror.h"

namespace ha::replicatord {

/// The mirror, while there is one. One thread opens and closes it and carries out its orders, and
/// may wait for a disk meanwhile; a forced demotion comes from another one and waits for none.
/// What was ordered before the demotion and is not done yet is void then.
class DemotableMirror {
  public:
    // ---- the order thread
    void open(std::unique_ptr<Mirror> mirror);
    void close();
    Mirror* operator->() const { return mirror_.get(); }
    Mirror& operator*() const { return *mirror_; }
    explicit operator bool() const { return mirror_ != nullptr; }
    /// Gives the mirror a role, if no demotion came since there were `demotions`. Else a mirror
    /// that was opened meanwhile is demoted too. `begin` must not block.
    bool begin(std::uint64_t demotions, const std::function<void(Mirror&)>& begin);

    // ---- any thread
    /// How many came so far: noted with each order that a later one makes void.
    [[nodiscard]] std::uint64_t demotions() const;
    /// Mirror::fail_held() at once. False: there is no mirror now; it counts all the same.
    bool demote();

  private:
    mutable std::mutex mutex_;  // before all of the mirror's
    std::unique_ptr<Mirror> mirror_;
    std::uint64_t demotions_ = 0;
};

}  // namespace ha::replicatord
