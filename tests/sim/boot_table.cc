#include "boot_table.h"

#include <array>

#include "table.h"

namespace ha::sim {

using namespace cluster;

namespace {

/// How the pair ended. Who starts alone afterwards was the primary or the secondary then.
enum class Before {
    PowerLost,        // both at once, in sync
    SecondaryLeft,    // the secondary was stopped, by agreement; then the primary lost power
    NetworkLost,      // nobody heard anybody, for long; then both lost power
    StoppedTogether,  // by `stop --all`
    PrimaryStopped,   // handed over to the secondary by its stop; then that lost power
    OtherServes,      // as NetworkLost, but only the node that is started lost power
    OtherServesAway   // and the addresses' network is cut, too
};

const char* name(Before before) {
    switch (before) {
        case Before::PowerLost:
            return "both lost power, in sync";
        case Before::SecondaryLeft:
            return "the secondary was stopped, then the primary lost power";
        case Before::NetworkLost:
            return "cut from each other for long, then both lost power";
        case Before::StoppedTogether:
            return "stopped together";
        case Before::PrimaryStopped:
            return "the primary was stopped and handed over, then the other lost power";
        case Before::OtherServes:
            return "cut from each other for long, then only this node lost power";
        case Before::OtherServesAway:
            return "the same, and the network of the virtual addresses is cut, too";
    }
    return "";
}

struct Cell {
    Before before;
    Decider decider;
    const char* primary;    // what it does, started alone
    const char* secondary;  // likewise
};

using B = Before;
using D = Decider;
// clang-format off
constexpr std::array<Cell, 23> kCells{{
    {B::PowerLost, D::Witness, "alone", "alone"},
    {B::PowerLost, D::WitnessAway, "waiting: witness-unreachable", "waiting: witness-unreachable"},
    {B::PowerLost, D::Available, "waiting: peer-needed", "waiting: peer-needed"},
    {B::PowerLost, D::Safe, "waiting: peer-needed", "waiting: peer-needed"},
    {B::SecondaryLeft, D::Witness, "alone", "waiting: outdated"},
    {B::SecondaryLeft, D::WitnessAway, "waiting: witness-unreachable", "waiting: outdated"},
    {B::SecondaryLeft, D::Available, "alone", "waiting: outdated"},
    {B::SecondaryLeft, D::Safe, "alone", "waiting: outdated"},
    {B::NetworkLost, D::Witness, "alone", "waiting: outdated"},
    {B::NetworkLost, D::WitnessAway, "waiting: witness-unreachable", "waiting: witness-unreachable"},
    {B::NetworkLost, D::Available, "alone", "alone"},
    {B::NetworkLost, D::Safe, "waiting: unconfirmed", "waiting: peer-needed"},
    {B::StoppedTogether, D::Witness, "alone", "alone"},
    {B::StoppedTogether, D::WitnessAway, "waiting: witness-unreachable", "waiting: witness-unreachable"},
    {B::StoppedTogether, D::Available, "alone", "waiting: peer-first"},
    {B::StoppedTogether, D::Safe, "alone", "waiting: peer-first"},
    {B::PrimaryStopped, D::Witness, "waiting: outdated", "alone"},
    {B::PrimaryStopped, D::WitnessAway, "waiting: outdated", "waiting: witness-unreachable"},
    {B::PrimaryStopped, D::Available, "waiting: outdated", "alone"},
    {B::PrimaryStopped, D::Safe, "waiting: outdated", "alone"},
    {B::OtherServes, D::Available, "waiting: address-in-use", "waiting: address-in-use"},
    {B::OtherServes, D::Safe, "waiting: unconfirmed", "waiting: peer-needed"},
    {B::OtherServesAway, D::Available, "alone", "alone"},
}};
// clang-format on

void end(World& world, Before before) {
    switch (before) {
        case B::PowerLost:
            break;
        case B::SecondaryLeft:
            world.host(kSecondary).clusterd.deliver(StopRequested{});
            break;
        case B::OtherServesAway:
            world.network.cut_addresses();
            [[fallthrough]];
        case B::NetworkLost:
        case B::OtherServes:
            for (Node node : {kPrimary, kSecondary}) {
                world.network.block(Link::Control, node);
                world.network.block(Link::Mirror, node);
            }
            break;
        case B::StoppedTogether:
            for (Node node : {kSecondary, kPrimary}) {
                world.host(node).clusterd.deliver(StopRequested{true});
            }
            break;
        case B::PrimaryStopped:
            world.host(kPrimary).clusterd.deliver(StopRequested{});
            break;
    }
    world.run_for(before == B::PowerLost ? 0s : 10s);
}

bool play(const Cell& cell, const std::string& title, Node starts, std::uint64_t seed) {
    auto world = make_pair(cell.decider, seed);
    if (!world) return as_expected(title, seed, "a pair to begin with", "none");
    // One that was cut from its peer and from the witness could not have decided.
    const bool away = cell.decider == D::WitnessAway;
    const bool early = away && cell.before == B::NetworkLost;
    const auto lose_witness = [&] {
        for (Node node : {kPrimary, kSecondary}) world->witness.block(node);
    };
    if (early) lose_witness();
    end(*world, cell.before);
    if (away) lose_witness();
    const bool other_serves = cell.before == B::OtherServes || cell.before == B::OtherServesAway;
    for (Node node : {kPrimary, kSecondary}) {
        if (node == starts || !other_serves) world->host(node).power_off();
    }
    world->run_for(1s);
    world->host(starts).power_on();
    world->run_for(2s);
    const Machine* machine = world->host(starts).clusterd.machine();
    if (machine->status().state == State::Stopped) {
        world->host(starts).clusterd.deliver(StartRequested{});
    }
    world->run_for(12s);
    const char* expected = starts == kPrimary ? cell.primary : cell.secondary;
    return as_expected(title, seed, expected, doing(*world, starts));
}

}  // namespace

std::string play_boot(bool& good) {
    std::string table =
        "| before | decider | who was primary | who was secondary |\n"
        "| --- | --- | --- | --- |\n";
    for (const Cell& cell : kCells) {
        const std::string title =
            std::string("| ") + name(cell.before) + " | " + name(cell.decider);
        for (std::uint64_t seed = 1; seed <= kTableSeeds; ++seed) {
            good &= play(cell, title + ", primary", kPrimary, seed);
            good &= play(cell, title + ", secondary", kSecondary, seed);
        }
        table += title + " | " + cell.primary + " | " + cell.secondary + " |\n";
    }
    return table;
}

}  // namespace ha::sim
