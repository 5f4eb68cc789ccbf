#include "core/cluster/machine.h"

#include <algorithm>
#include <utility>

namespace ha::cluster {

void Machine::open(const Event& event) {
    const auto& start = std::get<StartRequested>(event);
    if (auto why = objection(start)) return refuse(why->code.c_str(), why->text);
    note_word(start);
    record_.restarts = 0;
    open_now();
}

void Machine::open_now() {
    record_.wanted = true;
    record_.open_boot = record_.last_boot = boot_;
    persist();
    goal_ = Goal::None;
    stops_together_ = false;
    boot_wait_over_ = false;
    won_ = false;
    emit(OpenMirror{record_.module_id});
    enter(Phase::Opening);
    wait_for("opening", "The mirror is being mounted.");
}

/// A node that heard of the module before its own tree was ever part of it: an unmarked tree is
/// what it must have, and may become a resync target.
bool Machine::never_held_data() const {
    const auto& entries = record_.chain.entries();
    return std::none_of(entries.begin(), entries.end(), [this](const ChainEntry& entry) {
        return entry.decision.in_sync.has(self());
    });
}

/// Born here, and interrupted before the tree was marked and anything was promised: the tree is
/// what the operator named.
bool Machine::birth_unused() const {
    const auto& entries = record_.chain.entries();
    return entries.size() == 1 && entries[0].decision.primary == self() && !entries[0].used;
}

void Machine::opened(const Event& event) {
    if (awaiting_workers_) return;
    was_open_ = true;
    const auto& fact = std::get<MirrorOpened>(event);
    const bool unmarked = never_held_data() || (fact.never_stamped && birth_unused());
    marker_valid_ = fact.marker_valid || (fact.marker_absent && unmarked);
    if (!marker_valid_) {
        word_.reset();
        enter(Phase::Waiting);
        emit(HoldMirror{});
        return block("data-missing",
                     "The mirrored directories do not carry this module's marker: " + fact.detail +
                         ". Nothing is served from them and nothing "
                         "is copied over them.");
    }
    if (!fact.serving && !fact.following) progress_ = fact.progress;  // else it may go on yet
    bool ours = !record_.outdated && in_sync_self() && !record_.ceding;
    const bool follows = fact.following && ours && head().in_sync.has(peer()) &&
                         head().primary == peer();  // else it was given the module meanwhile
    const bool compared = follows || (fact.compared && fact.untouched);
    if (!record_.stopped_together.none() && !compared) {
        record_.stopped_together = Id128{};
        persist();
        tell("touched",
             "The directories may have been changed since both nodes were stopped; the "
             "copies are compared.");
    }
    // What was held for an open exchange or proposal stays held: it is not adopted (R3). A join
    // holds nothing.
    bool settled =
        !record_.proposed && (!record_.exchange || record_.exchange->decision.cause == Cause::Join);
    if (fact.serving && ours && settled && head().primary == self()) {
        promote(head().in_sync.has(peer()), fact.term);
        // It may have been drained for a stop that nobody remembers, or held for a decision that
        // has come meanwhile: what was held is confirmed under that one.
        return emit(ResumeMirror{});
    }
    if (follows) return adopt_follower(fact.term);
    // Whatever an earlier process of clusterd left running here: it is nobody's now.
    if (fact.serving) return demote();
    if (std::exchange(left_overs_, false)) {
        give_up();
        return wait_for("demoting", "Making sure that nothing of the application runs here.");
    }
    enter_waiting();
}

/// The flag of a common stop was asked for and given: this node was told to stop, too.
void Machine::adopt_follower(Id128 term) {
    term_ = term;
    reason_ = {};
    stops_together_ = record_.stopped_together == head().id;
    enter(Phase::Secondary);
    if (contact_ && peer_report_) return secondary_report(PeerReported{*peer_report_});
    if (silent_) secondary_silent(PeerSilent{});
    if (overdue_ && phase_ == Phase::Secondary) secondary_overdue(PeerOverdue{});
}

void Machine::opening_stop(const Event& event) {
    if (!left_overs_) return close(event);
    wanted_again_ = std::get<StopRequested>(event).shutdown;
    goal_ = Goal::Stop;
    const bool without_workers = std::exchange(awaiting_workers_, false);
    demote();
    if (without_workers) deadline_ = now_ + settings_.workers_bound;
    held_failed_ = true;  // the mirror may not be there to say so; closing it fails them too
}

/// In answer to OpenMirror; any other failure is of a copy or a role.
bool Machine::cannot_open(const MirrorFailed& fact) {
    return fact.code == "data-missing" || fact.code == "in-use" || fact.code == "mount-failed" ||
           fact.code == "start-failed";
}

/// The process ended, or gave its mirror up to a demotion: that says nothing against the copy.
bool Machine::is_gone(const MirrorFailed& fact) {
    return fact.code == "worker-gone" || fact.code == "aborted";
}

void Machine::open_failed(const Event& event) {
    const auto& fact = std::get<MirrorFailed>(event);
    if (is_gone(fact)) return;  // it is started again and given the order again
    if (!cannot_open(fact)) {
        // Of a mirror that runs since before this process began: it has no role now, and says so.
        rebuild_after_ = now_ + settings_.boot_wait;
        return tell("mirror-lost", "The mirror on this node failed: " + fact.text);
    }
    word_.reset();
    if (std::exchange(left_overs_, false)) {  // the application may run all the while
        goal_ = Goal::Stop;
        wanted_again_ = record_.wanted;
        stop_reason_ = {fact.code, fact.text};
        demote();
        held_failed_ = true;  // there is no mirror to say so
        return;
    }
    note_closed(false);
    if (was_open_ && fact.code != "start-failed") emit(CloseMirror{});
    enter(Phase::Stopped);
    block(fact.code.c_str(), fact.text);
}

void Machine::mirror_lost(const Event& event) {
    const auto& fact = std::get<MirrorFailed>(event);
    tell("mirror-lost", "The mirror on this node ended: " + fact.text);
    word_.reset();
    if (!is_gone(fact)) rebuild_after_ = now_ + settings_.boot_wait;
    proposal_.reset();
    keeps_copy_ = false;
    ceded_to_us_.reset();
    emit(OpenMirror{record_.module_id});
    enter(Phase::Opening);
    wait_for("opening", "The mirror is being mounted again: " + fact.text);
}

void Machine::close(const Event& event) {
    const auto* stop = std::get_if<StopRequested>(&event);
    if (stop != nullptr && stop->shutdown) wanted_again_ = true;
    close_now();
}

void Machine::close_now() {
    proposal_.reset();
    shrink_ = Shrink::None;
    peer_ = Peer::Absent;
    keeps_copy_ = false;
    stops_together_ = false;
    record_.wanted = wanted_again_;
    wanted_again_ = false;
    persist();
    emit(CloseMirror{});
    enter(Phase::Closing);
    wait_for("stopping", "The mirror is being closed.");
}

/// Its process cannot be started, so nothing of ours is mounted by it.
void Machine::closing_mirror_failed(const Event& event) {
    if (std::get<MirrorFailed>(event).code == "start-failed") closed(MirrorClosed{false});
}

/// R7: what only the kernel held is gone. It matters while somebody else may hold it.
void Machine::note_loss() {
    if (record_.chain.empty() || !in_sync_self() || !head().in_sync.has(peer())) return;
    record_.power_lost = true;
    persist();
}

/// R7: what is not durable goes with the power, and this system stopped unclean then, however
/// orderly the module was stopped. While the boot lasts the page cache has it.
void Machine::note_closed(bool durable) {
    was_open_ = was_open_ && !durable;
    if (!was_open_) record_.open_boot = Id128{};
    persist();
}

/// Of a mirror that was found open, or of one that could not be asked before.
void Machine::closed_late(const Event& event) {
    if (was_open_ && std::get<MirrorClosed>(event).durable) note_closed(true);
}

void Machine::closed(const Event& event) {
    note_closed(std::get<MirrorClosed>(event).durable);
    term_ = Id128{};
    goal_ = Goal::None;
    enter(Phase::Stopped);
    if (stop_reason_.code.empty()) {
        reason_ = {};
        blocked_ = false;
    } else {
        block(stop_reason_.code.c_str(), stop_reason_.text);
        stop_reason_ = {};
    }
}

}  // namespace ha::cluster
