#include "core/apps/ladder.h"

#include <algorithm>

#include "base/assert.h"

namespace ha::apps {

void Ladder::step(const Event& event, Effects& effects) {
    std::visit([&](const auto& it) { on(it, effects); }, event);
}

void Ladder::take_rungs(const std::vector<std::string>& units) {
    rungs_ = {target_};
    rungs_.insert(rungs_.end(), units.begin(), units.end());
}

void Ladder::on(const StartOrdered& event, Effects& effects) {
    const auto before = rungs_;
    take_rungs(event.units);
    owe_stopped_ = owe_gone_ = false;
    if (phase_ == Phase::Starting && rungs_ == before) return;
    effects.push_back(WriteMarker{});
    const bool all_run = std::all_of(rungs_.begin(), rungs_.end(), [&](const auto& unit) {
        auto at = seen_.find(unit);
        return at != seen_.end() && at->second != UnitState::Dead;
    });
    if (phase_ == Phase::Up && rungs_ == before && all_run) {
        effects.push_back(ReportStarted{});
        return;
    }
    if (phase_ == Phase::Killing) effects.push_back(ReleaseGroups{});
    phase_ = Phase::Starting;
    rung_ = 0;
    empty_.clear();
    stops_.clear();
    seen_.clear();
    climb(effects);
}

void Ladder::climb(Effects& effects) {
    HA_ASSERT(phase_ == Phase::Starting);
    if (rung_ == rungs_.size()) {
        phase_ = Phase::Up;
        waiting_ = 0;
        effects.push_back(ReportStarted{});
        return;
    }
    waiting_ = next_ticket();
    effects.push_back(WatchUnit{rungs_[rung_]});
    effects.push_back(StartUnit{waiting_, rungs_[rung_]});
}

void Ladder::on(const StopOrdered& event, Effects& effects) {
    if (phase_ == Phase::Stopping) return;
    if (phase_ == Phase::Killing) {
        owe_stopped_ = true;
        settle_kill(effects);
        return;
    }
    take_rungs(event.units);
    phase_ = Phase::Stopping;
    rung_ = rungs_.size();
    owe_stopped_ = true;
    // First, so that nothing which the stopping sets off can start one of them again.
    effects.push_back(RemoveMarker{});
    descend(effects);
}

void Ladder::descend(Effects& effects) {
    HA_ASSERT(phase_ == Phase::Stopping);
    if (rung_ == 0) {
        // A unit may leave processes behind (KillMode=process); they would run on two nodes.
        kill_all(effects);
        return;
    }
    waiting_ = next_ticket();
    effects.push_back(StopUnit{waiting_, rungs_[rung_ - 1]});
}

void Ladder::on(const KillOrdered& event, Effects& effects) {
    owe_gone_ = true;
    if (phase_ == Phase::Killing) {
        settle_kill(effects);
        return;
    }
    take_rungs(event.units);
    effects.push_back(RemoveMarker{});
    kill_all(effects);
}

// The processes first and without asking systemd; then systemd is told, or Restart= would bring
// them back.
void Ladder::kill_all(Effects& effects) {
    const bool stopped_already = phase_ == Phase::Stopping && rung_ == 0;
    phase_ = Phase::Killing;
    waiting_ = 0;
    empty_.clear();
    stops_.clear();
    for (auto unit = rungs_.rbegin(); unit != rungs_.rend() && *unit != target_; ++unit) {
        empty_[*unit] = false;
        effects.push_back(KillGroup{*unit});
    }
    if (!stopped_already && bus_) stop_all(true, effects);
    settle_kill(effects);
}

void Ladder::stop_all(bool await_acceptance, Effects& effects) {
    for (auto unit = rungs_.rbegin(); unit != rungs_.rend(); ++unit) {
        const auto ticket = next_ticket();
        stops_[ticket] = {*unit, !await_acceptance};
        effects.push_back(StopUnit{ticket, *unit});
    }
}

// Gone is said as early as it is true: nothing runs, and no start is pending that could still run
// something. The stop jobs may go on; what they run is killed until they are done.
void Ladder::settle_kill(Effects& effects) {
    const auto empty = [](const auto& entry) { return entry.second; };
    const auto accepted = [](const auto& entry) { return entry.second.accepted; };
    if (phase_ != Phase::Killing || !std::all_of(empty_.begin(), empty_.end(), empty)) return;
    if (std::all_of(stops_.begin(), stops_.end(), accepted)) {
        if (owe_gone_) effects.push_back(ReportGone{});
        if (owe_stopped_) effects.push_back(ReportStopped{});
        owe_gone_ = owe_stopped_ = false;
    }
    if (!bus_ || !stops_.empty()) return;
    phase_ = Phase::Idle;
    empty_.clear();
    effects.push_back(ReleaseGroups{});
}

bool Ladder::processes_left() const {
    const auto left = [](const auto& entry) { return !entry.second; };
    return phase_ == Phase::Killing && std::any_of(empty_.begin(), empty_.end(), left);
}

void Ladder::on(const JobQueued& event, Effects& effects) {
    auto stop = stops_.find(event.ticket);
    if (stop == stops_.end()) return;
    stop->second.accepted = true;
    kill_again(stop->second.unit, effects);
    settle_kill(effects);
}

// A start that was on its way when the group was killed may have made one since, and the stop only
// asks it to end. No start comes after the stop.
void Ladder::kill_again(const std::string& unit, Effects& effects) {
    auto group = empty_.find(unit);
    if (group == empty_.end()) return;  // the target
    group->second = false;
    effects.push_back(KillGroup{unit});
}

void Ladder::on(const JobFinished& event, Effects& effects) {
    if (stops_.erase(event.ticket) != 0) settle_kill(effects);
    if (event.ticket != waiting_ || waiting_ == 0) return;
    if (phase_ == Phase::Stopping) {
        // Whatever became of the job, what is left of the unit is killed at the end.
        --rung_;
        descend(effects);
        return;
    }
    HA_ASSERT(phase_ == Phase::Starting);
    const auto& unit = rungs_[rung_];
    auto at = seen_.find(unit);
    if (event.result != "done") {
        fail(unit, event.result, effects);
    } else if (at != seen_.end() && at->second == UnitState::Dead) {
        fail(unit, "not running after its start", effects);
    } else {
        ++rung_;
        climb(effects);
    }
}

// The ladder ends where it broke; what runs already keeps running until the next order.
void Ladder::fail(const std::string& unit, const std::string& result, Effects& effects) {
    seen_[unit] = UnitState::Dead;
    phase_ = Phase::Up;
    waiting_ = 0;
    effects.push_back(ReportFailed{unit, result});
}

void Ladder::on(const UnitSeen& event, Effects& effects) {
    if (std::find(rungs_.begin(), rungs_.end(), event.unit) == rungs_.end()) return;
    auto at = seen_.find(event.unit);
    const bool known = at != seen_.end();
    const bool was_dead = known && at->second == UnitState::Dead;
    seen_[event.unit] = event.state;
    if (event.state != UnitState::Dead || was_dead) return;
    // The rung being climbed says how it went by its job; those above it have not been started.
    const auto climbed = rungs_.begin() + static_cast<std::ptrdiff_t>(rung_);
    if (phase_ == Phase::Starting && std::find(rungs_.begin(), climbed, event.unit) != climbed)
        fail(event.unit, event.result, effects);
    else if (phase_ == Phase::Up && known)
        effects.push_back(ReportFailed{event.unit, event.result});
}

void Ladder::on(const GroupEmptied& event, Effects& effects) {
    auto group = empty_.find(event.unit);
    if (group == empty_.end()) return;
    group->second = true;
    settle_kill(effects);
}

// What a stop still runs (ExecStopPost=), or what slipped through between the kill and the stop.
void Ladder::on(const GroupPopulated& event, Effects& effects) {
    auto group = empty_.find(event.unit);
    if (phase_ != Phase::Killing || group == empty_.end()) return;
    group->second = false;
    effects.push_back(KillGroup{event.unit});
}

void Ladder::on(const MarkerFailed& event, Effects& effects) {
    if (phase_ == Phase::Starting) fail(target_, event.reason, effects);
}

void Ladder::on(const BusConnected&, Effects& effects) {
    bus_ = true;
    switch (phase_) {
        case Phase::Idle:
            break;
        case Phase::Starting:
            for (std::size_t i = 0; i < rung_; ++i) effects.push_back(WatchUnit{rungs_[i]});
            climb(effects);
            break;
        case Phase::Up:
            for (const auto& [unit, state] : seen_) effects.push_back(WatchUnit{unit});
            break;
        case Phase::Stopping:
            descend(effects);
            break;
        case Phase::Killing:
            stop_all(false, effects);
            break;
    }
}

// systemd itself cannot start anything for us now, so a kill does not wait for its word.
void Ladder::on(const BusLost&, Effects& effects) {
    bus_ = false;
    stops_.clear();
    settle_kill(effects);
}

}  // namespace ha::apps
