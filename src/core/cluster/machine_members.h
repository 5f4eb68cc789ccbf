#pragma once

#include "core/cluster/machine.h"

namespace ha::cluster {

/// Names every member of a Machine once, so that a search over its states (tests/explore) can tell
/// two of them apart; a test proves that none is missing. The visitor is given
///   state(...)     what the machine's further behaviour depends on,
///   tokens(...)    numbers of which only equality counts,
///   left_out(...)  what changes nothing: constants, the step under way, the source of ids (each
///                  is new, whatever it is), and the last report, which make_report() would repeat.
struct MachineMembers {
    template <typename Visitor>
    static void visit(const Machine& m, Visitor& visitor) {
        visitor.left_out(m.settings_, m.random_, m.now_, m.effects_, m.sent_, m.serial_);
        visitor.state(m.record_, m.boot_);
        visitor.state(m.phase_, m.reason_, m.blocked_, m.goal_, m.deadline_, m.boot_wait_over_);
        visitor.state(m.contact_, m.silent_, m.overdue_, m.peer_report_);
        visitor.state(m.doubted_since_, m.target_answered_);
        visitor.state(m.left_overs_, m.awaiting_workers_, m.marker_valid_, m.was_open_, m.term_,
                      m.progress_, m.put_back_);
        visitor.tokens(m.flush_token_, m.resync_token_, m.probe_token_, m.attempt_,
                       m.rebuilt_attempt_);
        visitor.state(m.units_gone_, m.addresses_gone_, m.held_failed_);
        visitor.state(m.peer_, m.shrink_, m.first_waits_, m.evict_);
        visitor.state(m.prefer_due_, m.stood_in_, m.stood_in_at_, m.withdrawn_);
        visitor.state(m.witness_reached_, m.shown_, m.witness_mark_, m.brought_up_);
        visitor.state(m.won_, m.asked_at_);
        visitor.state(m.sealed_durable_);
        visitor.state(m.proposal_, m.proposal_due_, m.ceded_to_us_, m.forcing_, m.told_,
                      m.rebuild_after_);
        visitor.state(m.keeps_copy_, m.stops_together_, m.word_, m.wanted_again_);
        visitor.state(m.stop_reason_, m.copy_flushing_, m.copy_durable_, m.probes_);
    }
};

}  // namespace ha::cluster
