// An operator's orders to a pair that is well.
#include <gtest/gtest.h>

#include "pair.h"

namespace ha::cluster {
namespace {

using Orders = Pair;

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

TEST_F(Orders, APrimaryWhoseOwnDiskHangsGivesTheModuleToTheOther) {
    const AcknowledgementsStalled here{true, "The disk under /d hangs."};
    auto effects = step(primary_, here);
    EXPECT_NE(find<DropAddresses>(effects), nullptr);
    EXPECT_NE(find<KillUnits>(effects), nullptr);
    EXPECT_NE(find<FailHeld>(effects), nullptr);
    ASSERT_EQ(primary_.machine->phase(), Phase::Demoting);
    EXPECT_FALSE(primary_.machine->record().ceding) << "not before all is given up";
    step(primary_, AddressesDropped{});
    step(primary_, UnitsGone{});
    step(primary_, HeldFailed{});
    ASSERT_EQ(primary_.machine->phase(), Phase::Ceding);
    const auto& ceding = primary_.machine->record().ceding;
    ASSERT_TRUE(ceding);
    EXPECT_EQ(ceding->primary, Node::Second);
    EXPECT_EQ(ceding->in_sync, InSync::only(Node::Second));
}

TEST_F(Orders, APrimaryWhoseOwnDiskHangsWaitsForItIfNobodyCanGoOn) {
    const AcknowledgementsStalled here{true, "The disk under /d hangs."};
    step(primary_, FailoverRequested{false});
    step(primary_, here);
    EXPECT_EQ(primary_.machine->phase(), Phase::Serving) << "a person decides";
    step(primary_, FailoverRequested{true});
    lose(primary_);
    step(primary_, here);
    EXPECT_EQ(primary_.machine->phase(), Phase::Serving);
    EXPECT_TRUE(primary_.machine->record().chain.head().decision.in_sync == InSync::both());
}

/// Its ha-clusterd ended between the flag and the word of it; the mirror follows all the while.
TEST_F(Orders, AReplacedClusterdRemembersThatBothNodesStop) {
    step(primary_, StopRequested{true});
    step(primary_, UnitsStopped{});
    step(primary_, Drained{});
    step(primary_, AddressesDropped{});
    ASSERT_EQ(primary_.machine->phase(), Phase::Together);
    const auto asked = step(secondary_, PeerReported{*said_by(primary_)});
    step(secondary_, MadeDurable{find<MakeDurable>(asked)->token});
    const Record kept = secondary_.machine->record();
    ASSERT_EQ(kept.stopped_together, kept.chain.head().decision.id);

    secondary_ = machine(Node::Second, kept, {});
    MirrorOpened following;
    following.marker_valid = following.following = true;
    following.term = kTerm;
    step(secondary_, following);
    EXPECT_EQ(secondary_.machine->record().stopped_together, kept.stopped_together);
    step(primary_, PeerReported{*said_by(secondary_)});
    step(primary_, MirrorClosed{});
    ASSERT_EQ(primary_.machine->phase(), Phase::Stopped);
    step(secondary_, PeerReported{*said_by(primary_)});
    EXPECT_EQ(secondary_.machine->phase(), Phase::Closing);
    EXPECT_FALSE(secondary_.machine->record().wanted);
}

/// The mirror holds what came since the flush before the decision: it is not to be confirmed under
/// the decision before that, by which the other node's copy counts.
TEST_F(Orders, AReplacedClusterdResumesTheMirrorUnderItsDecision) {
    Record alone = primary_.machine->record();
    alone.chain.append(entry(3, InSync::only(Node::First), true));
    primary_ = machine(Node::First, alone, {});
    MirrorOpened serving;
    serving.marker_valid = serving.serving = true;
    serving.term = kTerm;
    const auto given = step(primary_, serving);
    const auto first = [&given](auto is) { return std::find_if(given.begin(), given.end(), is); };
    const auto serve =
        first([](const Effect& one) { return std::holds_alternative<ServeMirror>(one); });
    const auto resume =
        first([](const Effect& one) { return std::holds_alternative<ResumeMirror>(one); });
    ASSERT_NE(resume, given.end());
    EXPECT_LT(serve, resume);
}

/// Its ha-clusterd ended between the decision and the order to serve; the mirror follows still.
TEST_F(Orders, AReplacedClusterdDoesNotFollowByADecisionThatItLeadsBy) {
    Record given = secondary_.machine->record();
    ChainEntry swapped = entry(3, InSync::both(), false);
    swapped.decision.primary = Node::Second;
    given.chain.append(swapped);
    secondary_ = machine(Node::Second, given, {});
    MirrorOpened following;
    following.marker_valid = following.following = true;
    following.term = kTerm;
    step(secondary_, following);
    EXPECT_EQ(secondary_.machine->phase(), Phase::Demoting) << "what was left here goes first";
    step(secondary_, UnitsGone{});
    step(secondary_, AddressesDropped{});
    step(secondary_, HeldFailed{});
    EXPECT_EQ(secondary_.machine->phase(), Phase::Waiting);
}

/// The bound of a proposal is for the other node's answer, not for a slow disk here.
TEST_F(Orders, AProposalIsNotUnansweredBeforeItIsSaid) {
    const auto flushing = step(primary_, PeerCopyFailed{"no space left"});
    const auto proposing = step(primary_, MadeDurable{find<MakeDurable>(flushing)->token});
    ASSERT_NE(find<Persist>(proposing), nullptr);
    ASSERT_TRUE(said_by(primary_)->proposal.has_value());
    EXPECT_EQ(primary_.machine->next_deadline(), std::nullopt);
    now_ += 10s;
    step(primary_, DeadlinePassed{});
    EXPECT_EQ(primary_.machine->record().chain.head().decision.number, Epoch{2});
    const auto* barrier = find<MakeDurable>(proposing);
    ASSERT_NE(barrier, nullptr);
    step(primary_, MadeDurable{barrier->token});
    EXPECT_EQ(primary_.machine->next_deadline(), now_ + 2200ms);
    now_ += 2200ms;
    step(primary_, DeadlinePassed{});
    EXPECT_EQ(primary_.machine->record().chain.head().decision.in_sync, InSync::only(Node::First));
}

/// ha-clusterd was replaced; the application of before runs still, and the disk fills up.
TEST_F(Orders, AReplacedClusterdDoesNotCallAModuleStoppedWhoseMirrorFailed) {
    primary_ = machine(Node::First, primary_.machine->record(), {});
    step(primary_, MirrorFailed{"disk-full", "no space left"});
    EXPECT_EQ(primary_.machine->phase(), Phase::Opening);
    MirrorOpened opened;
    opened.marker_valid = true;
    EXPECT_NE(find<KillUnits>(step(primary_, opened)), nullptr);
    EXPECT_EQ(primary_.machine->phase(), Phase::Demoting);
}

TEST_F(Orders, AReplacedClusterdThatCannotOpenEndsWhatRunsBeforeItIsStopped) {
    primary_ = machine(Node::First, primary_.machine->record(), {});
    EXPECT_NE(find<KillUnits>(step(primary_, MirrorFailed{"in-use", "db.service"})), nullptr);
    EXPECT_EQ(said_by(primary_)->activity, Activity::Leaving);
    step(primary_, AddressesDropped{});
    step(primary_, UnitsGone{});
    step(primary_, MirrorClosed{});
    EXPECT_EQ(primary_.machine->phase(), Phase::Stopped);
    EXPECT_EQ(primary_.machine->status().reason.code, "in-use");
    EXPECT_TRUE(primary_.machine->record().wanted);
}

/// The word comes on the mirror's stream; the control connection is cut meanwhile.
TEST_F(Orders, ATargetThatIsToldInBeforeItHeardOfTheDecisionBeforeIsIn) {
    Record record;
    record.wanted = record.outdated = true;
    record.module_id = {1, 1};
    record.chain.append(entry(1, InSync::only(Node::First), true));
    Side target = machine(Node::Second, record, {});
    MirrorOpened opened;
    opened.marker_valid = true;
    step(target, opened);
    step(target, UnitsGone{});
    step(target, AddressesDropped{});
    step(target, HeldFailed{});
    Report report = *said_by(primary_);
    report.chain = record.chain;
    step(target, PeerReported{report});
    ASSERT_EQ(target.machine->phase(), Phase::Rebuilding);

    report.chain.append(entry(2, InSync::only(Node::First), true));
    report.chain.append(entry(3, InSync::both(), false));
    step(target, ToldIn{report.chain.head().decision});
    EXPECT_EQ(target.machine->phase(), Phase::Rebuilding);
    step(target, PeerReported{report});
    EXPECT_EQ(target.machine->phase(), Phase::Secondary);
    EXPECT_FALSE(target.machine->record().outdated);
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

/// R11: what was said and withdrawn may lie in the other node's queue and be agreed to there.
TEST_F(Orders, ANodeAgreesToNothingBeforeItsOwnWithdrawalIsHeard) {
    Side side = machine(Node::Second, secondary_.machine->record(), {});
    MirrorOpened opened;
    opened.marker_valid = true;
    for (const Event& event :
         std::initializer_list<Event>{opened, AddressesDropped{}, UnitsGone{}, HeldFailed{}}) {
        step(side, event);
    }
    Report peer = *primary_.said;
    peer.activity = Activity::Stopped;
    peer.data_ok = false;
    const auto flushing = step(side, PeerReported{peer});
    ASSERT_NE(find<MakeDurable>(flushing), nullptr);
    step(side, MadeDurable{find<MakeDurable>(flushing)->token});
    ASSERT_TRUE(side.said->proposal);
    peer.withdrawn_heard = side.said->withdrawn;

    peer.activity = Activity::Waiting;
    peer.data_ok = true;
    peer.proposal = entry(3, InSync::only(Node::First), false).decision;
    peer.proposal->parent = side.machine->record().chain.head().decision.id;
    step(side, PeerReported{peer});
    EXPECT_EQ(side.machine->record().chain.head().decision.number, Epoch{2});
    EXPECT_FALSE(side.said->proposal);
    EXPECT_NE(side.said->withdrawn, peer.withdrawn_heard);
    step(side, PeerReported{peer});
    EXPECT_EQ(side.machine->record().chain.head().decision.number, Epoch{2}) << "not heard yet";
    peer.withdrawn_heard = side.said->withdrawn;
    step(side, PeerReported{peer});
    EXPECT_EQ(side.machine->record().chain.head().decision.id, peer.proposal->id);
}

/// A moment of silence while the decision was open: whoever is not told of it joins again.
TEST_F(Orders, AJoinerThatCouldNotBeToldInIsTakenOutAgain) {
    Record record = primary_.machine->record();
    record.chain.append(entry(3, InSync::only(Node::First), true));
    record.witness = {7, 7};
    Settings settings;
    settings.witness = {7, 7};
    Side serving = machine(Node::First, record, settings);
    MirrorOpened opened;
    opened.marker_valid = opened.serving = true;
    opened.term = kTerm;
    step(serving, opened);
    step(serving, UnitsStarted{});
    step(serving, RegisterShown{registered(record.module_id, record.chain, 0)});
    Report joiner = *serving.said;
    joiner.outdated = true;
    joiner.activity = Activity::Rebuilding;
    joiner.attempt = 3;
    const auto began = step(serving, PeerReported{joiner});
    ASSERT_NE(find<StartResync>(began), nullptr);
    const auto asked = step(serving, JoinReady{find<StartResync>(began)->token});
    ASSERT_NE(find<AskWitness>(asked), nullptr);
    const auto flushing = step(serving, PeerSilent{});
    ASSERT_NE(find<MakeDurable>(flushing), nullptr);
    step(serving, MadeDurable{find<MakeDurable>(flushing)->token});
    step(serving, PeerReported{joiner});
    const auto won = step(serving, RegisterShown{find<AskWitness>(asked)->value});
    EXPECT_EQ(find<TellIn>(won), nullptr);
    ASSERT_NE(find<MakeDurable>(won), nullptr);
    const auto leaves = step(serving, MadeDurable{find<MakeDurable>(won)->token});
    ASSERT_NE(find<AskWitness>(leaves), nullptr);
    EXPECT_EQ(find<AskWitness>(leaves)->value.decision.in_sync, InSync::only(Node::First));
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
