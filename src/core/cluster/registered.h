#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/result.h"
#include "core/cluster/decision.h"
#include "core/ports/register.h"

// What a module's register holds, and how it stands to what a node knows itself (2-safety, R7).

namespace ha::cluster {

/// The newest decision, and so many of its ancestors that a node that was away can tell a
/// descendant of its own head from another chain. One that was away for longer sees a foreign
/// register, and a person decides.
struct Registered {
    static constexpr std::size_t kMaxAncestors = 64;

    Id128 module_id;
    Decision decision;
    std::uint64_t rules = 0;       // digest of the rules of the game (R14; core/config/rules.h)
    std::vector<Id128> ancestors;  // the newest, its parent, first; at most kMaxAncestors

    bool operator==(const Registered&) const = default;
};

/// Of the head of a chain that is not empty.
Registered registered(const Id128& module_id, const Chain& chain, std::uint64_t rules);

ports::RegisterValue to_register(const Registered& registered);
/// Error: of another version, or not what to_register() makes.
Result<Registered> from_register(const ports::RegisterValue& value);

enum class RegisterStanding : std::uint8_t {
    Unborn,  // neither a value nor a chain: the birth exchanges an absent register
    Lost,    // no value although there is a chain: blocked register-lost
    Same,    // our head
    Behind,  // an ancestor of our head: bring it up before anything else
    Ahead,   // a descendant of our head (or we have none): learn it
    Foreign  // neither, or another module's: blocked register-foreign
};

RegisterStanding standing(const Id128& module_id, const Chain& chain,
                          const std::optional<Registered>& shown);

}  // namespace ha::cluster
