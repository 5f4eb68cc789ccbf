// What disks do to what is written on them.

#include <string>
#include <utility>

#include "fault_kinds.h"
#include "world.h"

namespace ha::sim {

using namespace cluster;

namespace {

void thaw_later(World& world, Host& host, Duration lasts) {
    host.later(lasts, [&world, &host, since = host.frozen.since] {
        if (!host.frozen.now || host.frozen.since != since) return;
        world.say(host, [] { return "## its disk answers again"; });
        host.thaw();
    });
}

/// Of a pair that lacks nothing, as far as this node's part of it goes.
bool healthy(const Host& host) {
    const Machine* machine = host.clusterd.machine();
    if (machine == nullptr || host.record_file.damaged || host.mirror.hangs() || host.frozen.now) {
        return false;
    }
    const Record& record = host.record;
    if (record.chain.empty() || record.outdated || record.ceding || record.exchange) return false;
    return (machine->phase() == Phase::Serving || machine->phase() == Phase::Secondary) &&
           machine->automatic() && record.at_boot != AtBoot::Never &&
           record.stopped_together.none() && record.chain.head().decision.in_sync == InSync::both();
}

/// The same decision, and nothing but the data is older.
bool fits(const Host::Image& image, const Record& record) {
    return image.record.chain == record.chain && image.record.failover == record.failover &&
           image.record.at_boot == record.at_boot && image.record.wanted;
}

void put_back(World& world, Host& host) {
    ++world.totals.rollbacks;
    const bool whole = world.random.chance(500);
    world.say(host, [whole] {
        return whole ? "## its disk is put back to an earlier moment"
                     : "## the disk of its data is put back to an earlier moment";
    });
    const Host::Image image = *std::exchange(host.image, std::nullopt);
    if (whole) host.record = image.record;
    host.copy.kernel = host.copy.disk = image.copy.disk;
    host.copy.progress = host.copy.disk_progress = image.copy.disk_progress;
    host.copy.disk_version = ++host.copy.version;
    host.rolled_back = true;
}

void mend_record(World& world, Host& host) {
    if (!host.record_file.damaged || world.mutant == Mutant::RecordInPlace) return;
    host.record_file.damaged = false;
    world.say(host, [] { return "## its record is mended"; });
    host.clusterd.start();
    host.clusterd.mirror_connected();
}

}  // namespace

void interrupt_record(World& world) {
    Host& host = any_host(world);
    const bool renamed = world.random.chance(500);
    const bool power = world.random.chance(500);
    host.clusterd.interrupt_write(renamed, [&world, &host, renamed, power] {
        if (world.faults_over) return;
        ++world.totals.torn_records;
        world.say(host, [renamed] {
            return renamed ? "## with a record renamed into place, its directory not synced:"
                           : "## with a record half written:";
        });
        power ? lose_power(world, host) : end_clusterd(world, host);
    });
}

void damage_record(World& world) {
    Host& host = any_host(world);
    if (host.record_file.damaged) return;
    host.record_file.damaged = true;
    world.say(host, [] { return "## its record cannot be read any more"; });
    if (host.clusterd.alive()) end_clusterd(world, host);
    later(world, outage(world), [&world, &host] { mend_record(world, host); });
}

void fill_disk(World& world) {
    const bool data = world.random.chance(600);
    const auto whose = world.random.below(3);  // one node's, both
    const Duration lasts = data ? outage(world) : outage(world) / 4;
    bool Room::*const full = data ? &Room::data_full : &Room::state_full;
    for (Node node : {Node::First, Node::Second}) {
        Host& host = world.host(node);
        if (whose == index_of(node) || host.room.*full) continue;
        ++world.totals.full_disks;
        world.say(host, [data] {
            return std::string("## full: the disk of ") +
                   (data ? "the data" : "the daemons' state");
        });
        host.room.*full = true;
        later(world, lasts, [&world, &host, full] {
            if (!std::exchange(host.room.*full, false)) return;
            world.say(host, [] { return "## there is room again"; });
        });
    }
}

void freeze_disk(World& world) {
    Host& host = any_host(world);
    if (!host.powered() || host.frozen.now) return;
    // Long enough for ha-replicatord to find it dead, or not.
    const bool dead = world.random.chance(500);
    const Duration lasts = dead ? world.random.between(11s, 25s) : outage(world);
    const bool whole = world.random.chance(500);
    ++world.totals.frozen_disks;
    world.say(host, [whole] {
        return std::string("## its disk freezes") + (whole ? ", nothing can be written" : "");
    });
    host.freeze(whole);
    thaw_later(world, host, lasts);
}

void stop_frozen(World& world) {
    Host& host = any_host(world);
    if (!host.mirror.serves() || host.frozen.now || world.network.any_blocked()) return;
    ++world.totals.frozen_disks;
    ++world.totals.cuts;
    world.say(host, [] { return "## its disk freezes, and it is cut off"; });
    host.freeze(false);
    thaw_later(world, host, 20s);
    for (Link link : {Link::Control, Link::Mirror}) {
        for (Node node : {Node::First, Node::Second}) world.network.block(link, node);
    }
    const auto then = [&world, &host](Duration delay, void (*what)(World&, Host&)) {
        host.later(delay, [&world, &host, what] {
            if (!world.faults_over) what(world, host);
        });
    };
    const Duration ends = world.random.between(500ms, 3s);
    const Duration stops = ends + world.random.between(200ms, 3s);
    const Duration loses = stops + world.random.between(500ms, 6s);
    then(ends, [](World& at, Host& one) {
        if (one.mirror.alive()) end_mirror(at, one);
    });
    then(stops, [](World&, Host& one) { one.clusterd.deliver(cluster::StopRequested{}); });
    then(loses, [](World& at, Host& one) { lose_power(at, one); });
    later(world, loses + outage(world), [&world] {
        world.note("## links up");
        world.network.unblock_all();
    });
}

void put_disk_back(World& world) {
    Host& host = any_host(world);
    Host& other = host.peer();
    const bool pair =
        healthy(host) && healthy(other) && !world.network.any_blocked() &&
        host.record.chain.head().decision.id == other.record.chain.head().decision.id &&
        !world.paused_lately(1s);
    if (!pair) return;
    const bool useful = host.image && fits(*host.image, host.record) &&
                        host.image->copy.disk_progress.own < other.copy.disk_progress.peer;
    if (!useful) {
        host.image = {host.record, host.copy};
        return;
    }
    for (Host* one : {&host, &other}) lose_power(world, *one);
    put_back(world, host);
    other.image.reset();
}

bool disk_is_put_back(World& world) {
    return world.host(Node::First).rolled_back || world.host(Node::Second).rolled_back;
}

void heal_disks(World& world) {
    for (Node node : {Node::First, Node::Second}) {
        world.host(node).room = {};
        world.host(node).thaw();
        mend_record(world, world.host(node));
    }
}

}  // namespace ha::sim
