// An operator's orders to a pair that is well.
#include <gtest/gtest.h>

#include "core/cluster/machine.h"

namespace ha::cluster {
namespace {

constexpr Id128 kTerm{5, 5};

ChainEntry entry(std::uint64_t number, InSync in_sync) {
    ChainEntry made;
    made.decision.number = Epoch{number};
    made.decision.id = Id128{number, 9};
    if (number > 1) made.decision.parent = Id128{number - 1, 9};
    made.decision.in_sync = in_sync;
    made.used = true;
    return made;
}

template <typename E>
const E* find(const std::vector<Effect>& effects) {
    const E* found = nullptr;
    for (const auto& effect : effects) {
        if (const auto* match = std::get_if<E>(&effect)) found = match;
    }
    return found;
}

/// The first node serves, the second follows.
class Orders : public testing::Test {
  protected:
    void SetUp() override {
        primary_ = machine(Node::First);
        secondary_ = machine(Node::Second);
        MirrorOpened serving;
        serving.marker_valid = serving.serving = true;
        serving.term = kTerm;
        step(primary_, serving);
        step(primary_, UnitsStarted{});
        MirrorOpened following;
        following.marker_valid = following.following = true;
        following.term = kTerm;
        step(secondary_, following);
        step(secondary_, PeerReported{*said_by(primary_)});
        step(primary_, PeerReported{*said_by(secondary_)});
        ASSERT_EQ(primary_.machine->phase(), Phase::Serving);
        ASSERT_EQ(secondary_.machine->phase(), Phase::Secondary);
    }

    struct Side {
        std::optional<Machine> machine;
        std::optional<Report> said;
    };

    static Side machine(Node self) {
        Record record;
        record.wanted = true;
        record.module_id = {1, 1};
        record.chain.append(entry(1, InSync::only(Node::First)));
        record.chain.append(entry(2, InSync::both()));
        Settings settings;
        settings.self = self;
        settings.module = "db";
        Side made;
        made.machine.emplace(settings, record, Id128{9, 9}, Id128{1, 2});
        std::vector<Effect> effects;
        made.machine->begin(Instant{}, effects);
        made.machine->workers_ready(Instant{}, effects);
        return made;
    }
    static std::vector<Effect> step(Side& side, const Event& event) {
        std::vector<Effect> effects;
        side.machine->step(Instant{}, event, effects);
        if (const auto* sent = find<SendReport>(effects)) side.said = sent->report;
        return effects;
    }
    static const std::optional<Report>& said_by(const Side& side) { return side.said; }
    /// The code of the refusal; empty: it was none.
    static std::string refusal(Side& side, const Event& event) {
        const auto effects = step(side, event);
        const auto* refused = find<Refuse>(effects);
        return refused == nullptr ? "" : refused->code;
    }

    Side primary_;
    Side secondary_;
};

TEST_F(Orders, ASwapToThePrimaryChangesNothingOnEitherNode) {
    for (Side* side : {&primary_, &secondary_}) {
        EXPECT_EQ(refusal(*side, SwapRequested{Node::First}), "already-primary");
    }
    EXPECT_EQ(primary_.machine->phase(), Phase::Serving);
}

TEST_F(Orders, ASwapToTheSameNodeGivenToBothIsOneSwap) {
    EXPECT_TRUE(secondary_.machine->gives_swap_on({Node::Second, {}}));
    EXPECT_EQ(refusal(primary_, SwapRequested{Node::Second, Instant(10s)}), "");
    ASSERT_EQ(primary_.machine->phase(), Phase::StoppingUnits);
    EXPECT_EQ(refusal(primary_, SwapRequested{Node::Second}), "") << "it is being done";
    EXPECT_EQ(refusal(primary_, SwapRequested{Node::First}), "busy");
    EXPECT_EQ(refusal(primary_, SwapRequested{}), "busy");
    step(primary_, PeerReported{*said_by(secondary_)});
    step(primary_, UnitsStopped{});
    step(primary_, Drained{});
    step(primary_, AddressesDropped{});
    ASSERT_EQ(primary_.machine->phase(), Phase::Ceding);

    step(secondary_, PeerReported{*said_by(primary_)});
    ASSERT_EQ(secondary_.machine->phase(), Phase::Sealing);
    EXPECT_FALSE(secondary_.machine->gives_swap_on({Node::Second, {}}));
    EXPECT_EQ(refusal(secondary_, SwapRequested{Node::Second}), "") << "it is being done";
    step(secondary_, Sealed{Epoch{2}});
    const auto flushing = step(secondary_, Sealed{Epoch{2}});
    step(secondary_, MadeDurable{find<MakeDurable>(flushing)->token});
    ASSERT_EQ(secondary_.machine->phase(), Phase::Promoting);
    EXPECT_EQ(refusal(secondary_, SwapRequested{Node::Second}), "already-primary");
    step(primary_, PeerReported{*said_by(secondary_)});
    ASSERT_EQ(primary_.machine->phase(), Phase::Secondary);
    EXPECT_EQ(refusal(primary_, SwapRequested{Node::Second}), "already-primary");
    EXPECT_FALSE(primary_.machine->gives_swap_on({Node::Second, {}}));
}

TEST_F(Orders, ASwapThatComesLateIsRefused) {
    EXPECT_EQ(refusal(primary_, SwapRequested{{}, Instant{}}), "too-late");
    EXPECT_EQ(refusal(primary_, SwapRequested{Node::Second, Instant{}}), "too-late");
    EXPECT_EQ(primary_.machine->phase(), Phase::Serving);
    EXPECT_EQ(refusal(primary_, SwapRequested{{}, Instant(1ns)}), "");
    EXPECT_EQ(primary_.machine->phase(), Phase::StoppingUnits);
}

TEST_F(Orders, WhatTheSecondaryCannotGiveOnItRefusesItself) {
    EXPECT_TRUE(secondary_.machine->gives_swap_on({}));
    EXPECT_FALSE(secondary_.machine->gives_swap_on({Node::First, {}}));
    EXPECT_FALSE(primary_.machine->gives_swap_on({}));
    step(secondary_, PeerSilent{});
    EXPECT_FALSE(secondary_.machine->gives_swap_on({}));
    EXPECT_EQ(refusal(secondary_, SwapRequested{}), "peer-silent");
}

TEST_F(Orders, ARestartIsTheApplicationsAlone) {
    auto effects = step(primary_, UnitFailed{"db.service", "signal"});
    step(primary_, UnitsStarted{});
    ASSERT_EQ(primary_.machine->record().restarts, 1U);
    effects = step(primary_, RestartRequested{});
    EXPECT_NE(find<StopUnits>(effects), nullptr);
    ASSERT_NE(find<Persist>(effects), nullptr);
    EXPECT_EQ(find<Persist>(effects)->record.restarts, 0U);
    EXPECT_EQ(primary_.machine->status().state, State::Primary);
    EXPECT_EQ(primary_.machine->status().readiness, Readiness::Transient);
    EXPECT_EQ(refusal(primary_, RestartRequested{}), "") << "it is being done";
    EXPECT_EQ(refusal(primary_, SwapRequested{}), "busy");
    step(secondary_, PeerReported{*said_by(primary_)});
    effects = step(primary_, UnitsStopped{});
    EXPECT_NE(find<StartUnits>(effects), nullptr);
    EXPECT_EQ(find<DrainMirror>(effects), nullptr);
    EXPECT_EQ(find<DropAddresses>(effects), nullptr);
    EXPECT_EQ(refusal(primary_, RestartRequested{}), "busy");
    step(primary_, UnitsStarted{});
    EXPECT_EQ(primary_.machine->phase(), Phase::Serving);
    EXPECT_EQ(secondary_.machine->phase(), Phase::Secondary);
}

TEST_F(Orders, ARestartIsRefusedWhereNobodyServes) {
    EXPECT_TRUE(secondary_.machine->gives_restart_on());
    EXPECT_EQ(refusal(secondary_, RestartRequested{}), "not-serving");
    EXPECT_EQ(refusal(primary_, RestartRequested{Instant{}}), "too-late");
    EXPECT_EQ(primary_.machine->phase(), Phase::Serving);
}

TEST_F(Orders, AStopDuringARestartIsAStop) {
    step(primary_, RestartRequested{});
    EXPECT_NE(find<StopUnits>(step(primary_, StopRequested{})), nullptr);
    EXPECT_NE(find<DrainMirror>(step(primary_, UnitsStopped{})), nullptr);
    EXPECT_EQ(primary_.machine->phase(), Phase::Draining);
}

TEST_F(Orders, ASecondaryLostDuringARestartIsLeftOutAndTheApplicationStarts) {
    step(primary_, RestartRequested{});
    const auto flushing = step(primary_, PeerSilent{});
    ASSERT_NE(find<MakeDurable>(flushing), nullptr);
    step(primary_, MadeDurable{find<MakeDurable>(flushing)->token});
    EXPECT_EQ(primary_.machine->record().chain.head().decision.in_sync, InSync::only(Node::First));
    EXPECT_NE(find<StartUnits>(step(primary_, UnitsStopped{})), nullptr);
    step(primary_, UnitsStarted{});
    EXPECT_EQ(primary_.machine->status().state, State::Alone);
}

/// The joiner needs nothing of the application.
TEST_F(Orders, AResyncGoesOnThroughARestart) {
    const auto flushing = step(primary_, PeerCopyFailed{"disk"});
    step(primary_, MadeDurable{find<MakeDurable>(flushing)->token});
    step(primary_, PeerSilent{});
    Report joiner = *said_by(secondary_);
    joiner.chain = primary_.machine->record().chain;
    joiner.outdated = true;
    joiner.activity = Activity::Rebuilding;
    joiner.term = said_by(primary_)->term;
    joiner.attempt = 3;
    ASSERT_TRUE(primary_.machine->record().proposed || !joiner.chain.empty());
    const auto began = step(primary_, PeerReported{joiner});
    ASSERT_NE(find<StartResync>(began), nullptr);
    EXPECT_EQ(find<StopResync>(step(primary_, RestartRequested{})), nullptr);
    step(primary_, JoinReady{find<StartResync>(began)->token});
    EXPECT_EQ(primary_.machine->record().chain.head().decision.in_sync, InSync::both());
}

TEST_F(Orders, AStoppedNodeKnowsWhoIsPrimaryToo) {
    Side stopped;
    Settings settings;
    settings.self = Node::Second;
    stopped.machine.emplace(settings, Record{}, Id128{9, 9}, Id128{1, 2});
    step(stopped, PeerReported{*said_by(primary_)});
    EXPECT_EQ(refusal(stopped, SwapRequested{Node::First}), "already-primary");
    EXPECT_EQ(refusal(stopped, SwapRequested{Node::Second}), "not-running");
    step(stopped, PeerSilent{});
    EXPECT_EQ(refusal(stopped, SwapRequested{Node::First}), "not-running");
}

}  // namespace
}  // namespace ha::cluster
