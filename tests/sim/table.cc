#include "table.h"

#include <cstdio>

namespace ha::sim {

using namespace cluster;

const char* name(Decider decider) {
    switch (decider) {
        case Decider::Witness:
            return "witness reachable";
        case Decider::WitnessAway:
            return "witness unreachable";
        case Decider::Available:
            return "no witness, `available`";
        case Decider::Safe:
            return "no witness, `safe`";
    }
    return "";
}

std::unique_ptr<World> make_pair(Decider decider, std::uint64_t seed) {
    const bool has = decider == Decider::Witness || decider == Decider::WitnessAway;
    const Witnesses witnesses = has ? Witnesses::One : Witnesses::None;
    auto world = std::make_unique<World>(seed, Mutant::None, witnesses, 0);
    Weather& weather = world->weather;
    weather.policy = decider == Decider::Safe ? Policy::Safe : Policy::Available;
    weather.automatic_failover = true;
    weather.preferred.reset();
    weather.boot_wait = 5s;
    weather.datagram_loss = weather.slow_disk = 0;
    weather.start_failures = weather.hanging_units = 0;
    weather.latency = 2ms;
    weather.zone_time = 20ms;
    weather.forces = false;
    world->begin(kPrimary);
    if (!world->run_until_pair(60s)) return nullptr;
    world->run_for(3s);
    return world;
}

std::string doing(World& world, Node node) {
    const Machine* machine = world.host(node).clusterd.machine();
    if (machine == nullptr) return "off";
    const Status status = machine->status();
    const std::string state = name(status.state);
    const bool well = status.readiness == Readiness::Ready || status.reason.code.empty();
    return well ? state : state + ": " + status.reason.code;
}

bool as_expected(const std::string& cell, std::uint64_t seed, const std::string& expected,
                 const std::string& played) {
    if (expected == played) return true;
    std::printf("%s, seed %llu: expected \"%s\", played \"%s\"\n", cell.c_str(),
                static_cast<unsigned long long>(seed), expected.c_str(), played.c_str());
    return false;
}

}  // namespace ha::sim
