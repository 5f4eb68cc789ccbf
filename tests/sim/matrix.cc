#include "matrix.h"

#include <array>

#include "table.h"

namespace ha::sim {

using namespace cluster;

namespace {

/// Both: heard both ways. ToSecondary: the secondary hears, and is not heard. And so on.
enum class Heartbeats { Both, ToSecondary, ToPrimary, None };

const char* name(Heartbeats heartbeats) {
    switch (heartbeats) {
        case Heartbeats::Both:
            return "up";
        case Heartbeats::ToSecondary:
            return "only the secondary hears";
        case Heartbeats::ToPrimary:
            return "only the primary hears";
        case Heartbeats::None:
            return "down";
    }
    return "";
}

struct Cell {
    Heartbeats heartbeats;
    bool mirror;
    Decider decider;
    const char* primary;    // what it does 12 s later
    const char* secondary;  // likewise
};

using H = Heartbeats;
using D = Decider;
// clang-format off
constexpr std::array<Cell, 32> kCells{{
    {H::Both, true, D::Witness, "primary", "secondary"},
    {H::Both, true, D::WitnessAway, "primary", "secondary"},
    {H::Both, true, D::Available, "primary", "secondary"},
    {H::Both, true, D::Safe, "primary", "secondary"},
    {H::Both, false, D::Witness, "alone", "secondary: resynchronising"},
    {H::Both, false, D::WitnessAway, "alone", "secondary: resynchronising"},
    {H::Both, false, D::Available, "alone", "secondary: resynchronising"},
    {H::Both, false, D::Safe, "alone", "secondary: resynchronising"},
    {H::ToSecondary, true, D::Witness, "primary", "secondary"},
    {H::ToSecondary, true, D::WitnessAway, "primary", "secondary"},
    {H::ToSecondary, true, D::Available, "primary", "secondary"},
    {H::ToSecondary, true, D::Safe, "primary", "secondary"},
    {H::ToSecondary, false, D::Witness, "alone", "waiting: outdated"},
    {H::ToSecondary, false, D::WitnessAway, "waiting: witness-unreachable", "waiting: witness-unreachable"},
    {H::ToSecondary, false, D::Available, "alone", "waiting: outdated"},
    {H::ToSecondary, false, D::Safe, "alone", "waiting: outdated"},
    {H::ToPrimary, true, D::Witness, "primary", "secondary"},
    {H::ToPrimary, true, D::WitnessAway, "primary", "secondary"},
    {H::ToPrimary, true, D::Available, "primary", "secondary"},
    {H::ToPrimary, true, D::Safe, "primary", "secondary"},
    {H::ToPrimary, false, D::Witness, "waiting: outdated", "alone"},
    {H::ToPrimary, false, D::WitnessAway, "waiting: witness-unreachable", "waiting: witness-unreachable"},
    {H::ToPrimary, false, D::Available, "waiting: peer-needed", "alone"},
    {H::ToPrimary, false, D::Safe, "alone", "waiting: peer-needed"},
    {H::None, true, D::Witness, "primary", "secondary"},
    {H::None, true, D::WitnessAway, "primary", "secondary"},
    {H::None, true, D::Available, "primary", "secondary"},
    {H::None, true, D::Safe, "primary", "secondary"},
    {H::None, false, D::Witness, "alone", "waiting: outdated"},
    {H::None, false, D::WitnessAway, "waiting: witness-unreachable", "waiting: witness-unreachable"},
    {H::None, false, D::Available, "alone", "alone"},
    {H::None, false, D::Safe, "alone", "waiting: peer-needed"},
}};
// clang-format on

/// Two servers: an operator chooses.
bool diverges(const Cell& cell) {
    return cell.heartbeats == H::None && !cell.mirror && cell.decider == D::Available;
}

void cut(World& world, const Cell& cell) {
    if (cell.heartbeats == H::ToPrimary || cell.heartbeats == H::None) {
        world.network.block(Link::Control, kPrimary);
    }
    if (cell.heartbeats == H::ToSecondary || cell.heartbeats == H::None) {
        world.network.block(Link::Control, kSecondary);
    }
    for (Node node : {kPrimary, kSecondary}) {
        if (!cell.mirror) world.network.block(Link::Mirror, node);
        if (cell.decider == D::WitnessAway) world.witness.block(node);
    }
}

bool play(const Cell& cell, const std::string& title, std::uint64_t seed) {
    auto world = make_pair(cell.decider, seed);
    if (!world) return as_expected(title, seed, "a pair to begin with", "none");
    cut(*world, cell);
    world->run_for(12s);
    bool good = as_expected(title + ", primary", seed, cell.primary, doing(*world, kPrimary));
    good &= as_expected(title + ", secondary", seed, cell.secondary, doing(*world, kSecondary));
    world->network.unblock_all();
    world->witness.unblock_all();
    if (diverges(cell)) return good;
    const char* after = world->run_until_pair(90s) ? "a pair again" : "no pair again";
    return as_expected(title, seed, "a pair again", after) && good;
}

}  // namespace

std::string play_matrix(bool& good) {
    std::string table =
        "| heartbeats | mirror | decider | the primary | the secondary |\n"
        "| --- | --- | --- | --- | --- |\n";
    for (const Cell& cell : kCells) {
        const std::string title = std::string("| ") + name(cell.heartbeats) + " | " +
                                  (cell.mirror ? "up" : "down") + " | " + name(cell.decider);
        for (std::uint64_t seed = 1; seed <= kTableSeeds; ++seed) good &= play(cell, title, seed);
        table += title + " | " + cell.primary + " | " + cell.secondary + " |\n";
    }
    return table;
}

}  // namespace ha::sim
