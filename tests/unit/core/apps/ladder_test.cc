#include "core/apps/ladder.h"
#include "base/overloaded.h"

#include <gtest/gtest.h>

namespace ha::apps {
namespace {

std::string spell(const Effect& effect) {
    return std::visit(
        Overloaded{[](const WriteMarker&) -> std::string { return "mark"; },
                   [](const RemoveMarker&) -> std::string { return "unmark"; },
                   [](const StartUnit& it) { return "start " + it.unit; },
                   [](const StopUnit& it) { return "stop " + it.unit; },
                   [](const KillGroup& it) { return "kill " + it.unit; },
                   [](const ReleaseGroups&) -> std::string { return "release"; },
                   [](const WatchUnit& it) { return "watch " + it.unit; },
                   [](const ReportStarted&) -> std::string { return "STARTED"; },
                   [](const ReportStopped&) -> std::string { return "STOPPED"; },
                   [](const ReportGone&) -> std::string { return "GONE"; },
                   [](const ReportFailed& it) { return "FAILED " + it.unit + " " + it.result; }},
        effect);
}

using Lines = std::vector<std::string>;

class LadderTest : public ::testing::Test {
  protected:
    Lines tell(const Event& event) {
        std::vector<Effect> effects;
        ladder_.step(event, effects);
        Lines lines;
        for (const auto& effect : effects) {
            lines.push_back(spell(effect));
            if (const auto* start = std::get_if<StartUnit>(&effect)) last_ = start->ticket;
            if (const auto* stop = std::get_if<StopUnit>(&effect)) {
                last_ = stop->ticket;
                stops_.push_back(stop->ticket);
            }
        }
        return lines;
    }
    Lines job(const std::string& result = "done") { return tell(JobFinished{last_, result}); }
    void bring_up() {
        tell(BusConnected{});
        tell(StartOrdered{{"a.service", "b.service"}});
        for (const char* unit : {"ha-primary@db.target", "a.service", "b.service"}) {
            tell(UnitSeen{unit, UnitState::Running, "success"});
            job();
        }
        ASSERT_EQ(ladder_.phase(), Ladder::Phase::Up);
    }

    Ladder ladder_{"db"};
    Ticket last_ = 0;
    std::vector<Ticket> stops_;
};

TEST_F(LadderTest, ClimbsOneRungAtATime) {
    tell(BusConnected{});
    EXPECT_EQ(tell(StartOrdered{{"a.service"}}),
              (Lines{"mark", "watch ha-primary@db.target", "start ha-primary@db.target"}));
    EXPECT_EQ(tell(JobQueued{last_}), Lines{});
    EXPECT_EQ(job(), (Lines{"watch a.service", "start a.service"}));
    EXPECT_EQ(tell(UnitSeen{"a.service", UnitState::Dead, "success"}), Lines{});
    EXPECT_EQ(tell(UnitSeen{"a.service", UnitState::Running, "success"}), Lines{});
    EXPECT_EQ(job(), Lines{"STARTED"});
}

TEST_F(LadderTest, TheSameOrderAgainIsAnsweredAtOnce) {
    bring_up();
    EXPECT_EQ(tell(StartOrdered{{"a.service", "b.service"}}), (Lines{"mark", "STARTED"}));
}

TEST_F(LadderTest, TheSameOrderWhileClimbingChangesNothing) {
    tell(BusConnected{});
    tell(StartOrdered{{"a.service"}});
    EXPECT_EQ(tell(StartOrdered{{"a.service"}}), Lines{});
}

TEST_F(LadderTest, AFailedJobEndsTheClimb) {
    tell(BusConnected{});
    tell(StartOrdered{{"a.service", "b.service"}});
    job();
    EXPECT_EQ(job("timeout"), Lines{"FAILED a.service timeout"});
    EXPECT_EQ(tell(UnitSeen{"a.service", UnitState::Dead, "timeout"}), Lines{});
}

TEST_F(LadderTest, AJobThatIsDoneWithNothingRunningIsAFailure) {
    tell(BusConnected{});
    tell(StartOrdered{{"a.service"}});
    job();
    tell(UnitSeen{"a.service", UnitState::Dead, "exec-condition"});
    EXPECT_EQ(job(), Lines{"FAILED a.service not running after its start"});
}

TEST_F(LadderTest, AOneshotMayBeFinished) {
    tell(BusConnected{});
    tell(StartOrdered{{"a.service"}});
    job();
    tell(UnitSeen{"a.service", UnitState::Finished, "success"});
    EXPECT_EQ(job(), Lines{"STARTED"});
}

TEST_F(LadderTest, AUnitThatDiesIsReportedOnce) {
    bring_up();
    EXPECT_EQ(tell(UnitSeen{"a.service", UnitState::Changing, ""}), Lines{});
    EXPECT_EQ(tell(UnitSeen{"a.service", UnitState::Dead, "signal"}),
              Lines{"FAILED a.service signal"});
    EXPECT_EQ(tell(UnitSeen{"a.service", UnitState::Dead, "signal"}), Lines{});
    EXPECT_EQ(tell(StartOrdered{{"a.service", "b.service"}}).back(), "start ha-primary@db.target");
}

TEST_F(LadderTest, ALowerRungThatDiesEndsTheClimb) {
    tell(BusConnected{});
    tell(StartOrdered{{"a.service", "b.service"}});
    job();
    tell(UnitSeen{"a.service", UnitState::Running, "success"});
    job();
    const auto stale = last_;
    EXPECT_EQ(tell(UnitSeen{"a.service", UnitState::Dead, "signal"}),
              Lines{"FAILED a.service signal"});
    EXPECT_EQ(tell(JobFinished{stale, "done"}), Lines{});
}

TEST_F(LadderTest, GoesDownInReverseAndLeavesNothing) {
    bring_up();
    EXPECT_EQ(tell(StopOrdered{{"a.service", "b.service"}}), (Lines{"unmark", "stop b.service"}));
    EXPECT_EQ(job("failed"), Lines{"stop a.service"});
    EXPECT_EQ(job(), Lines{"stop ha-primary@db.target"});
    EXPECT_EQ(job(), (Lines{"kill b.service", "kill a.service"}));
    EXPECT_EQ(tell(GroupEmptied{"b.service"}), Lines{});
    EXPECT_EQ(tell(GroupEmptied{"a.service"}), (Lines{"STOPPED", "release"}));
    EXPECT_EQ(ladder_.phase(), Ladder::Phase::Idle);
}

TEST_F(LadderTest, KillsFirstAndTellsSystemdAfterwards) {
    bring_up();
    EXPECT_EQ(tell(KillOrdered{{"a.service", "b.service"}}),
              (Lines{"unmark", "kill b.service", "kill a.service", "stop b.service",
                     "stop a.service", "stop ha-primary@db.target"}));
    tell(GroupEmptied{"a.service"});
    EXPECT_EQ(tell(GroupEmptied{"b.service"}), Lines{});
    EXPECT_EQ(tell(JobQueued{stops_[0]}), Lines{"kill b.service"});
    EXPECT_EQ(tell(JobQueued{stops_[1]}), Lines{"kill a.service"});
    EXPECT_EQ(tell(JobQueued{stops_[2]}), Lines{});
    EXPECT_EQ(tell(GroupEmptied{"b.service"}), Lines{});
    EXPECT_EQ(tell(GroupEmptied{"a.service"}), Lines{"GONE"});
    EXPECT_EQ(tell(GroupPopulated{"a.service"}), Lines{"kill a.service"});
    for (auto ticket : stops_) EXPECT_EQ(tell(JobFinished{ticket, "done"}), Lines{});
    EXPECT_EQ(tell(GroupEmptied{"a.service"}), Lines{"release"});
    EXPECT_EQ(tell(GroupPopulated{"a.service"}), Lines{});
}

// A start was on its way to systemd: there is no group yet when it is killed, and a process by the
// time the stop is accepted, which asks it politely.
TEST_F(LadderTest, WhatStartedBeforeItsStopWasAcceptedIsKilled) {
    tell(BusConnected{});
    tell(StartOrdered{{"a.service"}});
    job();
    tell(KillOrdered{{"a.service"}});
    EXPECT_EQ(tell(GroupEmptied{"a.service"}), Lines{});
    EXPECT_EQ(tell(JobQueued{stops_[0]}), Lines{"kill a.service"});
    EXPECT_TRUE(ladder_.processes_left());
    EXPECT_EQ(tell(JobQueued{stops_[1]}), Lines{});
    EXPECT_EQ(tell(GroupEmptied{"a.service"}), Lines{"GONE"});
}

// systemd executed itself anew meanwhile, and went on with the start.
TEST_F(LadderTest, WhatStartedWhileSystemdWasAwayIsKilled) {
    bring_up();
    tell(BusLost{});
    tell(KillOrdered{{"a.service"}});
    EXPECT_EQ(tell(GroupEmptied{"a.service"}), Lines{"GONE"});
    tell(BusConnected{});
    EXPECT_EQ(tell(JobQueued{stops_[0]}), Lines{"kill a.service"});
    tell(JobFinished{stops_[0], "done"});
    EXPECT_EQ(tell(JobFinished{stops_[1], "done"}), Lines{});
    EXPECT_EQ(tell(GroupEmptied{"a.service"}), Lines{"release"});
}

TEST_F(LadderTest, AKillDoesNotWaitForSystemd) {
    bring_up();
    tell(BusLost{});
    EXPECT_EQ(tell(KillOrdered{{"a.service"}}), (Lines{"unmark", "kill a.service"}));
    EXPECT_EQ(tell(GroupEmptied{"a.service"}), Lines{"GONE"});
    EXPECT_EQ(tell(BusConnected{}), (Lines{"stop a.service", "stop ha-primary@db.target"}));
    tell(JobFinished{stops_[0], "done"});
    EXPECT_EQ(tell(JobFinished{stops_[1], "done"}), Lines{"release"});
}

TEST_F(LadderTest, AKillOvertakesAStopThatHangs) {
    bring_up();
    tell(StopOrdered{{"a.service", "b.service"}});
    const auto stale = last_;
    tell(KillOrdered{{"a.service", "b.service"}});
    EXPECT_EQ(tell(JobFinished{stale, "done"}), Lines{});
    tell(GroupEmptied{"a.service"});
    tell(GroupEmptied{"b.service"});
    EXPECT_EQ(tell(JobQueued{stops_[1]}), Lines{"kill b.service"});
    EXPECT_EQ(tell(JobQueued{stops_[2]}), Lines{"kill a.service"});
    tell(GroupEmptied{"a.service"});
    tell(GroupEmptied{"b.service"});
    EXPECT_EQ(tell(JobQueued{stops_[3]}), (Lines{"GONE", "STOPPED"}));
}

TEST_F(LadderTest, AskingAgainAfterAKillIsAnswered) {
    tell(BusConnected{});
    tell(KillOrdered{{"a.service"}});
    tell(GroupEmptied{"a.service"});
    for (auto ticket : stops_) tell(JobQueued{ticket});
    tell(GroupEmptied{"a.service"});
    EXPECT_EQ(tell(KillOrdered{{"a.service"}}), Lines{"GONE"});
    EXPECT_EQ(tell(StopOrdered{{"a.service"}}), Lines{"STOPPED"});
}

TEST_F(LadderTest, AStartAfterAKillTakesItsProcessesBack) {
    bring_up();
    tell(KillOrdered{{"a.service"}});
    EXPECT_EQ(
        tell(StartOrdered{{"a.service"}}),
        (Lines{"mark", "release", "watch ha-primary@db.target", "start ha-primary@db.target"}));
    EXPECT_EQ(tell(GroupPopulated{"a.service"}), Lines{});
    EXPECT_EQ(tell(JobFinished{stops_[0], "canceled"}), Lines{});
}

TEST_F(LadderTest, AfterAReconnectionEverythingIsAskedAgain) {
    bring_up();
    tell(BusLost{});
    EXPECT_EQ(tell(BusConnected{}),
              (Lines{"watch a.service", "watch b.service", "watch ha-primary@db.target"}));
    EXPECT_EQ(tell(UnitSeen{"b.service", UnitState::Dead, "signal"}),
              Lines{"FAILED b.service signal"});
}

TEST_F(LadderTest, AClimbGoesOnAfterAReconnection) {
    EXPECT_EQ(tell(StartOrdered{{"a.service"}}).back(), "start ha-primary@db.target");
    EXPECT_EQ(tell(BusConnected{}).back(), "start ha-primary@db.target");
    job();
    const auto stale = last_;
    tell(BusLost{});
    EXPECT_EQ(tell(BusConnected{}),
              (Lines{"watch ha-primary@db.target", "watch a.service", "start a.service"}));
    EXPECT_EQ(tell(JobFinished{stale, "done"}), Lines{});
    tell(UnitSeen{"a.service", UnitState::Running, "success"});
    EXPECT_EQ(job(), Lines{"STARTED"});
}

TEST_F(LadderTest, WithoutAMarkerNothingIsServed) {
    tell(BusConnected{});
    tell(StartOrdered{{"a.service"}});
    EXPECT_EQ(tell(MarkerFailed{"no space"}), Lines{"FAILED ha-primary@db.target no space"});
}

}  // namespace
}  // namespace ha::apps
