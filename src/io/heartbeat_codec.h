#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/id128.h"
#include "base/time.h"

// What makes a datagram evidence of life: it was made by the paired peer, in the boot we shook
// hands with, and is newer than any before it on the same network. Format: docs/formats.md,
// "Heartbeat". Pure but for the HMAC; no sockets, no clock of its own.

namespace ha::io {

inline constexpr std::size_t kMaxHeartbeatPayload = 4096;

/// Both directions of one control session, taken from its TLS exporter: both ends of one session
/// get the same two keys, and nobody else does.
struct HeartbeatKeys {
    std::array<std::byte, 32> ours;    // for what we send
    std::array<std::byte, 32> theirs;  // for what the peer sends
};

/// Makes datagrams of this boot. The counter follows CLOCK_BOOTTIME, so it also grows over a
/// restart of the daemon and a new key never meets an old counter.
class HeartbeatSealer {
  public:
    explicit HeartbeatSealer(Id128 own_boot) : boot_(own_boot) {}

    void set_key(const std::array<std::byte, 32>& key) { key_ = key; }
    /// Nothing: there is no key yet. HA_ASSERTs that the payload is not too long.
    std::optional<std::vector<std::byte>> seal(std::uint8_t network, Instant now,
                                               std::span<const std::byte> payload);

  private:
    Id128 boot_;
    std::uint64_t counter_ = 0;
    std::optional<std::array<std::byte, 32>> key_;
};

enum class HeartbeatVerdict : std::uint8_t {
    Good,
    Malformed,   // not ours, truncated, too long, of another version
    NoKey,       // no handshake with any peer yet
    OtherBoot,   // the peer was restarted: it must do the TLS handshake first
    WrongKey,    // forged, damaged, or of a session we do not know
    WrongPlace,  // made for another network
    Replayed     // not newer than the last one on this network
};
const char* name(HeartbeatVerdict verdict);

/// Judges datagrams of the peer. Keys of the session before the newest stay good, because the two
/// ends do not change keys in one moment, and for as long as the peer's boot is the same.
class HeartbeatOpener {
  public:
    /// Another boot than before: everything known of the earlier one is forgotten.
    void set_key(const std::array<std::byte, 32>& key, Id128 peer_boot);

    struct Opened {
        HeartbeatVerdict verdict = HeartbeatVerdict::Malformed;
        std::span<const std::byte> payload;  // into the datagram; only if Good
    };
    Opened open(std::uint8_t network, std::span<const std::byte> datagram);

  private:
    [[nodiscard]] bool made_with_a_known_key(std::span<const std::byte> datagram) const;

    Id128 boot_;
    std::vector<std::array<std::byte, 32>> keys_;  // newest first, at most two
    std::array<std::uint64_t, 256> newest_{};      // by network
};

}  // namespace ha::io
