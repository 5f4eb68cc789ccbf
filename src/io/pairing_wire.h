#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/config/config.h"
#include "io/pairing_protocol.h"
#include "io/tls_stream.h"

// The frames of pairing (docs/formats.md, "Pairing"). Included by the two machines and their test.

namespace ha::io::pairing {

enum class Type : std::uint8_t { Propose = 1, Offer = 2, Commit = 3, Done = 4, Refuse = 5 };

struct Propose {
    std::vector<std::byte> proof;
    config::NodeConfig node;
};

/// Nothing: an empty frame.
std::optional<Type> type_of(std::span<const std::byte> frame);

std::vector<std::byte> propose(const Propose& message);
std::optional<Propose> read_propose(std::span<const std::byte> frame);
/// Offer and Refuse carry one text, Commit and Done none.
std::vector<std::byte> with_text(Type type, const std::string& text);
std::optional<std::string> read_text(std::span<const std::byte> frame);
std::vector<std::byte> bare(Type type);

/// The same secret on both ends of one connection. Error: TLS gives none.
Result<PairingChannel> channel_of(TlsStream& stream, const Fingerprint& issuer,
                                  const Fingerprint& joiner);
/// HMAC-SHA256 under the token's secret over both fingerprints and the channel's binding.
std::vector<std::byte> proof_of(const std::array<std::byte, 16>& secret,
                                const PairingChannel& channel);
/// Whether the joiner at the other end was given the open token of `tokens`; a wrong proof is
/// counted. Error: a sentence for the joiner, which ends in `again` (how to get another token).
Result<> check_token(TokenStore& tokens, const PairingChannel& channel,
                     std::span<const std::byte> proof, const std::string& again);
/// What a joiner is told of a token in this state.
std::string sorry(TokenStore::State state, const std::string& again);

}  // namespace ha::io::pairing
