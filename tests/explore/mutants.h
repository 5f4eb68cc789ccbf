#pragma once

#include <array>
#include <optional>
#include <string_view>
#include <utility>

namespace ha::explore {

/// Known-bad variants (2-safety, "How we know", point 2), put between the machine and its world;
/// the machine itself has no such hooks. The explorer proves itself by catching each of them.
enum class Mutant {
    None,
    LocalAcknowledge,       // acknowledged after a timeout, no decision taken
    AssumeWon,              // what was asked of the witness is taken for decided
    TakeoverOutdated,       // a restart of clusterd forgets that this node is out of S
    AcceptOldDecisions,     // frames of any decision are accepted
    JoinWithoutOverlap,     // what is written while a joiner is copied does not count it
    AddedBeforeSynced,      // "you are in" before anything was copied
    JoinAbandoned,          // an uncertain exchange: the joiner does not count any more
    SwapWithoutDrain,       // Drained is answered, nothing was drained
    SwapWithoutCeding,      // that the module was given away is not recorded
    WitnessForgets,         // the witness comes back with an older value
    ForgetBoth,             // a restart forgets being outdated, and what was asked
    TrustPowerVictim,       // a restart forgets that the system stopped unclean
    NoFlush,                // MadeDurable is answered, nothing was flushed
    AgreementCrosses,       // an agreement is answered while an exchange is open
    CedingCancelled,        // a ceding is given up because the register was read again
    UncleanSecondaryStays,  // a secondary loses power and follows on as if nothing had been
    NoSeal,                 // Sealed is answered, nothing is refused
    BirthOnBoth,            // a birth is not asked of the witness
    OutdatedLeadsAtBoot,    // a boot forgets that this node is out of S
    LeaseIgnored,           // the workers do not let go when the lease has run out
    LeaseEarly,             // a lease ends before what makes it needless is on the disk
    ServesByReading,        // that an answer was lost is not told: what is read passes for it
    TargetOfBefore          // what a ping target answered in an earlier silence counts in this one
};

inline constexpr std::array<std::pair<std::string_view, Mutant>, 23> kMutants{{
    {"local-acknowledge", Mutant::LocalAcknowledge},
    {"assume-won", Mutant::AssumeWon},
    {"takeover-outdated", Mutant::TakeoverOutdated},
    {"accept-old-decisions", Mutant::AcceptOldDecisions},
    {"join-without-overlap", Mutant::JoinWithoutOverlap},
    {"added-before-synced", Mutant::AddedBeforeSynced},
    {"join-abandoned", Mutant::JoinAbandoned},
    {"swap-without-drain", Mutant::SwapWithoutDrain},
    {"swap-without-ceding", Mutant::SwapWithoutCeding},
    {"witness-forgets", Mutant::WitnessForgets},
    {"forget-both", Mutant::ForgetBoth},
    {"trust-power-victim", Mutant::TrustPowerVictim},
    {"no-flush", Mutant::NoFlush},
    {"agreement-crosses", Mutant::AgreementCrosses},
    {"ceding-cancelled", Mutant::CedingCancelled},
    {"unclean-secondary-stays", Mutant::UncleanSecondaryStays},
    {"no-seal", Mutant::NoSeal},
    {"birth-on-both", Mutant::BirthOnBoth},
    {"outdated-leads-at-boot", Mutant::OutdatedLeadsAtBoot},
    {"lease-ignored", Mutant::LeaseIgnored},
    {"lease-ends-early", Mutant::LeaseEarly},
    {"serves-by-reading", Mutant::ServesByReading},
    {"target-of-before", Mutant::TargetOfBefore},
}};

/// What it makes a node believe of a decision is not what was decided.
constexpr bool forges(Mutant mutant) {
    return mutant == Mutant::TakeoverOutdated || mutant == Mutant::OutdatedLeadsAtBoot;
}

inline std::optional<Mutant> find_mutant(std::string_view wanted) {
    for (const auto& [name, mutant] : kMutants) {
        if (name == wanted) return mutant;
    }
    return std::nullopt;
}

}  // namespace ha::explore
