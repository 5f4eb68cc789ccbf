#include "faults.h"

#include <algorithm>

#include "fault_kinds.h"
#include "world.h"

namespace ha::sim {

using namespace cluster;

namespace {

Node any_node(World& world) {
    return world.random.chance(500) ? Node::First : Node::Second;
}

void crash_clusterd(World& world) {
    Host& host = any_host(world);
    if (host.clusterd.alive()) end_clusterd(world, host);
}

void crash_mirror(World& world) {
    Host& host = any_host(world);
    if (host.mirror.alive()) end_mirror(world, host);
}

void lose_power_somewhere(World& world) {
    lose_power(world, world.host(any_node(world)));
}

void lose_power_everywhere(World& world) {
    lose_power(world, world.host(Node::First));
    Host& second = world.host(Node::Second);
    later(world, world.random.below(2) == 0 ? Duration{} : outage(world) / 4, [&world, &second] {
        if (!world.faults_over) lose_power(world, second);
    });
}

/// A node whose own links are down does not reach the ping target, either; or the switch is gone.
std::string cut_target(World& world) {
    std::string text;
    const auto whose = world.random.below(4);  // one node's, both, none
    for (Node node : {Node::First, Node::Second}) {
        if (whose != index_of(node) && whose != 2) continue;
        world.network.block_target(node);
        text += node == Node::First ? " A's ping target" : " B's ping target";
    }
    return text;
}

/// The clients' network is another one, or the same: every second cut hits it, too.
std::string cut_addresses(World& world) {
    const auto number = world.totals.cuts;
    if (number % 4 == 1) {
        world.network.cut_addresses();
        return " addresses";
    }
    if (number % 4 != 3) return "";
    const Node node = number % 8 == 3 ? Node::First : Node::Second;
    world.network.unplug_addresses(node);
    return node == Node::First ? " A's address link" : " B's address link";
}

void cut(World& world) {
    if (world.network.any_blocked()) return;
    ++world.totals.cuts;
    auto what = world.random.below(4);  // both twice, control, mirror
    auto way = world.random.below(4);   // both twice, one way
    std::string text = "## cut:";
    for (Link link : {Link::Control, Link::Mirror}) {
        if ((what == 2 && link == Link::Mirror) || (what == 3 && link == Link::Control)) continue;
        for (Node from : {Node::First, Node::Second}) {
            if (way == 2 + index_of(from)) continue;
            world.network.block(link, from);
            text += std::string(link == Link::Control ? " control" : " mirror") +
                    (from == Node::First ? " A>B" : " B>A");
        }
    }
    if (world.witnesses == Witnesses::PingTarget) text += cut_target(world);
    text += cut_addresses(world);
    world.note(text);
    later(world, outage(world), [&world] {
        world.note("## links up");
        world.network.unblock_all();
    });
}

void wake(World& world, Host& host) {
    world.scheduler.resume(host.owner());
    world.scheduler.resume(mirror_of(host.self));
}

void pause(World& world) {
    Host& host = world.host(any_node(world));
    if (world.scheduler.paused(host.owner())) return;
    ++world.totals.pauses;
    world.say(host, [] { return "## paused"; });
    world.scheduler.pause(host.owner());
    world.scheduler.pause(mirror_of(host.self));
    later(world, outage(world), [&world, &host] {
        if (!world.scheduler.paused(host.owner())) return;
        world.say(host, [] { return "## resumed"; });
        wake(world, host);
    });
}

/// The witness loses power, or the way to it is cut for one node or both.
void break_witness(World& world) {
    ++world.totals.witness_losses;
    switch (world.random.below(3)) {
        case 0:
            world.note("## the witness is off");
            world.witness.power(false);
            break;
        case 1:
            world.note("## the witness is cut off");
            world.witness.block(Node::First);
            world.witness.block(Node::Second);
            break;
        default: {
            Node node = any_node(world);
            world.note(node == Node::First ? "## A has no witness" : "## B has no witness");
            world.witness.block(node);
        }
    }
    later(world, outage(world), [&world] {
        world.note("## the witness is back");
        world.witness.power(true);
        world.witness.unblock_all();
    });
}

/// `hamirrorctl witness add` or `remove`: one file after the other, and much may happen between. Or
/// it ends after the first; or an administrator goes back to a witness of before.
void change_witness(World& world) {
    const Node first = any_node(world);
    const Id128 next = world.witness.another(first);
    const bool alone = world.random.chance(300);
    ++world.totals.witness_changes;
    world.note(std::string(first == Node::First ? "## A" : "## B") + (alone ? " alone" : " first") +
               (next.none() ? ": no witness any more" : ": another witness"));
    for (Node node : {first, other(first)}) {
        if (alone && node != first) continue;
        const Duration delay = node == first ? Duration{} : outage(world) / 4;
        world.scheduler.after(delay, owner_of(node), [&world, node, next] {
            if (!world.faults_over) world.witness.configure(world.host(node), next);
        });
    }
}

void break_copy(World& world) {
    world.host(any_node(world)).mirror.fail_copy();
}

/// The system is shut down in an orderly way and comes back.
void reboot(World& world, Host& host) {
    host.clusterd.deliver(StopRequested{false, true});
    later(world, world.random.between(1s, 8s), [&world, &host] {
        if (world.faults_over) return;
        world.say(host, [] { return "## off"; });
        host.power_off();
        later(world, outage(world), [&host] { host.power_on(); });
    });
}

void command(World& world) {
    Host& host = world.host(any_node(world));
    if (world.scheduler.paused(host.owner())) return;
    ++world.totals.commands;
    switch (world.random.below(16)) {
        case 0:
            return host.clusterd.deliver(StopRequested{});
        case 1:
            return host.clusterd.deliver(StopRequested{true});
        case 2:
            return reboot(world, host);
        case 3:
            if (!world.weather.forces) return host.clusterd.deliver(StartRequested{});
            return host.clusterd.force(world.random.between(1ms, 5s));
        case 4:
            return host.clusterd.swap(Node::First);
        case 5:
            return host.clusterd.swap(Node::Second);
        case 6:
        case 7:
            return host.clusterd.restart();
        case 8:
            return host.clusterd.deliver(FailoverRequested{false});
        case 9:
        case 10:
            return host.clusterd.deliver(FailoverRequested{true});
        case 11:
            return host.clusterd.deliver(AtBootRequested{world.random.chance(500)});
        default:
            return host.clusterd.swap(std::nullopt);
    }
}

void start_what_is_stopped(World& world) {
    for (Node node : {Node::First, Node::Second}) {
        const Machine* machine = world.host(node).clusterd.machine();
        bool stopped = machine != nullptr && machine->phase() == Phase::Stopped;
        bool paused = world.scheduler.paused(owner_of(node));
        if (stopped && !paused && world.random.chance(500)) {
            world.host(node).clusterd.deliver(StartRequested{});
        }
    }
}

void something(World& world) {
    if (disk_is_put_back(world)) return;
    static constexpr Fault kFaults[] = {crash_clusterd,
                                        interrupt_record,
                                        crash_mirror,
                                        crash_mirror,
                                        lose_power_somewhere,
                                        lose_power_somewhere,
                                        lose_power_everywhere,
                                        cut,
                                        cut,
                                        cut,
                                        cut,
                                        pause,
                                        break_unit,
                                        stick_unit,
                                        stick_unheard,
                                        hang_worker,
                                        hang_mirror,
                                        break_copy,
                                        interrupt_record,
                                        damage_record,
                                        fill_disk,
                                        freeze_disk,
                                        stop_frozen,
                                        command,
                                        command,
                                        command,
                                        command,
                                        command,
                                        command};
    const bool witnessed =
        world.witnesses == Witnesses::One || world.witnesses == Witnesses::Changing;
    if (witnessed && world.random.chance(150)) return break_witness(world);
    if (world.witnesses == Witnesses::Changing && world.random.chance(100))
        return change_witness(world);
    if (world.disks_put_back && world.random.chance(400)) return put_disk_back(world);
    kFaults[world.random.below(std::size(kFaults))](world);
    start_what_is_stopped(world);
}

}  // namespace

Host& any_host(World& world) {
    return world.host(any_node(world));
}

Duration outage(World& world) {
    switch (world.random.below(4)) {
        case 0:
            return world.random.between(5ms, 500ms);
        case 1:
            return world.random.between(500ms, 2s);
        case 2:
            return world.random.between(2s, 4s);
        default:
            return world.random.between(4s, 12s);
    }
}

void later(World& world, Duration delay, std::function<void()> task) {
    world.scheduler.after(delay, Owner::World, std::move(task));
}

void end_clusterd(World& world, Host& host) {
    ++world.totals.crashes;
    world.say(host, [] { return "## clusterd ends"; });
    host.clusterd.crash();
    later(world, outage(world) / 3, [&host] {
        if (!host.powered()) return;
        host.clusterd.start();
        host.clusterd.mirror_connected();
    });
}

void end_mirror(World& world, Host& host) {
    ++world.totals.crashes;
    world.say(host, [] { return "## replicatord ends"; });
    host.mirror.crash();
    host.clusterd.mirror_gone();
    later(world, outage(world) / 3, [&host] {
        if (!host.powered() || host.mirror.alive()) return;
        host.mirror.start();
        host.clusterd.mirror_connected();
    });
}

void lose_power(World& world, Host& host) {
    if (!host.powered()) return;
    ++world.totals.power_losses;
    world.say(host, [] { return "## power lost"; });
    host.power_off();
    later(world, outage(world) * 2, [&host] { host.power_on(); });
}

void begin_faults(World& world) {
    if (world.faults_over) return;
    something(world);
    later(world, world.random.between(10ms, 2 * world.weather.calm_between_faults),
          [&world] { begin_faults(world); });
}

void heal(World& world) {
    world.faults_over = true;
    world.network.unblock_all();
    world.witness.power(true);
    world.witness.unblock_all();
    for (Node node : {Node::First, Node::Second}) {
        if (world.scheduler.paused(owner_of(node))) wake(world, world.host(node));
    }
    heal_disks(world);
    heal_units(world);
    world.witness.configure(world.host(Node::Second), world.witness.configured(Node::First));
}

}  // namespace ha::sim
