#pragma once

#include "core/cluster/machine.h"

// The failover machine: what each event does in each phase. Total: a pair left out does not compile
// (an array with too few initialisers would hold a null handler; see the assertion at the end).
//
// The events of the lines of each phase, in the order of the Event variant:
//   Start          Stop             Swap            PeerReported   PeerSilent   PeerOverdue
//   Deadline MirrorOpened   MirrorFailed     MirrorServing   StreamDown     AcksStalled  PeerCopy
//   JoinReady ToldIn         Sealed           MadeDurable     Drained        FirstModif. HeldFailed
//   MirrorClosed AddressesHeld  AddrDropped      UnitsStarted    UnitsStopped   UnitsGone
//   UnitFailed     PeerAhead        RegisterShown   WitnessLost    WitnessConf.
//   Restart        LeaseExpired     Failover        AtBoot         TargetAnswered AddrProbed

namespace ha::cluster {

struct Table {
    using M = Machine;
    using Row = std::array<Machine::Handler, std::variant_size_v<Event>>;
    static constexpr Machine::Handler ____ = &Machine::ignore;
    static constexpr Machine::Handler busy = &Machine::refuse_busy;
    static constexpr Machine::Handler failover = &Machine::set_failover;
    static constexpr Machine::Handler at_boot = &Machine::set_at_boot;

    // clang-format off
    static constexpr std::array<Row, kPhases> kHandlers{{
    // Stopped
    {&M::open, &M::stopped_stop, &M::stopped_swap, &M::note_report, ____, ____, ____,
     &M::stray_mirror, ____, ____, ____, ____, ____, ____,
     ____, ____, ____, ____, ____, ____, &M::closed_late,
     ____, ____, ____, ____, ____, ____, ____, ____, ____, ____,
     &M::not_served, ____, failover, at_boot, ____, ____},
    // Opening
    {&M::opening_start, &M::opening_stop, &M::busy_swap, &M::note_report, ____, ____, ____,
     &M::opened, &M::open_failed, ____, ____, ____, ____, ____,
     ____, ____, ____, ____, ____, ____, ____,
     ____, ____, ____, ____, ____, ____, ____, ____, ____, ____,
     busy, ____, failover, at_boot, ____, ____},
    // Waiting
    {&M::waiting_start, &M::close, &M::waiting_swap, &M::waiting_report, &M::waiting_silent, &M::waiting_overdue, &M::waiting_deadline,
     ____, &M::mirror_lost, ____, ____, ____, ____, ____,
     ____, ____, &M::waiting_durable, ____, ____, ____, ____,
     ____, ____, ____, ____, ____, ____, &M::waiting_ahead, &M::waiting_register, &M::waiting_witness_lost, &M::waiting_witness_lost,
     &M::not_served, ____, failover, at_boot, &M::waiting_answered, &M::addresses_probed},
    // Rebuilding
    {&M::running_start, &M::close, &M::busy_swap, &M::rebuilding_report, &M::rebuilding_silent, ____, ____,
     ____, &M::mirror_lost, ____, &M::rebuilding_stream_down, ____, ____, ____,
     &M::told_in, ____, ____, ____, ____, ____, ____,
     ____, ____, ____, ____, ____, ____, ____, &M::secondary_register, ____, ____,
     &M::not_served, ____, failover, at_boot, ____, ____},
    // Secondary
    {&M::running_start, &M::secondary_stop, &M::secondary_swap, &M::secondary_report, &M::secondary_silent, &M::secondary_overdue, ____,
     ____, &M::mirror_lost, ____, ____, ____, ____, ____,
     ____, ____, &M::secondary_durable, ____, ____, ____, ____,
     ____, ____, ____, ____, ____, ____, &M::overtaken_secondary, &M::secondary_register, ____, ____,
     &M::not_served, ____, failover, at_boot, ____, ____},
    // Leaving
    {busy, ____, &M::busy_swap, &M::leaving_report, &M::close, ____, &M::close,
     ____, &M::close, ____, ____, ____, ____, ____,
     ____, ____, ____, ____, ____, ____, ____,
     ____, ____, ____, ____, ____, ____, &M::overtaken_secondary, &M::secondary_register, ____, ____,
     busy, ____, failover, at_boot, ____, ____},
    // Sealing
    {&M::running_start, &M::close, &M::busy_swap, &M::sealing_report, ____, ____, ____,
     ____, &M::mirror_lost, ____, ____, ____, ____, ____,
     ____, &M::sealed, &M::sealing_durable, ____, ____, ____, ____,
     ____, ____, ____, ____, ____, ____, &M::overtaken_secondary, &M::sealing_register, &M::sealing_witness_lost, &M::sealing_rules,
     busy, ____, failover, at_boot, ____, ____},
    // Promoting
    {&M::running_start, &M::serving_stop, &M::busy_swap, &M::serving_report, &M::serving_silent, ____, &M::serving_deadline,
     ____, &M::serving_mirror_failed, &M::mirror_serving, &M::stream_down, &M::peer_must_leave, &M::peer_must_leave, &M::join_ready,
     ____, ____, &M::flushed, ____, &M::first_modification, ____, ____,
     &M::addresses_held, ____, &M::units_started, ____, ____, &M::unit_failed, &M::overtaken_primary, &M::serving_register, ____, ____,
     busy, &M::lease_expired, failover, at_boot, &M::serving_answered, ____},
    // Serving
    {&M::serving_start, &M::serving_stop, &M::serving_swap, &M::serving_report, &M::serving_silent, ____, &M::serving_deadline,
     ____, &M::serving_mirror_failed, ____, &M::stream_down, &M::peer_must_leave, &M::peer_must_leave, &M::join_ready,
     ____, ____, &M::flushed, ____, &M::first_modification, ____, ____,
     ____, ____, ____, ____, ____, &M::unit_failed, &M::overtaken_primary, &M::serving_register, ____, &M::serving_rules,
     &M::serving_restart, &M::lease_expired, failover, at_boot, &M::serving_answered, ____},
    // StoppingUnits
    {busy, &M::serving_stop, &M::busy_swap, &M::serving_report, &M::serving_silent, ____, &M::serving_deadline,
     ____, &M::serving_mirror_failed, ____, &M::stream_down, &M::peer_must_leave, &M::peer_must_leave, &M::join_ready,
     ____, ____, &M::flushed, ____, &M::first_modification, ____, ____,
     ____, ____, ____, &M::units_stopped, ____, ____, &M::overtaken_primary, &M::serving_register, ____, ____,
     &M::stopping_restart, &M::lease_expired, failover, at_boot, &M::serving_answered, ____},
    // Draining
    {busy, &M::serving_stop, &M::busy_swap, &M::serving_report, &M::serving_silent, ____, &M::serving_deadline,
     ____, &M::serving_mirror_failed, ____, &M::stream_down, &M::peer_must_leave, &M::peer_must_leave, &M::join_ready,
     ____, ____, &M::flushed, &M::drained, &M::first_modification, ____, ____,
     ____, ____, ____, ____, ____, ____, &M::overtaken_primary, &M::serving_register, ____, ____,
     busy, &M::lease_expired, failover, at_boot, &M::serving_answered, ____},
    // Withdrawing
    {busy, &M::serving_stop, &M::busy_swap, &M::serving_report, &M::serving_silent, ____, &M::serving_deadline,
     ____, &M::serving_mirror_failed, ____, &M::stream_down, &M::peer_must_leave, &M::peer_must_leave, &M::join_ready,
     ____, ____, &M::flushed, ____, &M::first_modification, ____, ____,
     ____, &M::addresses_dropped, ____, ____, ____, ____, &M::overtaken_primary, &M::serving_register, ____, ____,
     busy, &M::lease_expired, failover, at_boot, &M::serving_answered, ____},
    // Ceding
    {busy, &M::ceding_stop, &M::busy_swap, &M::ceding_report, &M::ceding_silent, ____, ____,
     ____, &M::ceding_mirror_failed, ____, ____, ____, ____, ____,
     ____, ____, &M::flushed, ____, ____, ____, ____,
     ____, ____, ____, ____, ____, ____, ____, &M::ceding_register, ____, ____,
     busy, ____, failover, at_boot, ____, ____},
    // Together
    {busy, ____, &M::busy_swap, &M::together_report, &M::serving_silent, ____, &M::serving_deadline,
     ____, &M::close, ____, &M::stream_down, &M::peer_must_leave, &M::peer_must_leave, ____,
     ____, ____, &M::flushed, ____, &M::first_modification, ____, ____,
     ____, ____, ____, ____, ____, ____, &M::overtaken_primary, &M::serving_register, ____, ____,
     busy, &M::lease_expired, failover, at_boot, &M::serving_answered, ____},
    // Demoting
    {&M::demoting_start, &M::demoting_stop, &M::busy_swap, &M::note_report, ____, ____, &M::demoting_deadline,
     ____, &M::demoting_mirror_failed, ____, ____, ____, ____, ____,
     ____, ____, ____, ____, ____, &M::demoting_held_failed, ____,
     ____, &M::demoting_addresses_dropped, ____, ____, &M::demoting_units_gone, ____, ____, ____, ____, ____,
     busy, ____, failover, at_boot, ____, ____},
    // Closing
    {busy, ____, &M::busy_swap, &M::note_report, ____, ____, ____,
     ____, &M::closing_mirror_failed, ____, ____, ____, ____, ____,
     ____, ____, ____, ____, ____, ____, &M::closed,
     ____, ____, ____, ____, ____, ____, ____, ____, ____, ____,
     busy, ____, failover, at_boot, ____, ____},
    }};
    // clang-format on
};

constexpr bool total(const std::array<Table::Row, kPhases>& handlers) {
    for (const Table::Row& row : handlers) {
        for (auto handler : row) {
            if (handler == nullptr) return false;
        }
    }
    return true;
}
#ifndef HA_SANITIZED  // g++ 12 cannot compare a member with nullptr under -fsanitize=undefined
static_assert(total(Table::kHandlers), "a pair of phase and event has no answer");
#endif

}  // namespace ha::cluster
