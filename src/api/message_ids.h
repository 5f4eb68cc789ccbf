#pragma once

#include <array>

// MESSAGE_ID= of every journal message an administrator may meet: `journalctl MESSAGE_ID=...` finds
// them, the catalogue (journalctl -x) explains them. An id is never reused or changed.

namespace ha::api {

struct MessageId {
    const char* hex;  // 32 lower-case digits
};

namespace message {

/// A daemon is ready.
inline constexpr MessageId kDaemonStarted{"315fe84dba6346d3aebf1fdd357a6b8f"};
/// A daemon was told to stop.
inline constexpr MessageId kDaemonStopping{"611f7886732047fa94e1425738372d71"};
/// A configuration file does not say what it must; the text names line and reason.
inline constexpr MessageId kConfigurationRefused{"e454569dcb794175b064bc1f334ce0da"};
/// A module's configuration is in force.
inline constexpr MessageId kConfigurationApplied{"4788a0e9e8654d35b23cbad27ab400bc"};
/// This node and its peer know each other's keys now.
inline constexpr MessageId kPaired{"e72adcab33a84b5d9da2b0628367a6ab"};
/// Somebody tried to pair and was refused.
inline constexpr MessageId kPairingRefused{"29e5c0b8cf414ee58287918b53cc7ca3"};
/// A connection was closed because its key is not the peer's.
inline constexpr MessageId kStrangerRefused{"1b414dc79a69483a872731495dd6278c"};
/// The control connection to the peer is up.
inline constexpr MessageId kPeerConnected{"a015f2bb17fe419d94431e498857732b"};
/// The control connection to the peer broke.
inline constexpr MessageId kPeerDisconnected{"618267babd674fa182eca139bf6b3a68"};
/// No evidence of life from the peer for silent_after.
inline constexpr MessageId kPeerSilent{"75b83359dfa04f9c9e5604eb666f6cff"};
/// The peer is heard again.
inline constexpr MessageId kPeerHeard{"870b0d4a3ca840fda74abb95a526b5e2"};
/// The peer is not heard on one network; no role changes.
inline constexpr MessageId kNetworkDown{"042c35527b4343f59229f401d361229e"};
/// The peer is heard on that network again.
inline constexpr MessageId kNetworkUp{"592876a7151444599887a3ef048861c5"};
/// A module's state on this node changed (HAMIRROR_STATE, HAMIRROR_READINESS).
inline constexpr MessageId kStateChanged{"4fb7972f34d544c09531522fa4847c07"};
/// A decision was recorded (HAMIRROR_EPOCH).
inline constexpr MessageId kDecisionRecorded{"43a3920a43b04774b8422213c1cc2a24"};
/// This node takes over from a peer that is silent.
inline constexpr MessageId kTakeover{"a7c7c160c1b344e5bca315a71814e736"};
/// This node gives up a module by force: address, units, held writes.
inline constexpr MessageId kDemotion{"3990fe07fa5b4ab8b6814d1b39762d88"};
/// The lease under which this node holds a module ran out: the workers let go of it by themselves.
inline constexpr MessageId kLeaseExpired{"962301e5a7db4c34b428810cfdd5d0f7"};
/// Self-fencing: processes of a module could not be ended in time, this node resets itself.
inline constexpr MessageId kSelfFenced{"1bb451d3db9248f38279ff7d5d137197"};
/// A planned exchange of roles begins.
inline constexpr MessageId kSwapStarted{"56f586393d8f496083963c599402dac5"};
/// A planned exchange of roles is complete.
inline constexpr MessageId kSwapDone{"74662794f35a406a83daf4df6be1e74f"};
/// A planned exchange of roles was undone; roles are as before.
inline constexpr MessageId kSwapAborted{"900a177737f340b3bf20600253ad4fcb"};
/// Both copies were written independently of each other.
inline constexpr MessageId kSplitBrain{"ea38d89ce6e24c289bcd8db0fd7a1916"};
/// An operator started a module against the safety rules.
inline constexpr MessageId kOperatorForced{"cb8180c8d1de40f99875f3ad0b7e4de6"};
/// A module cannot go on without a person; the text says what to do.
inline constexpr MessageId kBlocked{"2b7f38177042476a90bc750598b34166"};
/// The peer's copy is being brought up to date.
inline constexpr MessageId kResyncStarted{"49c201e8bb924a6fb9f2e2768fbd2e2a"};
/// Both copies are identical again.
inline constexpr MessageId kResyncDone{"a20b2c83c658438aa1cba56abf5f8ebf"};
/// A resynchronisation stopped; the text says why and whether it goes on by itself.
inline constexpr MessageId kResyncFailed{"4648bfb66fc144f58f3663660db7b6f3"};
/// A copy cannot follow: disk full, I/O error.
inline constexpr MessageId kCopyFailed{"fbd9da640c3b481a97f93f65bd33be27"};
/// A node's disk was put back to an earlier moment: its copy is older than the other node knows it.
inline constexpr MessageId kRolledBack{"8bd7f71d5ab2d637adcdb673ea3d3326"};
/// A module's directories are mirrored from now on.
inline constexpr MessageId kMirrorMounted{"2a8a8e61908c4aa39073047b4777f428"};
/// A module's directories are plain directories again.
inline constexpr MessageId kMirrorUnmounted{"637277d6e7af40e1a25780580a11fa73"};
/// A virtual IP is on this node now.
inline constexpr MessageId kAddressTaken{"1afe4c51b33c4156962b119bd86bdaaf"};
/// A virtual IP was removed from this node.
inline constexpr MessageId kAddressDropped{"4504ef2ed2264351a8a3ed5772742b8a"};
/// Another machine uses a virtual IP.
inline constexpr MessageId kAddressConflict{"c46f52480f274ae5bc65167c37bccfb7"};
/// Before this node served alone it asked whether another machine has the virtual IPs.
inline constexpr MessageId kAddressesAsked{"0d94a6c3f3b84b6f8a0b8f4f7a51d2e8"};
/// The application of a module runs.
inline constexpr MessageId kUnitsStarted{"191e39f5c8ce46fba7a341c6a1c273bb"};
/// The application of a module was stopped.
inline constexpr MessageId kUnitsStopped{"ec01795d49564ee8aa8e3e09d09f7e57"};
/// A unit of a module failed by itself.
inline constexpr MessageId kUnitFailed{"066c731f064849b48f60ac1dc91cbe88"};
/// A unit failed more often than its budget of automatic restarts allows.
inline constexpr MessageId kRestartBudgetSpent{"d54fdec2524c4ac7bbff59bd5f44c078"};
/// An operator has the application of a module restarted.
inline constexpr MessageId kRestartOrdered{"b6d0d1c2f8a94e63a1f4c3b75f0e2d97"};
/// Automatic failover of a module was switched on or off.
inline constexpr MessageId kFailoverSwitched{"5a0e3c9d77c14b0fa1d2e46c83b95f10"};
/// The preferred node of a module is ready again; a swap follows.
inline constexpr MessageId kPreferredReady{"e27b8f41c6d54d3c9b60a1f57d2c8e04"};
/// An operator said whether a module starts at boot.
inline constexpr MessageId kAtBootSwitched{"93d1c7a85e0f4c62b4a9f0d86e317b25"};
/// A worker daemon lost its connection to ha-clusterd.
inline constexpr MessageId kWorkerGone{"50002791c1a946d1b48539e480ffefd8"};
/// A worker daemon's connection was refused or broke the protocol.
inline constexpr MessageId kWorkerRefused{"5292a7b3393d4d2592084fe2c76a7f72"};
/// cluster.yaml of this node names another witness now, or none.
inline constexpr MessageId kWitnessChanged{"4a9b09ebe0404211b72fd94a8c49a65b"};
/// A module's register at the witness can be read again.
inline constexpr MessageId kWitnessReached{"0df72c4e6b0c49028dd04fd0a527d6bb"};
/// A module's register at the witness cannot be read: no connection, no answer, or refused.
inline constexpr MessageId kWitnessLost{"cf019cfe8acd40e79982badcfe614125"};
/// A pair of nodes and this witness know each other's keys now.
inline constexpr MessageId kWitnessPaired{"959cd11f5fdf4a45a9630d1ce1ac77a5"};
/// Somebody tried to pair with the witness and was refused.
inline constexpr MessageId kWitnessPairingRefused{"1704ae77cce2467f81749ec023963130"};
/// The witness cannot use the registers of a cluster; the text says why.
inline constexpr MessageId kRegisterDamaged{"5e38bece2147490b871d48a5ec5c6c69"};
/// The registers of a cluster on the witness were restored from a backup.
inline constexpr MessageId kRegisterBehind{"cae2e6dbeb1e4a77890297bbe968d5b5"};
/// The witness could not write: disk full, I/O error.
inline constexpr MessageId kRegisterNotWritten{"dac1f4668c2949d192713e8df55fc977"};

/// All of the above; tools/tidy compares.
inline constexpr std::array kAll{kDaemonStarted,
                                 kDaemonStopping,
                                 kConfigurationRefused,
                                 kConfigurationApplied,
                                 kPaired,
                                 kPairingRefused,
                                 kStrangerRefused,
                                 kPeerConnected,
                                 kPeerDisconnected,
                                 kPeerSilent,
                                 kPeerHeard,
                                 kNetworkDown,
                                 kNetworkUp,
                                 kStateChanged,
                                 kDecisionRecorded,
                                 kTakeover,
                                 kDemotion,
                                 kLeaseExpired,
                                 kSelfFenced,
                                 kSwapStarted,
                                 kSwapDone,
                                 kSwapAborted,
                                 kSplitBrain,
                                 kOperatorForced,
                                 kBlocked,
                                 kResyncStarted,
                                 kResyncDone,
                                 kResyncFailed,
                                 kCopyFailed,
                                 kRolledBack,
                                 kMirrorMounted,
                                 kMirrorUnmounted,
                                 kAddressTaken,
                                 kAddressDropped,
                                 kAddressConflict,
                                 kAddressesAsked,
                                 kUnitsStarted,
                                 kUnitsStopped,
                                 kUnitFailed,
                                 kRestartBudgetSpent,
                                 kRestartOrdered,
                                 kFailoverSwitched,
                                 kPreferredReady,
                                 kAtBootSwitched,
                                 kWorkerGone,
                                 kWorkerRefused,
                                 kWitnessChanged,
                                 kWitnessReached,
                                 kWitnessLost,
                                 kWitnessPaired,
                                 kWitnessPairingRefused,
                                 kRegisterDamaged,
                                 kRegisterBehind,
                                 kRegisterNotWritten};

}  // namespace message
}  // namespace ha::api
