#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "base/lease.h"
#include "clusterd_model.h"
#include "core/cluster/record.h"
#include "mirror_model.h"
#include "workers_model.h"

namespace ha::sim {

class World;

/// ha-clusterd's record of the module, as io/durable_file keeps it: written beside, synced, renamed
/// into place, the directory synced.
struct RecordFile {
    /// A reader sees it, and nobody knows whether a power loss leaves it or the one before.
    std::optional<cluster::Record> renamed;
    /// Its checksum does not match: ha-clusterd does not start on it.
    bool damaged = false;
};

/// Room on the file systems of a node.
struct Room {
    bool data_full = false;   // where the mirrored directories are
    bool state_full = false;  // where the daemons keep what they know
    bool reserve = true;      // what ha-clusterd can give up for its records then (io/disk_reserve)
};

/// The disk under the directories takes nothing: what is to be made durable waits until it thaws.
struct Freeze {
    bool now = false;
    bool whole = false;  // nor does the page cache take a write (fsfreeze(8)); else it does
    Time since{};
};

/// One server: power, a clock that drifts, what its disk keeps, and its processes.
class Host {
  public:
    Host(World& the_world, Node node);

    void power_on();
    /// The page cache and every process are gone; of what was not synced any part may be left.
    void power_off();
    [[nodiscard]] bool powered() const { return powered_; }
    /// Of what only its kernel held: by the power, or by the disk.
    [[nodiscard]] Time last_loss() const { return last_loss_; }
    [[nodiscard]] Owner owner() const { return owner_of(self); }
    [[nodiscard]] Host& peer() const;

    /// Runs if this boot still lasts then.
    void later(Duration delay, std::function<void()> task);
    /// What it lets this node hold, it holds until it runs out: then the workers let go, each by
    /// itself, and clusterd is told. Call whenever the lease may have begun.
    void watch_lease();
    /// `copy.disk` becomes what `copy.kernel` is now, after the time that takes; or there is no
    /// room for it.
    void flush(std::function<void()> done, std::function<void()> failed);
    void freeze(bool whole);
    /// What waits goes on.
    void thaw();
    /// A record fits on the disk, or what is kept for that makes it fit.
    [[nodiscard]] bool record_fits();
    void tick();

    [[nodiscard]] Instant clock() const;
    [[nodiscard]] Time when(Instant local) const;

    World& world;
    const Node self;
    Id128 boot;

    // the disk
    cluster::Record record;  // durable
    RecordFile record_file;
    Copy copy;
    Room room;
    Freeze frozen;
    /// What the disk held at a moment, and is to hold again (put_disk_back).
    struct Image {
        cluster::Record record;
        Copy copy;
    };
    std::optional<Image> image;
    bool rolled_back = false;  // it does, and this node has not been told that it is out of S
    /// The disk did not take what was written.
    void lose_pages();
    /// What a reader saw is durable from now on.
    void settle_record();

    /// Shared by all processes of this boot.
    Lease lease;

    ClusterdModel clusterd;
    MirrorModel mirror;
    WorkersModel workers;

  private:
    void tear();
    void flushed(std::function<void()> end);
    void background_sync();
    void look_at_lease();

    std::vector<std::function<void()>> frozen_flushes_;
    bool lease_watched_ = false;
    bool powered_ = false;
    Time last_loss_{-1};
    std::uint64_t boots_ = 0;
    const std::int64_t drift_ppm_;
    Duration offset_{};
};

}  // namespace ha::sim
