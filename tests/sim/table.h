#pragma once

#include <string>

#include "world.h"

// What the two tables of docs/safety.md have in common: worlds in which nothing happens by chance
// but when it happens.

namespace ha::sim {

inline constexpr cluster::Node kPrimary = cluster::Node::First;
inline constexpr cluster::Node kSecondary = cluster::Node::Second;
inline constexpr std::uint64_t kTableSeeds = 20;

/// Who decides for a pair that does not agree.
enum class Decider { Witness, WitnessAway, Available, Safe };
const char* name(Decider decider);

/// A healthy pair, the first node primary; or nothing.
std::unique_ptr<World> make_pair(Decider decider, std::uint64_t seed);
/// "secondary", "waiting: outdated": what a node does, and if it is not well, why; "off".
std::string doing(World& world, cluster::Node node);
/// Prints a difference; true: there is none.
bool as_expected(const std::string& cell, std::uint64_t seed, const std::string& expected,
                 const std::string& played);

}  // namespace ha::sim
