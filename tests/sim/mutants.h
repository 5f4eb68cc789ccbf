#pragma once

#include <array>
#include <optional>
#include <string_view>
#include <utility>

namespace ha::sim {

/// Known-bad variants of the module, put between the machine and its workers by the simulator (the
/// machine itself has no such hooks). The simulator proves itself by catching each of them.
enum class Mutant {
    None,
    LocalAcknowledge,    // acknowledged after a timeout, no decision taken
    TakeoverOutdated,    // a restart forgets that this node is out of S
    TellEarly,           // "you are in" before everything was copied, no synchronous overlap
    NoSeal,              // Sealed is answered, nothing is refused
    NoFlush,             // MadeDurable is answered, nothing was flushed
    TrustPowerVictim,    // a restart forgets that the system stopped unclean
    TrustClosing,        // a mirror that was closed is taken for durable
    SwapWithoutDrain,    // Drained is answered, nothing was drained
    UsedTooLate,         // the first acknowledgement does not wait for its mark
    AcceptOldDecisions,  // frames of any decision are accepted
    RecordInPlace,       // the record is written over the old one
    NoSettle,            // a record that is read is taken for durable
    IgnoreDrift,         // the lease lasts as long as equal clocks would let it
    NoReset,             // processes that cannot be killed are waited for
    IgnoreProgress,      // nobody says how far a copy had come
    // with a witness
    AssumeWon,       // what was asked of the witness is taken for decided
    ForgetExchange,  // a restart forgets what was asked and not answered
    WitnessForgets,  // the witness comes back with an older value
    WitnessAtOnce,   // a node goes by the witness of its own file from its next start on
    // without
    PingNoTarget,  // nobody asks the ping target
    AskNobody      // nor whether somebody has the addresses, before a node serves unconfirmed
};

inline constexpr std::array<std::pair<std::string_view, Mutant>, 21> kMutants{{
    {"local-acknowledge", Mutant::LocalAcknowledge},
    {"takeover-outdated", Mutant::TakeoverOutdated},
    {"tell-early", Mutant::TellEarly},
    {"no-seal", Mutant::NoSeal},
    {"no-flush", Mutant::NoFlush},
    {"trust-power-victim", Mutant::TrustPowerVictim},
    {"trust-closing", Mutant::TrustClosing},
    {"swap-without-drain", Mutant::SwapWithoutDrain},
    {"used-too-late", Mutant::UsedTooLate},
    {"accept-old-decisions", Mutant::AcceptOldDecisions},
    {"record-in-place", Mutant::RecordInPlace},
    {"no-settle", Mutant::NoSettle},
    {"ignore-drift", Mutant::IgnoreDrift},
    {"no-reset", Mutant::NoReset},
    {"ignore-progress", Mutant::IgnoreProgress},
    {"assume-won", Mutant::AssumeWon},
    {"forget-exchange", Mutant::ForgetExchange},
    {"witness-forgets", Mutant::WitnessForgets},
    {"witness-at-once", Mutant::WitnessAtOnce},
    {"ping-no-target", Mutant::PingNoTarget},
    {"ask-nobody", Mutant::AskNobody},
}};

inline std::optional<Mutant> find_mutant(std::string_view wanted) {
    for (const auto& [name, mutant] : kMutants) {
        if (name == wanted) return mutant;
    }
    return std::nullopt;
}

}  // namespace ha::sim
