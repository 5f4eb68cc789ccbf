#pragma once

#include <array>
#include <cstddef>
#include <initializer_list>
#include <mutex>

#include "base/strong.h"

namespace ha::replicatord {

/// The order locks of a module: the local system call and the taking of the number happen under the
/// lock of every inode touched. A fixed number of shards; a guard takes its shards in ascending
/// order, each once, so guards never deadlock among themselves.
///
/// Lock order in ha-replicatord, outermost first:
///   OrderLocks -> Tree's index -> Mirror's queue -> a stream's TLS lock.
/// Replies to the kernel and completions run with none of them held.
class OrderLocks {
  public:
    static constexpr std::size_t kShards = 1024;

    class [[nodiscard]] Guard {
      public:
        /// At most four inodes: both parents, the moved one and the replaced one of a rename. Ids
        /// of value 0 are skipped.
        Guard(OrderLocks& locks, std::initializer_list<FileId> ids);
        ~Guard();
        Guard(const Guard&) = delete;
        Guard& operator=(const Guard&) = delete;

      private:
        OrderLocks& locks_;
        std::array<std::size_t, 4> shards_{};
        std::size_t count_ = 0;
    };

  private:
    std::array<std::mutex, kShards> shards_;
};

}  // namespace ha::replicatord
