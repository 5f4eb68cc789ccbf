#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/id128.h"
#include "base/time.h"

// What cluster.yaml and modules/NAME.yaml say, and which of it makes no sense. Plain structs and
// pure checks: io/yaml_config reads and writes the files, io/config_system_check asks the system.
// The defaults here are the ones documented in docs/configuration.md.

namespace ha::config {

struct NodeConfig {
    std::string name;
    std::vector<std::string> addresses;  // one per network, IPv4
};

/// How an etcd is reached and known. Files: absolute paths, the same on both nodes.
struct EtcdConfig {
    std::vector<std::string> endpoints;  // "https://HOST:PORT"
    std::string cluster;                 // its id of itself, 16 hexadecimal digits
    std::string prefix = "/hamirror";    // of our keys
    std::string ca;           // who signed the servers' certificates; empty: the system's
    std::string certificate;  // ours, and its key; empty: none
    std::string key;
    std::string user;  // empty: none
    std::string password_file;

    bool operator==(const EtcdConfig&) const = default;
};

/// The pair's witness: a machine with hamirror-witness that knows both nodes' keys, or an etcd. Not
/// among the rules of rules.h: how a change of it comes into force is 2-safety R14, and what it is
/// known by there is `store` alone.
struct WitnessConfig {
    std::vector<std::string> addresses;  // IPv4; of an etcd: of each endpoint, in their order
    std::uint16_t port = 7401;           // hamirror-witness's
    std::string key;  // hamirror-witness's: fingerprint of its public key, 64 hexadecimal digits
    Id128 store;      // this pair's, at that witness
    std::optional<EtcdConfig> etcd = std::nullopt;  // else it is a hamirror-witness

    bool operator==(const WitnessConfig&) const = default;
};

struct ClusterConfig {
    /// Two in the same order on both nodes; one between `cluster init` and `cluster pair`.
    std::vector<NodeConfig> nodes;
    /// TCP for control, UDP for heartbeats.
    std::uint16_t control_port = 7400;
    /// Written by `hamirrorctl witness add`.
    std::optional<WitnessConfig> witness = std::nullopt;
};

/// On one pair. A heartbeat names them all.
inline constexpr std::size_t kMaxModules = 32;
/// As etcd has members, at most.
inline constexpr std::size_t kMaxEtcdEndpoints = 8;

/// Of one module.
inline constexpr std::size_t kMaxPingTargets = 4;

/// Modules' ports are assigned from here.
inline constexpr std::uint16_t kFirstModulePort = 7410;

struct ReplicatedDirectory {
    std::string path;
    std::vector<std::string> exclude;
};

/// More often than `count` within `within`: no further automatic restart.
struct Restarts {
    std::uint32_t count = 3;
    Duration within = 24h;
};

struct Failover {
    bool automatic = true;
    std::string preferred;  // a node's name; empty: none
    Restarts restarts;
};

/// 2-safety's two policies for a pair without a witness.
enum class Policy : std::uint8_t { Available, Safe };

struct Timing {
    Duration heartbeat = 100ms;
    Duration silent_after = 1000ms;
    Duration demote_after = 1500ms;
    Duration kill_bound = 500ms;
    Duration take_after = 2200ms;
};

struct ModuleConfig {
    std::string name;
    std::vector<ReplicatedDirectory> replicate;
    std::vector<std::string> virtual_ips;  // "192.0.2.10/24" or "192.0.2.10/24@eth0"
    std::vector<std::string> units;
    Failover failover;
    Policy policy = Policy::Available;
    std::vector<std::string> ping_targets;  // IPv4; only for `available`
    Timing timing;
    std::uint16_t port = 0;  // of the mirror; 0: not assigned yet
};

/// `where` names the field as in the file: "replicate[1].path", "timing". `text` is what is wrong
/// and what to do, without the place.
struct Problem {
    std::string where;
    std::string text;
};

/// What is wrong within one file. Empty: nothing.
std::vector<Problem> check(const ClusterConfig& cluster);
/// What is wrong with it whatever the nodes are.
std::vector<Problem> check(const WitnessConfig& witness);
std::vector<Problem> check(const EtcdConfig& etcd);
std::vector<Problem> check(const ModuleConfig& module, const ClusterConfig& cluster);

/// What collides with the other modules. An entry of `others` of the same name is skipped.
std::vector<Problem> check_against(const ModuleConfig& module,
                                   const std::vector<ModuleConfig>& others);

/// The first port from kFirstModulePort on that nobody has; 0: none left.
std::uint16_t free_port(const ClusterConfig& cluster, const std::vector<ModuleConfig>& modules);

const char* name(Policy policy);

}  // namespace ha::config
