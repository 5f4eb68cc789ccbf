#include "io/heartbeat_codec.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <cstring>

#include "base/assert.h"
#include "base/bytes.h"

namespace ha::io {
namespace {

constexpr std::uint32_t kMagic = 0x42484148;  // "HAHB"
constexpr std::uint8_t kVersion = 1;
constexpr std::size_t kTagSize = 16;

using Key = std::array<std::byte, 32>;
using Tag = std::array<std::byte, kTagSize>;

Tag tag_of(const Key& key, std::span<const std::byte> data) {
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int size = 0;
    HA_ASSERT(HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
                   reinterpret_cast<const unsigned char*>(data.data()), data.size(), digest,
                   &size) != nullptr);
    Tag tag;
    std::memcpy(tag.data(), digest, tag.size());
    return tag;
}

}  // namespace

std::optional<std::vector<std::byte>> HeartbeatSealer::seal(std::uint8_t network, Instant now,
                                                            std::span<const std::byte> payload) {
    HA_ASSERT(payload.size() <= kMaxHeartbeatPayload);
    if (!key_) return std::nullopt;
    auto clock = static_cast<std::uint64_t>(now.time_since_epoch().count());
    counter_ = std::max(counter_ + 1, clock);
    std::vector<std::byte> out;
    out.reserve(payload.size() + 64);
    ByteWriter writer(out);
    writer.u32(kMagic);
    writer.u8(kVersion);
    writer.u8(network);
    writer.id(boot_);
    writer.u64(counter_);
    writer.bytes(payload);
    auto tag = tag_of(*key_, out);
    out.insert(out.end(), tag.begin(), tag.end());
    return out;
}

const char* name(HeartbeatVerdict verdict) {
    switch (verdict) {
        case HeartbeatVerdict::Good:
            return "good";
        case HeartbeatVerdict::Malformed:
            return "malformed";
        case HeartbeatVerdict::NoKey:
            return "no key yet";
        case HeartbeatVerdict::OtherBoot:
            return "from another boot of the peer";
        case HeartbeatVerdict::WrongKey:
            return "not made with the peer's key";
        case HeartbeatVerdict::WrongPlace:
            return "made for another network";
        case HeartbeatVerdict::Replayed:
            return "not newer than the last one";
    }
    return "";
}

void HeartbeatOpener::set_key(const Key& key, Id128 peer_boot) {
    if (peer_boot != boot_) {
        boot_ = peer_boot;
        keys_.clear();
        newest_.fill(0);
    }
    keys_.insert(keys_.begin(), key);
    if (keys_.size() > 2) keys_.pop_back();
}

bool HeartbeatOpener::made_with_a_known_key(std::span<const std::byte> datagram) const {
    auto signed_part = datagram.first(datagram.size() - kTagSize);
    auto tag = datagram.last(kTagSize);
    return std::any_of(keys_.begin(), keys_.end(), [&](const Key& key) {
        return CRYPTO_memcmp(tag_of(key, signed_part).data(), tag.data(), kTagSize) == 0;
    });
}

HeartbeatOpener::Opened HeartbeatOpener::open(std::uint8_t network,
                                              std::span<const std::byte> datagram) {
    using enum HeartbeatVerdict;
    if (datagram.size() < kTagSize) return {Malformed, {}};
    ByteReader reader(datagram.first(datagram.size() - kTagSize));
    auto magic = reader.u32();
    auto version = reader.u8();
    auto made_for = reader.u8();
    auto boot = reader.id();
    auto counter = reader.u64();
    auto payload = reader.bytes(kMaxHeartbeatPayload);
    if (!reader.done() || magic != kMagic || version != kVersion) return {Malformed, {}};
    if (keys_.empty()) return {NoKey, {}};
    if (boot != boot_) return {OtherBoot, {}};
    if (!made_with_a_known_key(datagram)) return {WrongKey, {}};
    if (made_for != network) return {WrongPlace, {}};
    if (counter <= newest_[network]) return {Replayed, {}};
    newest_[network] = counter;
    return {Good, payload};
}

}  // namespace ha::io
