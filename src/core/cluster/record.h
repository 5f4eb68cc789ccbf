#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "core/cluster/decision.h"

namespace ha::cluster {

/// A decision this node asked the witness for (R6): sent, and its outcome not known. It names the
/// value it replaces.
struct Exchange {
    Id128 expected;  // the decision the register has to show; none: no value yet
    Decision decision;

    auto operator<=>(const Exchange&) const = default;
};

/// An operator's word on automatic failover. It holds on both nodes while failover.automatic of the
/// module's file is what it was then; a file that says otherwise is the later word.
struct FailoverSwitch {
    std::uint64_t number = 0;  // grows with every word of either node; 0: none was given
    bool automatic = true;
    bool file = true;

    auto operator<=>(const FailoverSwitch&) const = default;
};

/// Whether a module starts when the node boots. AsBefore: if it was not stopped by an operator.
enum class AtBoot : std::uint8_t { AsBefore, Never, Always };

/// What a node knows of a module for good. Written whole (Persist) before it is acted upon.
struct Record {
    Id128 module_id;  // none: unborn here
    Chain chain;
    /// Once true it stays so whatever anybody says, until the primary's "you are in" (R2, R5).
    bool outdated = false;
    /// R8(3): this node gave the module away under this decision and neither serves nor shrinks.
    std::optional<Decision> ceding;
    /// R6: sent to the witness, perhaps, and not settled. Recorded before it is first sent.
    std::optional<Exchange> exchange;
    /// R6: what was asked of this witness before the two nodes agreed on another decision from the
    /// same parent. It is nobody's, but the register may come to show it, and is brought up then.
    Id128 abandoned;
    /// R14: the witness in force here, by its store's id; none: the policy decides.
    Id128 witness;
    /// R14: the other node may have heard that this one waits for another witness, and may go by
    /// that. So the one in force decides nothing here, whatever cluster.yaml names now, until the
    /// two nodes have met again.
    bool witness_open = false;
    /// R11: this node, serving, asked the other to consent to leave S. Recorded before it is said,
    /// for the consent may come when a process of ours that began later acknowledges again. It
    /// stays when that is given up, until the other has heard so.
    bool proposed = false;
    /// R13: both copies were identical and durable when both stopped under this decision.
    Id128 stopped_together;
    /// The operator wants the module running on this node.
    bool wanted = false;
    /// The boot during which the mirror was opened; none once it was closed and all of it is
    /// durable.
    Id128 open_boot;
    /// R7: the system stopped unclean, or the disk failed, while S named the other node; until it
    /// has met that node.
    bool power_lost = false;
    /// Automatic restarts of the application spent; an operator's command resets it.
    std::uint32_t restarts = 0;
    /// R14: the later one of the two nodes' is both nodes'.
    FailoverSwitch failover;
    AtBoot at_boot = AtBoot::AsBefore;
    /// The boot for which that was looked at, or set; none: not yet.
    Id128 last_boot;

    auto operator<=>(const Record&) const = default;
};

/// How far the copies had come, as a node's tree says when its mirror is opened (docs/formats.md,
/// "Progress"). What is known of the other's copy is on that one's disk: a copy that has come less
/// far than the other node knows was put back to an earlier moment.
struct Progress {
    std::uint64_t own = 0;
    std::uint64_t peer = 0;  // the newest that this node heard of the other's copy, and noted

    auto operator<=>(const Progress&) const = default;
};

/// What a node is doing with a module, as far as the other must know.
enum class Activity : std::uint8_t {
    Stopped,
    Opening,
    Waiting,     // mirror open, no role
    Rebuilding,  // resync target
    Following,   // holds an identical copy
    Sealing,     // about to take over
    Serving,     // primary, from the recorded decision on, application stopping included
    Ceding,
    Leaving  // demoting or closing
};

/// The one message two clusterds exchange about a module: the sender's whole view, sent on every
/// change and on every new connection. Losing all but the last loses nothing; whatever it says of
/// the record was durable before it was sent. So agreements need no dialogue: a proposal stands in
/// the report until the other's chain shows it, or the sender gives it up.
struct Report {
    std::uint64_t serial = 0;  // grows with each report of one clusterd process
    Id128 boot;
    Id128 module_id;
    Chain chain;
    bool outdated = false;
    bool power_lost = false;
    std::optional<Decision> ceding;
    Id128 stopped_together;
    Activity activity = Activity::Stopped;
    bool data_ok = false;              // mirror open, marker as expected
    std::optional<Progress> progress;  // of a mirror that was opened and had no role since
    Id128 term;                        // of the stream it serves or follows
    std::uint64_t attempt = 0;  // Rebuilding: another number each time it is ready to be rebuilt
    std::optional<Decision> proposal;  // asks for the other's consent (R11)
    /// Another one since the sender's process began, and each time a proposal that it had said does
    /// not stand any more.
    Id128 withdrawn;
    Id128 withdrawn_heard;        // the mark of the other node's last report
    bool leaving = false;         // a secondary that wants out of S
    Id128 stopping_together;      // the drained primary asks for the flag of R13
    bool keeps_copy = false;      // consented to a decision that keeps it in S; follows as soon
                                  // as the sender of that decision serves
    bool restarts_spent = false;  // the application may not be handed over to it
    FailoverSwitch failover;
    std::optional<Node> preferred;
    AtBoot at_boot = AtBoot::AsBefore;
    std::uint64_t rules = 0;   // digest of the configuration it decides by (core/config/rules.h)
    Id128 witness;             // in force there; none: no witness
    Id128 witness_configured;  // in cluster.yaml; another one: pending (R14)
    Id128 witness_mark;        // another one each time the configured one is read or changed
    Id128 witness_heard;       // the mark of the other node's last report
    std::string state;         // for people, as `status` shows it
    std::string readiness;
    std::string reason_code;
    std::string reason;

    auto operator<=>(const Report&) const = default;
};

}  // namespace ha::cluster
