#include "core/cluster/machine.h"

namespace ha::cluster {

Activity Machine::activity() const {
    switch (phase_) {
        case Phase::Stopped:
            return Activity::Stopped;
        case Phase::Opening:
            return Activity::Opening;
        case Phase::Waiting:
            return Activity::Waiting;
        case Phase::Rebuilding:
            return Activity::Rebuilding;
        case Phase::Secondary:
            return Activity::Following;
        case Phase::Sealing:
            return Activity::Sealing;
        case Phase::Promoting:
        case Phase::Serving:
        case Phase::StoppingUnits:
        case Phase::Draining:
        case Phase::Withdrawing:
        case Phase::Together:
            return Activity::Serving;
        case Phase::Ceding:
            return Activity::Ceding;
        case Phase::Leaving:
        case Phase::Demoting:
        case Phase::Closing:
            return Activity::Leaving;
    }
    return Activity::Stopped;
}

Status Machine::status() const {
    auto by_block = blocked_ ? Readiness::Blocked : Readiness::Transient;
    State as_primary = peer_ == Peer::Member ? State::Primary : State::Alone;
    switch (phase_) {
        case Phase::Stopped:
            return {State::Stopped, blocked_ ? Readiness::Blocked : Readiness::Ready, reason_};
        case Phase::Rebuilding:
            return {State::Secondary, Readiness::Transient, reason_};
        case Phase::Secondary:
            return {State::Secondary, Readiness::Ready, {}};
        case Phase::Leaving:
            return {State::Secondary, Readiness::Transient, reason_};
        case Phase::Sealing:  // it follows nobody any more; blocked: nor can it decide
            return {blocked_ ? State::Waiting : State::Secondary, by_block, reason_};
        case Phase::Promoting:
        case Phase::StoppingUnits:
        case Phase::Draining:
        case Phase::Withdrawing:
        case Phase::Together:
            return {as_primary, Readiness::Transient, reason_};
        case Phase::Serving:
            return {as_primary, Readiness::Ready, {}};
        case Phase::Opening:
        case Phase::Waiting:
        case Phase::Ceding:
        case Phase::Demoting:
        case Phase::Closing:
            return {State::Waiting, by_block, reason_};
    }
    return {};
}

Report Machine::make_report() const {
    Report report;
    report.boot = boot_;
    report.module_id = record_.module_id;
    report.chain = record_.chain;
    report.outdated = record_.outdated;
    report.power_lost = record_.power_lost;
    report.ceding = phase_ == Phase::Ceding ? record_.ceding : std::nullopt;
    report.stopped_together = record_.stopped_together;
    report.activity = activity();
    report.data_ok = marker_valid_ && phase_ != Phase::Stopped && phase_ != Phase::Opening;
    if (report.data_ok) report.progress = progress_;
    report.term = term_;
    report.attempt = attempt_;
    // With a witness a ceding is cancelled by the register alone (R8).
    if (!by_witness() || phase_ != Phase::Ceding || both_pending()) report.proposal = proposal_;
    report.leaving = phase_ == Phase::Leaving;
    if (phase_ == Phase::Together) report.stopping_together = head().id;
    report.keeps_copy = keeps_copy_;
    report.restarts_spent = record_.restarts >= settings_.restart_budget;
    report.failover = record_.failover;
    report.preferred = settings_.preferred;
    report.at_boot = record_.at_boot;
    report.rules = settings_.rules;
    report.witness = witness();
    report.witness_configured = settings_.witness;
    report.witness_mark = witness_mark_;
    if (peer_report_) report.witness_heard = peer_report_->witness_mark;
    report.withdrawn = withdrawn_;
    if (peer_report_) report.withdrawn_heard = peer_report_->withdrawn;
    Status now = status();
    report.state = name(now.state);
    report.readiness = name(now.readiness);
    report.reason_code = now.reason.code;
    report.reason = now.reason.text;
    return report;
}

void Machine::report_if_changed() {
    Report report = make_report();
    if (sent_ && sent_->proposal && sent_->proposal != report.proposal) {
        withdrawn_ = report.withdrawn = mint_id();
    }
    if (sent_) report.serial = sent_->serial;
    if (sent_ && *sent_ == report) return;
    report.serial = ++serial_;
    sent_ = report;
    emit(SendReport{report});
}

}  // namespace ha::cluster
