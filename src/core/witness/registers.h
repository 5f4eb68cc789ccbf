#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/id128.h"
#include "base/result.h"
#include "core/ports/register.h"

// What hamirror-witness knows of one cluster and how it answers. Each cluster is a store of its
// own, one small file with an identity and a counter: a damaged or restored file concerns that
// cluster, and a cluster without an exchange since a backup was taken loses nothing by its restore.

namespace ha::witness {

/// Names in one cluster; a pair has at most 32 modules at a time.
inline constexpr std::size_t kMaxModules = 64;
inline constexpr std::size_t kMaxClusterName = 128;
inline constexpr std::uint16_t kClusterVersion = 1;

/// SHA-256 of a node's public key (io/identity.h).
using Key = std::array<std::byte, 32>;

struct Cluster {
    Id128 store;
    std::string name;  // for people; printable ASCII
    std::array<Key, 2> keys{};
    std::uint64_t counter = 0;  // exchanges won
    /// Not 0: a node has seen the counter at this value, beyond ours. Nothing is answered any more,
    /// to either node, until the cluster is removed here and paired anew.
    std::uint64_t behind = 0;
    std::map<std::string, ports::RegisterValue> registers;

    [[nodiscard]] bool has(const Key& key) const { return keys[0] == key || keys[1] == key; }
    bool operator==(const Cluster&) const = default;
};

struct Step {
    ports::RegisterAnswer answer;
    /// Durable before the answer is given and before the next step. Nothing: no change.
    std::optional<Cluster> next;
};

/// Total: every request has an answer.
Step step(const Cluster& cluster, const ports::RegisterRequest& request);

ports::RegisterAnswer refusal(const Cluster& cluster, ports::RegisterRefusal why, std::string text);

/// Whether it may be shown to people as it is.
bool good_name(const std::string& name);

/// The content of a cluster's file; docs/witness.md has the grammar. Damage below it is detected by
/// io/durable_file; what is impossible here is an error, never a guess.
std::vector<std::byte> encode(const Cluster& cluster);
Result<Cluster> decode_cluster(std::span<const std::byte> in);
/// The longest file of a cluster.
inline constexpr std::size_t kMaxClusterFile =
    512 + kMaxModules * (ports::kMaxRegisterName + ports::kMaxRegisterContent + 24);

}  // namespace ha::witness
