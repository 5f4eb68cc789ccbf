#include "io/pairing_wire.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/assert.h"
#include "base/bytes.h"

namespace ha::io::pairing {
namespace {

constexpr std::uint8_t kVersion = 1;
constexpr std::size_t kMaxText = 60000;
constexpr const char* kLabel = "EXPORTER-hamirror-pairing";
constexpr std::string_view kPurpose = "hamirror pairing 1, joiner";

}  // namespace

std::optional<Type> type_of(std::span<const std::byte> frame) {
    if (frame.empty()) return std::nullopt;
    return static_cast<Type>(frame[0]);
}

std::vector<std::byte> propose(const Propose& message) {
    auto out = bare(Type::Propose);
    ByteWriter writer(out);
    writer.u8(kVersion);
    writer.bytes(message.proof);
    writer.text(message.node.name);
    writer.u8(static_cast<std::uint8_t>(message.node.addresses.size()));
    for (const auto& address : message.node.addresses) writer.text(address);
    return out;
}

std::optional<Propose> read_propose(std::span<const std::byte> frame) {
    ByteReader reader(frame);
    Propose out;
    reader.u8();
    auto version = reader.u8();
    auto proof = reader.bytes(32);
    out.proof.assign(proof.begin(), proof.end());
    out.node.name = reader.text(63);
    auto count = reader.u8();
    for (int i = 0; i < count && reader.ok(); ++i) out.node.addresses.push_back(reader.text(64));
    if (version != kVersion || !reader.done()) return std::nullopt;
    return out;
}

std::vector<std::byte> with_text(Type type, const std::string& text) {
    auto out = bare(type);
    ByteWriter(out).text(text);
    return out;
}

std::optional<std::string> read_text(std::span<const std::byte> frame) {
    ByteReader reader(frame);
    reader.u8();
    auto text = reader.text(kMaxText);
    if (!reader.done()) return std::nullopt;
    return text;
}

std::vector<std::byte> bare(Type type) {
    return {static_cast<std::byte>(type)};
}

std::vector<std::byte> proof_of(const std::array<std::byte, 16>& secret,
                                const PairingChannel& channel) {
    std::vector<std::byte> input;
    ByteWriter writer(input);
    writer.text(kPurpose);
    writer.bytes(channel.joiner.bytes);
    writer.bytes(channel.issuer.bytes);
    writer.bytes(channel.binding);
    std::vector<std::byte> out(32);
    unsigned int size = 0;
    HA_ASSERT(HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()),
                   reinterpret_cast<const unsigned char*>(input.data()), input.size(),
                   reinterpret_cast<unsigned char*>(out.data()), &size) != nullptr);
    return out;
}

Result<PairingChannel> channel_of(TlsStream& stream, const Fingerprint& issuer,
                                  const Fingerprint& joiner) {
    PairingChannel channel{issuer, joiner, {}};
    if (!stream.export_secret(kLabel, joiner.bytes, channel.binding)) {
        return fail("TLS gives no secret for pairing");
    }
    return channel;
}

std::string sorry(TokenStore::State state, const std::string& again) {
    const auto said = [state] {
        switch (state) {
            case TokenStore::State::None:
                return "no pairing token is open; ";
            case TokenStore::State::Expired:
                return "the pairing token has expired (it is valid for 15 minutes); ";
            case TokenStore::State::Used:
                return "the pairing token was used already; ";
            case TokenStore::State::Burnt:
                return "the pairing token was tried wrong 5 times and is void; ";
            case TokenStore::State::Open:
                break;
        }
        return "the pairing token is wrong; it is not the one issued last; ";
    };
    return said() + again;
}

Result<> check_token(TokenStore& tokens, const PairingChannel& channel,
                     std::span<const std::byte> proof, const std::string& again) {
    auto token = tokens.current();
    if (!token) return tl::unexpected(token.error());
    if (token->state != TokenStore::State::Open) return fail(sorry(token->state, again));
    auto right = proof_of(token->secret, channel);
    if (proof.size() == right.size() &&
        CRYPTO_memcmp(proof.data(), right.data(), right.size()) == 0) {
        return {};
    }
    if (auto counted = tokens.count_wrong_attempt(); !counted) return counted;
    return fail(sorry(TokenStore::State::Open, again));
}

}  // namespace ha::io::pairing
