#pragma once

#include <array>
#include <utility>

#include "api/worker.h"

// The wire schema of orders and facts: for each message its type name and its fields. A `Visitor`
// has type(name) and operator()(name, field&). Included by worker_codec.cc alone.

namespace ha::io::wire {

template <typename E>
struct EnumNames;

template <>
struct EnumNames<api::WorkerKind> {
    static constexpr std::array names{std::pair{api::WorkerKind::Replicator, "replicator"},
                                      std::pair{api::WorkerKind::Vip, "vip"},
                                      std::pair{api::WorkerKind::Watchdog, "watchdog"}};
};
template <>
struct EnumNames<api::ServeMirror::Peer> {
    static constexpr std::array names{std::pair{api::ServeMirror::Peer::Absent, "absent"},
                                      std::pair{api::ServeMirror::Peer::Member, "member"}};
};
template <>
struct EnumNames<api::Marker> {
    static constexpr std::array names{std::pair{api::Marker::Valid, "valid"},
                                      std::pair{api::Marker::Absent, "absent"},
                                      std::pair{api::Marker::Foreign, "foreign"}};
};

#define HA_WIRE_0(Type)                   \
    template <typename Visitor>           \
    void fields(Visitor& v, api::Type&) { \
        v.type(#Type);                    \
    }
#define HA_WIRE(Type, ...)                  \
    template <typename Visitor>             \
    void fields(Visitor& v, api::Type& m) { \
        v.type(#Type);                      \
        __VA_ARGS__;                        \
    }

// clang-format off
HA_WIRE(WorkerHello, v("kind", m.kind), v("module", m.module), v("protocol", m.protocol))

HA_WIRE(ReplicatedPath, v("path", m.path), v("exclude", m.exclude))
HA_WIRE(OpenMirror, v("module", m.module), v("module_id", m.module_id), v("node", m.node),
        v("paths", m.paths),
        v("port", m.port), v("local_addresses", m.local_addresses),
        v("peer_addresses", m.peer_addresses),
        v("heartbeat_ns", m.heartbeat), v("silent_after_ns", m.silent_after))
HA_WIRE(ServeMirror, v("module_id", m.module_id), v("epoch", m.epoch), v("decision", m.decision),
        v("term", m.term),
        v("peer", m.peer))
HA_WIRE(FollowMirror, v("module_id", m.module_id), v("epoch", m.epoch), v("term", m.term),
        v("resync", m.resync))
HA_WIRE(StartResync, v("token", m.token))
HA_WIRE_0(StopResync)
HA_WIRE(TellIn, v("decision", m.decision), v("epoch", m.epoch), v("decision_id", m.decision_id))
HA_WIRE(SealMirror, v("epoch", m.epoch))
HA_WIRE(MakeDurable, v("token", m.token), v("hold", m.hold))
HA_WIRE_0(DrainMirror)
HA_WIRE_0(ResumeMirror)
HA_WIRE(AllowAcknowledge, v("decision", m.decision))
HA_WIRE_0(FailHeld)
HA_WIRE_0(HoldMirror)
HA_WIRE(CloseMirror, v("together", m.together), v("paths", m.paths))

HA_WIRE(MirrorOpened, v("marker", m.marker), v("detail", m.detail), v("serving", m.serving),
        v("following", m.following), v("term", m.term), v("decision", m.decision),
        v("compared", m.compared), v("untouched", m.untouched),
        v("never_stamped", m.never_stamped), v("progress", m.progress),
        v("peer_progress", m.peer_progress))
HA_WIRE(MirrorFailed, v("code", m.code), v("text", m.text))
HA_WIRE(MirrorServing, v("term", m.term), v("decision", m.decision))
HA_WIRE(MirrorFollowing, v("term", m.term))
HA_WIRE(StreamUp, v("term", m.term))
HA_WIRE(StreamDown, v("term", m.term), v("reason", m.reason))
HA_WIRE(MirrorEvidence, v("age_ns", m.age))
HA_WIRE(AcknowledgementsStalled, v("here", m.here), v("text", m.text))
HA_WIRE(PeerCopyFailed, v("code", m.code), v("text", m.text))
HA_WIRE(LocalCopyFailed, v("code", m.code), v("text", m.text), v("lost", m.lost))
HA_WIRE(ResyncProgress, v("files_total", m.files_total), v("files_done", m.files_done),
        v("bytes_examined", m.bytes_examined), v("bytes_sent", m.bytes_sent))
HA_WIRE(JoinReady, v("token", m.token), v("files", m.files), v("bytes_examined", m.bytes_examined),
        v("bytes_sent", m.bytes_sent))
HA_WIRE(ToldIn, v("decision", m.decision))
HA_WIRE(Sealed, v("epoch", m.epoch), v("term", m.term), v("last", m.last))
HA_WIRE(MadeDurable, v("token", m.token))
HA_WIRE(Drained, v("last", m.last))
HA_WIRE(FirstModification, v("decision", m.decision))
HA_WIRE_0(HeldFailed)
HA_WIRE(MirrorClosed, v("durable", m.durable))
HA_WIRE(ChangedAlone, v("decision", m.decision), v("operations", m.operations),
        v("bytes", m.bytes), v("at_least", m.at_least))

HA_WIRE(LookAtLease, v("module", m.module), v("kill_bound_ns", m.kill_bound))

HA_WIRE(HoldAddresses, v("module", m.module), v("addresses", m.addresses))
HA_WIRE(DropAddresses, v("module", m.module))
HA_WIRE(ProbeAddresses, v("module", m.module), v("token", m.token), v("addresses", m.addresses))
HA_WIRE(AddressesHeld, v("module", m.module))
HA_WIRE(AddressesDropped, v("module", m.module))
HA_WIRE(AddressesFailed, v("module", m.module), v("text", m.text))
HA_WIRE(AddressesProbed, v("module", m.module), v("token", m.token), v("taken", m.taken),
        v("mac", m.mac), v("asked", m.asked), v("trouble", m.trouble))

HA_WIRE(StartUnits, v("module", m.module), v("units", m.units))
HA_WIRE(StopUnits, v("module", m.module), v("units", m.units))
HA_WIRE(KillUnits, v("module", m.module), v("units", m.units))
HA_WIRE(UnitsStarted, v("module", m.module))
HA_WIRE(UnitsStopped, v("module", m.module))
HA_WIRE(UnitsGone, v("module", m.module))
HA_WIRE(UnitFailed, v("module", m.module), v("unit", m.unit), v("result", m.result))
// clang-format on

#undef HA_WIRE
#undef HA_WIRE_0

}  // namespace ha::io::wire
