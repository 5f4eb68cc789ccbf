#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "core/ports/register.h"
#include "io/identity.h"

// The frames between a node and hamirror-witness (docs/witness.md has the grammar and an example).
// Everything is bounded and checked here: what decodes is in bounds, and everything else does not.

namespace ha::io {

inline constexpr std::uint16_t kWitnessVersion = 1;
inline constexpr std::uint16_t kWitnessPort = 7401;
/// Longer frames end a connection with the witness.
inline constexpr std::size_t kMaxWitnessFrame = 4096;

/// The first frame of a paired node. Of another version nothing else is read.
struct WitnessHello {
    std::uint16_t version = kWitnessVersion;
    Id128 store;
};

/// The only frame of a node that has a token.
struct WitnessEnrol {
    std::uint16_t version = kWitnessVersion;
    std::vector<std::byte> proof;  // io/pairing_wire.h
    std::string name;              // of the cluster, for people
    Fingerprint peer;              // the other node's key; the sender's is TLS's
};

struct WitnessAsk {
    std::uint64_t number = 0;  // not 0; one more for each request of a connection
    ports::RegisterRequest request;
};

using WitnessMessage = std::variant<WitnessHello, WitnessEnrol, WitnessAsk>;

/// All that the witness says. Number 0 answers a hello or an enrolment.
struct WitnessAnswer {
    std::uint64_t number = 0;
    ports::RegisterAnswer answer;
};

std::vector<std::byte> encode(const WitnessMessage& message);
std::vector<std::byte> encode(const WitnessAnswer& answer);
/// Nothing: not one of these.
std::optional<WitnessMessage> decode_witness_message(std::span<const std::byte> frame);
std::optional<WitnessAnswer> decode_witness_answer(std::span<const std::byte> frame);

}  // namespace ha::io
