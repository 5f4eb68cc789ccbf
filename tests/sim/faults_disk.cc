// What disks do to what is written on them.

#include <string>
#include <utility>

#include "fault_kinds.h"
#include "world.h"

namespace ha::sim {

namespace {

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

void heal_disks(World& world) {
    for (Node node : {Node::First, Node::Second}) {
        world.host(node).room = {};
        mend_record(world, world.host(node));
    }
}

}  // namespace ha::sim
