#include "host.h"

#include <algorithm>
#include <utility>

#include "world.h"

namespace ha::sim {

namespace {

constexpr std::int64_t kMillion = 1'000'000;

}  // namespace

Host::Host(World& the_world, Node node)
    : world(the_world),
      self(node),
      clusterd(*this),
      mirror(*this),
      workers(*this),
      drift_ppm_(world.weather.drift_ppm[index_of(node)]) {
    offset_ = world.random.between(0s, 1000s);
}

Host& Host::peer() const {
    return world.host(other(self));
}

Instant Host::clock() const {
    auto now = world.now().count();
    return Instant(Duration(now + now * drift_ppm_ / kMillion) + offset_);
}

Time Host::when(Instant local) const {
    auto since = (local - clock()).count();
    return world.now() + Duration(since * kMillion / (kMillion + drift_ppm_)) + 1us;
}

void Host::later(Duration delay, std::function<void()> task) {
    world.scheduler.after(delay, owner(), [this, boots = boots_, task = std::move(task)] {
        if (powered_ && boots == boots_) task();
    });
}

void Host::watch_lease() {
    if (!lease.bounded() || lease.expired(clock()) || std::exchange(lease_watched_, true)) return;
    look_at_lease();
}

void Host::look_at_lease() {
    const auto expiry = lease.expiry();
    const bool ran_out = lease.expired(clock());
    if (!expiry || ran_out) {
        lease_watched_ = false;
        if (!ran_out) return;
        world.say(*this, [] { return std::string("## the lease has run out"); });
        ++world.totals.expired_leases;
        workers.lease_expired();
        mirror.lease_expired();
        return clusterd.lease_expired();
    }
    world.scheduler.at(std::max(when(*expiry), world.now() + 1us), owner(), [this, boots = boots_] {
        if (powered_ && boots == boots_) look_at_lease();
    });
}

void Host::flush(std::function<void()> done, std::function<void()> failed) {
    bool slow = world.random.chance(world.weather.slow_disk);
    Duration takes = slow ? world.random.between(10ms, 1500ms) : world.random.between(100us, 8ms);
    auto end = [this, snapshot = copy.kernel, version = copy.version, progress = copy.progress,
                done = std::move(done), failed = std::move(failed)] {
        if (room.data_full && world.random.chance(30)) return failed();
        if (version >= copy.disk_version) {
            copy.disk = snapshot;
            copy.disk_version = version;
            if (progress.own >= copy.disk_progress.own) copy.disk_progress = progress;
        }
        done();
    };
    later(takes, [this, end = std::move(end)] { flushed(end); });
}

void Host::flushed(std::function<void()> end) {
    if (!frozen.now) return end();
    frozen_flushes_.push_back(std::move(end));
}

void Host::freeze(bool whole) {
    frozen = {true, whole, world.now()};
}

void Host::thaw() {
    if (!frozen.now) return;
    frozen = {};
    for (auto& end : std::exchange(frozen_flushes_, {})) {
        later(world.random.between(100us, 8ms), [this, end = std::move(end)] { flushed(end); });
    }
    mirror.thawed();
}

bool Host::record_fits() {
    if (!room.state_full) {
        room.reserve = true;
        return true;
    }
    // Somebody else may be quicker to use what is given up.
    return std::exchange(room.reserve, false) || world.random.chance(500);
}

void Host::background_sync() {
    later(world.random.between(1s, 2s), [this] {
        mirror.note_progress();
        flush([] {}, [this] { mirror.local_failure(); });
        background_sync();
    });
}

void Host::tick() {
    later(world.random.between(95ms, 105ms), [this] {
        mirror.tick();
        clusterd.tick();
        tick();
    });
}

void Host::power_on() {
    if (powered_) return;
    powered_ = true;
    ++boots_;
    lease.end();
    lease_watched_ = false;
    boot = world.random.id();
    if (world.mutant == Mutant::TrustPowerVictim) record.open_boot = {};
    background_sync();
    tick();
    later(world.random.between(1ms, 500ms), [this] {
        mirror.start();
        clusterd.start();
        clusterd.mirror_connected();
    });
}

void Host::power_off() {
    if (!powered_) return;
    world.network.vanish(self);
    clusterd.crash();
    mirror.crash();
    workers.power_off();
    powered_ = false;
    frozen = {};
    frozen_flushes_.clear();
    last_loss_ = world.now();
    tear();
    world.ledger.power_lost(self);
    world.copies_changed = true;
}

/// What could not be written back may be gone: it counts for nothing any more.
void Host::lose_pages() {
    last_loss_ = world.now();
    world.ledger.power_lost(self);
    world.copies_changed = true;
}

/// What nobody had synced is there or not, in any part.
void Host::tear() {
    if (world.random.chance(500)) settle_record();
    record_file.renamed.reset();
    copy.kernel.blend(copy.disk, [this] { return world.random.chance(500); });
    copy.disk = copy.kernel;
    copy.disk_version = ++copy.version;
    copy.progress.own = copy.disk_progress.own;  // what is noted of the other may be there
    copy.disk_progress = copy.progress;
    if (copy.sealed_before && world.random.chance(500)) copy.sealed = *copy.sealed_before;
    copy.sealed_before.reset();
    if (!copy.stamped && world.random.chance(500)) copy.marker = {};
    const std::uint64_t torn = copy.kernel.torn();
    world.totals.torn_writes += torn;
    world.say(*this, [torn] { return "  torn writes: " + std::to_string(torn); });
}

void Host::settle_record() {
    if (!record_file.renamed) return;
    world.invariants.recorded(*this, *record_file.renamed);
    record = *record_file.renamed;
    record_file.renamed.reset();
}

}  // namespace ha::sim
