#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

// What the cluster daemon says of itself, as docs/status-json.md describes it. Fields it does not
// send keep their defaults, so that an older or newer daemon can be asked.

namespace ha::ctl {

struct ChangedAloneStatus {
    std::uint64_t operations = 0;
    std::uint64_t bytes = 0;
    bool at_least = false;
};

struct NodeStatus {
    std::string node;
    bool seen = false;
    std::string state = "unknown";
    std::string readiness;
    std::string reason_code;
    std::string reason;
    std::uint64_t epoch = 0;
    bool in_sync = false;
    bool ever_in_sync = true;
    std::string at_boot;
    std::int64_t last_seen_unix_ms = 0;
    std::optional<ChangedAloneStatus> changed_alone;

    [[nodiscard]] bool is(const char* wanted_state, const char* wanted_readiness) const {
        return state == wanted_state && readiness == wanted_readiness;
    }
};

struct ResyncStatus {
    bool running = false;
    std::uint64_t files_total = 0;
    std::uint64_t files_done = 0;
    std::uint64_t bytes_examined = 0;
    std::uint64_t bytes_sent = 0;
};

/// What the node that speaks knows of both copies; given back by who forces it.
struct KnownStatus {
    std::string decision;
    std::string peer_decision;
    bool peer_seen = false;
    std::vector<std::string> in_sync;
};

struct ModuleStatus {
    std::string module;
    std::vector<NodeStatus> nodes;
    std::string primary;
    std::string policy;
    std::string policy_text;
    std::string witness;
    bool automatic_failover = true;
    bool failover_recorded = true;
    std::string preferred;
    std::string preferred_text;
    std::string ping_targets;
    std::string mode;
    std::vector<std::string> virtual_ips;
    std::vector<std::string> units;
    std::vector<std::string> paths;
    KnownStatus known;
    ResyncStatus resync;
    std::int64_t since_unix_ms = 0;

    /// One without a name if it is not there.
    [[nodiscard]] NodeStatus on(const std::string& node) const;
    [[nodiscard]] NodeStatus other_than(const std::string& node) const;
};

struct NetworkStatus {
    std::string local;
    std::string peer;
    bool heard = false;
};

struct WitnessStatus {
    std::vector<std::string> addresses;
    std::uint16_t port = 0;
    std::vector<std::string> etcd;  // endpoints; none: it is a hamirror-witness
};

struct ClusterStatus {
    std::string node;
    std::vector<std::string> nodes;
    bool paired = false;
    bool control_connected = false;
    std::optional<WitnessStatus> witness;
    std::string self_fencing;
    std::vector<NetworkStatus> networks;
    std::vector<ModuleStatus> modules;

    /// nullptr: there is no such module.
    [[nodiscard]] const ModuleStatus* find(const std::string& module) const;
    [[nodiscard]] std::string peer() const;
};

Result<ClusterStatus> parse_status(const std::string& json);

/// The same text with no other module than this in it.
Result<std::string> only_module(const std::string& json, const std::string& module);

}  // namespace ha::ctl
