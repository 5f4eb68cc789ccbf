#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "base/lease.h"
#include "base/result.h"
#include "io/loop.h"

// The lease of a module in memory that ha-clusterd, ha-vipd, ha-watchdog and ha-replicatord@M
// share: one page of a file below /run, which no boot survives.

namespace ha::io {

inline constexpr const char* kLeaseDirectory = "/run/hamirror/lease";

class LeasePage {
  public:
    /// The one of `module`, made if there is none. A file that is no lease (of another build) is
    /// replaced: then nothing is held under it.
    static Result<std::shared_ptr<LeasePage>> open(const std::string& module,
                                                   const std::string& directory = kLeaseDirectory);
    ~LeasePage();
    LeasePage(const LeasePage&) = delete;
    LeasePage& operator=(const LeasePage&) = delete;

    [[nodiscard]] Lease& lease() const { return page_->lease; }

  private:
    struct Page {
        std::uint64_t format;
        Lease lease;
    };
    explicit LeasePage(Page* page) : page_(page) {}
    static Result<Page*> map(int fd, const std::string& path);

    Page* page_;
};

/// Calls back once when a lease has run out. Loop's thread.
class LeaseWatch {
  public:
    LeaseWatch(Loop& loop, std::shared_ptr<LeasePage> page, std::function<void()> on_expired)
        : page_(std::move(page)), timer_(loop), on_expired_(std::move(on_expired)) {}

    /// Whenever the lease may have begun or ended: from here on it is watched, as long as it is
    /// bounded. True: it has run out already, and on_expired is not called for that.
    bool look();
    [[nodiscard]] Lease& lease() const { return page_->lease(); }

  private:
    void on_time();

    std::shared_ptr<LeasePage> page_;
    Timer timer_;
    std::function<void()> on_expired_;
};

/// Those of all modules, for a worker that serves them all. Loop's thread.
class LeaseWatches {
  public:
    LeaseWatches(Loop& loop, std::function<void(const std::string& module)> on_expired,
                 std::string directory = kLeaseDirectory)
        : loop_(loop), on_expired_(std::move(on_expired)), directory_(std::move(directory)) {}

    /// LeaseWatch::look() at that module's. An error: its page cannot be used, so nothing may be
    /// held that rests on it.
    Result<bool> look(const std::string& module);

  private:
    Loop& loop_;
    std::function<void(const std::string& module)> on_expired_;
    std::string directory_;
    std::map<std::string, std::unique_ptr<LeaseWatch>> watches_;
};

}  // namespace ha::io
