#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "core/cluster/events.h"
#include "core/config/config.h"

// What ha-clusterd shows and takes orders for, without a word of D-Bus: bus_face.cc turns it into
// org.hamirror, daemon.cc implements it. Both nodes' view of everything is in it.

namespace ha::clusterd {

/// What a node changed that the other does not have.
struct ChangedAloneView {
    std::uint64_t operations = 0;
    std::uint64_t bytes = 0;
    bool at_least = false;  // it may be more
};

/// One module on one node, as `hamirrorctl status` shows it.
struct NodeView {
    std::string node;
    bool seen =
        false;  // this node itself, or a report from the other is at hand and it is not silent
    std::string state;  // the words of State and Readiness; "unknown" when not seen
    std::string readiness;
    std::string reason_code;
    std::string reason;
    std::uint64_t epoch = 0;
    bool in_sync = false;       // member of S of the newest decision that node knows
    bool ever_in_sync = false;  // of any; false: what it holds is not a copy of the module's data
    std::string at_boot = "as-before";  // always, never
    /// While it is not seen: when there was evidence of it last; wall clock, for people; 0: not
    /// since this daemon began.
    std::int64_t last_seen_unix_ms = 0;
    /// Since it went alone; none: it has not, or they are in sync again, or it is not known.
    std::optional<ChangedAloneView> changed_alone = std::nullopt;
};

struct ResyncView {
    bool running = false;
    std::uint64_t files_total = 0;
    std::uint64_t files_done = 0;
    std::uint64_t bytes_examined = 0;
    std::uint64_t bytes_sent = 0;
};

struct ModuleView {
    std::string module;
    cluster::Knowledge known;                // of this node; given back by who forces it
    std::vector<std::string> known_in_sync;  // by the newest decision that this node knows
    std::array<NodeView, 2> nodes;           // in the order of cluster.yaml
    std::string primary;      // name of the node that serves, empty if none is known to
    std::string policy;       // available, safe
    std::string policy_text;  // what that means, one sentence
    std::string mode;         // strict
    std::string witness;      // what it does for this module; empty: there is none
    bool automatic_failover = true;
    bool failover_recorded = true;  // what that says, on both nodes
    std::string preferred;          // a node; empty: none
    std::string preferred_text;     // why it does not serve though the other node does, and could
    std::string ping_targets;       // of each, whether it answers; empty: there are none
    std::vector<std::string> virtual_ips;
    std::vector<std::string> units;
    std::vector<std::string> paths;
    ResyncView resync;  // running, or the last one
    std::int64_t since_unix_ms =
        0;  // when this node's state last changed; wall clock, for people only
};

struct NetworkView {
    std::string local_address;
    std::string peer_address;
    bool heard = false;  // heartbeats arrive over it
};

struct WitnessView {
    std::vector<std::string> addresses;
    std::uint16_t port = 0;         // hamirror-witness's
    std::vector<std::string> etcd;  // endpoints; none: it is a hamirror-witness
};

struct ClusterView {
    std::string node;  // this one
    std::array<std::string, 2> nodes;
    bool paired = false;
    bool control_connected = false;
    std::optional<WitnessView> witness;
    /// How this node ends what does not let go, in words; empty: not known (yet).
    std::string self_fencing;
    std::vector<NetworkView> networks;
    std::vector<ModuleView> modules;
};

/// `code` is the last part of a D-Bus error name (PeerNotReady, Refused, NoSuchModule, ...).
struct CommandError {
    std::string code;
    std::string text;
};
using Done = std::function<void(tl::expected<std::string, CommandError>)>;

/// Orders from outside. Each calls `done` once, from the loop's thread: when the order was taken (a
/// state change is under way and will show) or refused with nothing changed. Privilege was checked.
class Commands {
  public:
    virtual ~Commands() = default;

    [[nodiscard]] virtual ClusterView view() const = 0;
    virtual void start(const std::string& module, const cluster::StartRequested& order,
                       Done done) = 0;
    virtual void stop(const std::string& module, bool all, Done done) = 0;
    /// Given to either node; the primary carries it out. `to`: the node that shall be primary, and
    /// if it is, that is a refusal (AlreadyPrimary); empty: whichever is not.
    virtual void swap(const std::string& module, const std::string& to, Done done) = 0;
    /// The application, on the node that serves. Given to either node.
    virtual void restart(const std::string& module, Done done) = 0;
    /// Whether a node takes over without a person, on both nodes and for good. Shown by
    /// failover_recorded when that is so.
    virtual void set_failover(const std::string& module, bool automatic, Done done) = 0;
    /// Whether the module starts when this node boots.
    virtual void set_at_boot(const std::string& module, bool starts, Done done) = 0;
    /// Validates on both nodes; installs on both or on neither unless `dry_run`. Result: the plan
    /// and what was done, as text lines. `without_peer`: on this node alone. Error text: the exact
    /// configuration errors.
    virtual void apply(const std::string& yaml, const std::string& file_name, bool dry_run,
                       bool without_peer, Done done) = 0;
    /// Records on both nodes, or on neither, who the pair's witness is (nullopt: there is none).
    /// Result: what was done, as text lines.
    virtual void set_witness(std::optional<config::WitnessConfig> witness, Done done) = 0;
};

/// Implemented by bus_face.cc: told after every change of view().
class Face {
  public:
    virtual ~Face() = default;
    virtual void changed() = 0;
};

}  // namespace ha::clusterd
