#include "world.h"

#include <utility>

#include "faults.h"

namespace ha::sim {

using namespace cluster;

namespace {

constexpr std::array<Node, 2> kNodes{Node::First, Node::Second};

/// Two clocks differ by less than the hundredth that 2-safety's margins have for it.
constexpr std::int64_t kDriftBoundPpm = 4975;

std::int64_t drift_of(Random& random) {
    return static_cast<std::int64_t>(random.below(2 * kDriftBoundPpm + 1)) - kDriftBoundPpm;
}

}  // namespace

Weather::Weather(Random& random) {
    policy = random.chance(600) ? Policy::Available : Policy::Safe;
    automatic_failover = !random.chance(100);
    boot_wait = random.between(3s, 15s);
    stop_hold = random.between(2s, 6s);
    datagram_loss = random.chance(500) ? 0 : random.below(300);
    latency = random.between(100us, 20ms);
    slow_disk = random.chance(600) ? 0 : random.below(150);
    start_failures = random.chance(700) ? 0 : random.below(300);
    hanging_units = random.chance(600) ? 0 : random.below(100);
    for (auto& drift : drift_ppm) drift = drift_of(random);
    if (random.chance(500)) {
        drift_ppm = {kDriftBoundPpm, -kDriftBoundPpm};
        if (random.chance(500)) std::swap(drift_ppm[0], drift_ppm[1]);
    }
    think_time = random.between(20ms, 300ms);
    zone_time = random.between(2ms, 150ms);
    calm_between_faults = random.between(500ms, 6s);
    forces = random.chance(150);
    if (random.chance(300)) preferred = random.chance(500) ? Node::First : Node::Second;
}

void Totals::add(const Totals& other) {
    seeds += other.seeds;
    events += other.events;
    crashes += other.crashes;
    power_losses += other.power_losses;
    cuts += other.cuts;
    pauses += other.pauses;
    commands += other.commands;
    failovers += other.failovers;
    joins += other.joins;
    swaps += other.swaps;
    shrinks += other.shrinks;
    elections += other.elections;
    divergences += other.divergences;
    expired_leases += other.expired_leases;
    rollbacks += other.rollbacks;
    torn_writes += other.torn_writes;
    torn_records += other.torn_records;
    stuck_units += other.stuck_units;
    hangs += other.hangs;
    resets += other.resets;
    full_disks += other.full_disks;
    frozen_disks += other.frozen_disks;
    refused_writes += other.refused_writes;
    copy_failures += other.copy_failures;
    witness_losses += other.witness_losses;
    witness_changes += other.witness_changes;
    acknowledged += other.acknowledged;
    released += other.released;
    simulated_seconds += other.simulated_seconds;
}

World::World(std::uint64_t seed, Mutant the_mutant, Witnesses the_witnesses,
             std::size_t trace_lines)
    : random(seed),
      weather(random),
      mutant(the_mutant),
      witnesses(the_witnesses),
      trace(trace_lines),
      network(*this),
      witness(*this),
      invariants(*this) {
    if (witnesses == Witnesses::PingTarget) weather.policy = Policy::Available;
    ledger.trust_ids = mutant == Mutant::TakeoverOutdated;
    for (Node node : kNodes) hosts_[index_of(node)] = std::make_unique<Host>(*this, node);
    network.on_lost = [this](Link link, Node end) {
        if (link == Link::Mirror) host(end).mirror.stream_lost();
    };
    network.on_connected = [this](Link link) {
        if (link == Link::Mirror) {
            for (Node node : kNodes) {
                if (host(node).mirror.role() == MirrorModel::Role::Serving)
                    host(node).mirror.stream_up();
            }
            return;
        }
        for (Node node : kNodes) host(node).clusterd.control_up();
    };
}

Settings World::settings(Node node) const {
    Settings settings;
    settings.self = node;
    settings.module = "m";
    settings.policy = weather.policy;
    settings.ping_targets = witnesses == Witnesses::PingTarget && mutant != Mutant::PingNoTarget;
    settings.witness = witness.configured(node);
    settings.automatic_failover = weather.automatic_failover;
    settings.preferred = weather.preferred;
    settings.preferred_after = 500ms;
    settings.preferred_bound = 20s;
    settings.boot_wait = weather.boot_wait;
    settings.stop_hold = weather.stop_hold;
    settings.addresses = mutant != Mutant::AskNobody;
    return settings;
}

void World::stepped(Host& host) {
    invariants.always(host);
}

// ---- who can hear whom, and new connections

void World::watch() {
    const auto& talk = network.stream(Link::Control);
    bool talking = talk && talk->open(Node::First) && talk->open(Node::Second) &&
                   !network.blocked(Link::Control, Node::First) &&
                   !network.blocked(Link::Control, Node::Second);
    if (talking) last_talk_ = now();
    // They may hear each other and cannot agree on anything.
    if (now() - last_talk_ > 1s) last_silence_ = now();
    for (Node from : kNodes) {
        Host& sender = host(from);
        bool runs = sender.powered() && !scheduler.paused(sender.owner());
        const auto& stream = network.stream(Link::Mirror);
        bool mirror = !sender.mirror.hangs() && stream && stream->open(Node::First) &&
                      stream->open(Node::Second) && !network.blocked(Link::Mirror, from);
        bool control = sender.clusterd.alive() && !network.blocked(Link::Control, from);
        Time& last = last_path_[index_of(from)];
        if (runs && (mirror || control)) last = now();
        if (now() - last > 600ms) last_silence_ = now();
    }
    scheduler.after(50ms, Owner::World, [this] { watch(); });
}

void World::try_connect() {
    Host& first = host(Node::First);
    Host& second = host(Node::Second);
    bool awake = !scheduler.paused(Owner::First) && !scheduler.paused(Owner::Second);
    if (awake && first.clusterd.alive() && second.clusterd.alive()) network.connect(Link::Control);
    bool willing =
        first.mirror.willing_with(second.mirror) || second.mirror.willing_with(first.mirror);
    const bool run = !first.mirror.hangs() && !second.mirror.hangs();
    if (awake && run && willing) network.connect(Link::Mirror);
    scheduler.after(random.between(20ms, 120ms), Owner::World, [this] { try_connect(); });
}

// ---- a run

void World::begin(Node source) {
    totals.seeds = 1;
    witness.begin();
    for (Node node : kNodes) host(node).power_on();
    watch();
    try_connect();
    for (Node node : kNodes) {
        scheduler.after(random.between(600ms, 2s), Owner::World, [this, node, source] {
            host(node).clusterd.deliver(StartRequested{node == source});
        });
    }
}

bool World::run_until_pair(Duration patience) {
    const Time deadline = now() + patience;
    while (!converged() && now() < deadline) run_until(now() + 100ms);
    return converged();
}

void World::run(std::uint64_t events) {
    begin(random.chance(500) ? Node::First : Node::Second);
    scheduler.after(5s, Owner::World, [this] { begin_faults(*this); });
    while (totals.events < events && now() < 1500s) scheduler.run_one();
    heal(*this);
    calm();
    totals.acknowledged = ledger.acknowledged();
    totals.released = ledger.released();
    totals.simulated_seconds = static_cast<std::uint64_t>(now() / 1s);
}

void World::run_until(Time end) {
    while (now() < end) scheduler.run_one();
}

bool World::healthy_pair(Node primary) {
    const Machine* one = host(primary).clusterd.machine();
    const Machine* two = host(other(primary)).clusterd.machine();
    return one != nullptr && two != nullptr && one->status().state == State::Primary &&
           one->status().readiness == Readiness::Ready && two->status().state == State::Secondary &&
           two->status().readiness == Readiness::Ready && host(primary).workers.running() &&
           host(primary).workers.holds_addresses();
}

bool World::converged() {
    for (Node node : kNodes) {
        if (host(node).record.witness != witness.configured(node)) return false;
        const Machine* machine = host(node).clusterd.machine();
        const bool goes_on = machine != nullptr && machine->preference() == Preference::Awaited;
        if (goes_on || (machine != nullptr && !machine->failover_recorded())) return false;
    }
    return healthy_pair(Node::First) || healthy_pair(Node::Second);
}

/// What a sane administrator does when everything works again and the module does not.
void World::help_out() {
    for (Node node : kNodes) {
        const Machine* machine = host(node).clusterd.machine();
        if (machine == nullptr) continue;
        if (machine->status().state == State::Stopped) {
            host(node).clusterd.deliver(StartRequested{});
        }
        if (machine->status().reason.code == "failover-off") {
            host(node).clusterd.force(1ms);
        }
    }
    const Chain& first = host(Node::First).record.chain;
    const Chain& second = host(Node::Second).record.chain;
    bool unborn = first.empty() && second.empty();
    bool diverged = relation(first, second, Node::First) == Relation::Diverged;
    if (!unborn && !diverged) return;
    bool second_serves = host(Node::Second).mirror.serves();
    host(second_serves ? Node::Second : Node::First).clusterd.force(1ms);
}

/// Everything works again: within bounded time one node is primary, the other secondary, and when
/// the application rests the copies are equal.
void World::calm() {
    note("calm");
    const Time noticed = now() + 5s;  // acknowledgements that stall are, after 3 s
    Time deadline = now() + 150s;
    Time next_help = now() + 2s;
    while ((!converged() || now() < noticed) && now() < deadline) {
        run_until(now() + 500ms);
        if (now() < next_help) continue;
        help_out();
        next_help = now() + 15s;
    }
    auto state = [this](Node node) {
        const Machine* machine = host(node).clusterd.machine();
        if (machine == nullptr) return std::string("no clusterd");
        Status status = machine->status();
        return std::string(name(status.state)) + "/" + name(status.readiness) + " (" +
               name(machine->phase()) + "; " + status.reason.code + ")";
    };
    check(converged(), "converge", "A is " + state(Node::First) + ", B is " + state(Node::Second));
    application_on = false;
    run_until(now() + 8s);
    check(converged(), "converge",
          "not stable: A is " + state(Node::First) + ", B is " + state(Node::Second));
    check(host(Node::First).copy.kernel == host(Node::Second).copy.kernel, "converge",
          std::string("the copies differ"));
    check(host(Node::First).mirror.idle() && host(Node::Second).mirror.idle(), "converge",
          std::string("operations wait for ever"));
}

}  // namespace ha::sim
