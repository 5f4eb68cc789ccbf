#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/id128.h"
#include "base/strong.h"
#include "base/time.h"

// What ha-clusterd and its workers say to each other over the private socket: orders down, facts
// up. Orders are idempotent: giving the same one twice changes nothing and is answered again, so
// that a restarted clusterd or worker is brought to the same state by repeating. Facts are past
// tense. The encoding (one JSON text per D-Bus message) lives in io/worker_codec.cc and nowhere
// else.

namespace ha::api {

inline constexpr const char* kWorkerSocket = "/run/hamirror/worker.sock";
inline constexpr std::uint32_t kWorkerProtocol = 1;

enum class WorkerKind : std::uint8_t { Replicator, Vip, Watchdog };

/// First message of a worker on each connection. `module` is empty but for a replicator.
struct WorkerHello {
    WorkerKind kind = WorkerKind::Replicator;
    std::string module;
    std::uint32_t protocol = kWorkerProtocol;
};

// ---- to all three

/// The lease of the module (io/lease_page.h) may have begun: from here on it is enforced. Run out,
/// its worker gives up what it holds of the module as by DropAddresses, KillUnits or FailHeld, and
/// carries out no order to hold it until the next lease. No answer.
struct LookAtLease {
    std::string module;
    /// To ha-watchdog: a process of the units that is left this long after the lease ran out ends
    /// by the reset of this node (self-fencing); zero: never.
    Duration kill_bound{};
};

// ---- orders to ha-replicatord@M
// -------------------------------------------------------------------

struct ReplicatedPath {
    std::string path;
    std::vector<std::string> exclude;
};

/// Mount over the directories. Modifications wait until a role is ordered. Answer: MirrorOpened or
/// MirrorFailed.
struct OpenMirror {
    std::string module;
    Id128 module_id;        // none: this node has never been part of this module
    std::uint8_t node = 0;  // 0 or 1: our index in cluster.yaml
    std::vector<ReplicatedPath> paths;
    std::uint16_t port = 0;                    // both listen here
    std::vector<std::string> local_addresses;  // one per network
    std::vector<std::string> peer_addresses;   // same order
    Duration heartbeat{};                      // keep-alive of an idle stream
    Duration silent_after{};
};

/// This node is the primary of `term`, which it began under `decision`. `peer`: whether the other
/// node's acceptance is needed (R1). Answer: MirrorServing, after the tree is stamped durably. The
/// same term again with another `peer` or a newer `decision` switches live (shrink, join).
struct ServeMirror {
    enum class Peer : std::uint8_t { Absent, Member };
    Id128 module_id;
    Epoch epoch;
    Id128 decision;
    Id128 term;
    Peer peer = Peer::Absent;
};

/// This node is a secondary: modifications answer EROFS, frames are accepted from the primary of
/// `term` under decisions numbered `epoch` or more. `resync`: our copy is to be rebuilt (target of
/// R5), else it is in sync and the stream starts at the sequence we hold.
struct FollowMirror {
    Id128 module_id;
    Epoch epoch;
    Id128 term;
    bool resync = false;
};

/// To the primary under S={self}: begin to bring the peer up (R5). Progress: ResyncProgress; end:
/// JoinReady with the token of the last such order; a resync that runs already goes on under it.
struct StartResync {
    std::uint64_t token = 0;
};
struct StopResync {};
/// R5's end, to the primary after it recorded the decision: tell the target, on the same stream.
struct TellIn {
    std::string decision;  // encoded by core/cluster; opaque here
    Epoch epoch;
    Id128 decision_id;
};
/// R12: durably refuse every frame of decisions numbered `epoch` or less, then answer Sealed.
struct SealMirror {
    Epoch epoch;
};
/// Everything accepted so far is on this node's disk, then MadeDurable. `hold`: from the moment the
/// flush begins nothing more is acknowledged, until ServeMirror or ResumeMirror.
struct MakeDurable {
    std::uint64_t token = 0;
    bool hold = false;
};
/// New modifications wait; when all earlier ones are accepted and both copies (the peer's only if
/// it is a member) are durable: Drained.
struct DrainMirror {};
/// Undo of DrainMirror.
struct ResumeMirror {};
/// Allows the first acknowledgement under `decision` (its "used" mark is durable now).
struct AllowAcknowledge {
    Id128 decision;
};
/// Forced demotion: held modifications and all later ones answer EIO. Answer: HeldFailed.
struct FailHeld {};
/// Neither role: modifications wait, no frames are accepted. Used before a role is known again.
struct HoldMirror {};
/// Unmount (bounded), make durable, forget the role. Answer: MirrorClosed. `together`: both nodes
/// stop with identical copies (R13); what the trees look like is noted, for MirrorOpened to
/// compare. `paths`: the module's directories, for a process that did not have the mirror open; an
/// earlier one of this boot may have.
struct CloseMirror {
    bool together = false;
    std::vector<std::string> paths;
};

// ---- facts from ha-replicatord@M
// ------------------------------------------------------------------

enum class Marker : std::uint8_t { Valid, Absent, Foreign };

struct MirrorOpened {
    Marker marker = Marker::Absent;
    std::string detail;      // of a marker that is not valid: which path, what was found
    bool serving = false;    // it was already open and serving / following (clusterd restarted)
    bool following = false;  // in sync, not as a resync target
    Id128 term;
    Id128 decision;
    /// A common stop left its note, and nothing has served or followed since: the trees were
    /// compared with it. Without a note nothing was compared, and `untouched` says nothing.
    bool compared = false;
    bool untouched = true;  // false: somebody changed something in between, or it cannot be told
    /// No role has ever been begun here to its end: this node never finished marking these trees.
    bool never_stamped = false;
    /// How far the copy had come, and what is noted of the peer's (docs/formats.md, "Progress").
    std::uint64_t progress = 0;
    std::uint64_t peer_progress = 0;
};
struct MirrorFailed {
    std::string code;  // stable: mount-failed, data-missing, disk-full, io-error, aborted, ...
    std::string text;
};
struct MirrorServing {
    Id128 term;
    Id128 decision;
};
struct MirrorFollowing {
    Id128 term;
};
/// The stream to the peer for this term is up / broken. Evidence of life travels as MirrorEvidence,
/// at most once per heartbeat; `age` is how long ago the frame arrived when this was sent.
struct StreamUp {
    Id128 term;
};
struct StreamDown {
    Id128 term;
    std::string reason;
};
struct MirrorEvidence {
    Duration age{};
};
/// Operations are outstanding and none was acknowledged for mirror_dead (3 s). `here`: it is this
/// node's own disk that does not even take a small write (R11); `text` says which. Said again every
/// mirror_dead as long as it is so.
struct AcknowledgementsStalled {
    bool here = false;
    std::string text;
};
/// The peer's copy cannot follow (disk full, I/O error there): it must leave S.
struct PeerCopyFailed {
    std::string code;
    std::string text;
};
/// Our own copy cannot follow or serve.
struct LocalCopyFailed {
    std::string code;
    std::string text;
    /// A sync failed: what was accepted may be gone, however it reads now (fsync(2)).
    bool lost = false;
};
struct ResyncProgress {
    std::uint64_t files_total = 0;  // 0: not known yet
    std::uint64_t files_done = 0;
    std::uint64_t bytes_examined = 0;
    std::uint64_t bytes_sent = 0;
};
/// Nothing is pending, every operation goes to the joiner too and waits for it, both sides durable.
struct JoinReady {
    std::uint64_t token = 0;
    std::uint64_t files = 0;
    std::uint64_t bytes_examined = 0;
    std::uint64_t bytes_sent = 0;
};
/// On the target: the primary's TellIn arrived on the stream that brought us up.
struct ToldIn {
    std::string decision;
};
struct Sealed {
    Epoch epoch;
    Id128 term;
    Sequence last;  // last one accepted of that term
};
struct MadeDurable {
    std::uint64_t token = 0;
};
struct Drained {
    Sequence last;
};
/// A modification waits for its first acknowledgement under `decision`: record it as used, then
/// AllowAcknowledge.
struct FirstModification {
    Id128 decision;
};
struct HeldFailed {};
/// `durable`: all that was ever written to the directories is on their disks.
struct MirrorClosed {
    bool durable = false;
};
/// How much this node changed that the other does not have: modifications, and the bytes written,
/// since it went alone under `decision`; none: it has not, or both are in sync again. Told when the
/// mirror is open and then on change, at most once a second.
struct ChangedAlone {
    Id128 decision;
    std::uint64_t operations = 0;  // both at most kMaxChangedAlone
    std::uint64_t bytes = 0;
    bool at_least = false;  // a process ended before it had written down all of it

    auto operator<=>(const ChangedAlone&) const = default;
};
/// What every reader of JSON can hold.
inline constexpr std::uint64_t kMaxChangedAlone = 1ULL << 53U;

// ---- orders to and facts from ha-vipd
// -------------------------------------------------------------

struct HoldAddresses {
    std::string module;
    std::vector<std::string> addresses;  // "192.0.2.10/24" or "192.0.2.10/24@eth0"
};
struct DropAddresses {
    std::string module;
};
/// Does another machine have one of them? Nothing is held or dropped. Answer: AddressesProbed,
/// within two seconds.
struct ProbeAddresses {
    std::string module;
    std::uint64_t token = 0;
    std::vector<std::string> addresses;
};
struct AddressesHeld {
    std::string module;
};
struct AddressesDropped {
    std::string module;
};
struct AddressesFailed {
    std::string module;
    std::string text;
};
struct AddressesProbed {
    std::string module;
    std::uint64_t token = 0;  // of the order it answers
    std::string taken;        // the one that was answered for first; empty: none was
    std::string mac;          // who answered
    bool asked = false;       // for one of them at least: else silence means nothing
    std::string trouble;      // which could not be asked for, and why
};

// ---- orders to and facts from ha-watchdog
// ---------------------------------------------------------

/// Start ha-primary@M.target, then the units in order, each when the job before it is done.
struct StartUnits {
    std::string module;
    std::vector<std::string> units;
};
/// Graceful, reverse order, then the target.
struct StopUnits {
    std::string module;
    std::vector<std::string> units;
};
/// SIGKILL to the units' control groups now; answered when they are empty.
struct KillUnits {
    std::string module;
    std::vector<std::string> units;
};
struct UnitsStarted {
    std::string module;
};
struct UnitsStopped {
    std::string module;
};
struct UnitsGone {
    std::string module;
};
/// While they were to run: one failed by itself, or could not be started.
struct UnitFailed {
    std::string module;
    std::string unit;
    std::string result;  // systemd's Result= property, or the job's result
};

using Order = std::variant<OpenMirror, ServeMirror, FollowMirror, StartResync, StopResync, TellIn,
                           SealMirror, MakeDurable, DrainMirror, ResumeMirror, AllowAcknowledge,
                           FailHeld, HoldMirror, CloseMirror, HoldAddresses, DropAddresses,
                           ProbeAddresses, StartUnits, StopUnits, KillUnits, LookAtLease>;

using Fact = std::variant<WorkerHello, MirrorOpened, MirrorFailed, MirrorServing, MirrorFollowing,
                          StreamUp, StreamDown, MirrorEvidence, AcknowledgementsStalled,
                          PeerCopyFailed, LocalCopyFailed, ResyncProgress, JoinReady, ToldIn,
                          Sealed, MadeDurable, Drained, FirstModification, HeldFailed, MirrorClosed,
                          ChangedAlone, AddressesHeld, AddressesDropped, AddressesFailed,
                          AddressesProbed, UnitsStarted, UnitsStopped, UnitsGone, UnitFailed>;

/// The module a fact of a worker that serves all modules is about; empty for the others.
inline std::string module_of(const Fact& fact) {
    return std::visit(
        [](const auto& one) -> std::string {
            if constexpr (requires { one.module; }) {
                return one.module;
            } else {
                return {};
            }
        },
        fact);
}

}  // namespace ha::api
