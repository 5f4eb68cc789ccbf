// What disks do to what is written on them.

#include <string>
#include <utility>

#include "fault_kinds.h"
#include "world.h"

namespace ha::sim {

namespace {

void thaw_later(World& world, Host& host, Duration lasts) {
    host.later(lasts, [&world, &host, since = host.frozen.since] {
        if (!host.frozen.now || host.frozen.since != since) return;
        world.say(host, [] { return "## its disk answers again"; });
        host.thaw();
    });
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

void heal_disks(World& world) {
    for (Node node : {Node::First, Node::Second}) {
        world.host(node).room = {};
        world.host(node).thaw();
        mend_record(world, world.host(node));
    }
}

}  // namespace ha::sim
