// What a node does with the module when the register shows that its exchange was won.
#include <gtest/gtest.h>

#include "pair.h"

namespace ha::cluster {
namespace {

class HandOver : public Pair {
  protected:
    static constexpr Id128 kWitness{7, 7};

    void SetUp() override {
        Record record;
        record.wanted = true;
        record.module_id = {1, 1};
        record.witness = kWitness;
        record.chain.append(entry(1, InSync::only(Node::First), true));
        record.chain.append(entry(2, InSync::both(), true));
        Settings settings;
        settings.witness = kWitness;
        meet(record, settings);
        const RegisterShown now{registered(record.module_id, record.chain, 0)};
        step(primary_, now);
        step(secondary_, now);
    }
    static std::optional<Registered> asked(const std::vector<Effect>& effects) {
        const auto* order = find<AskWitness>(effects);
        return order == nullptr ? std::nullopt : std::optional(order->value);
    }
    /// The primary cedes and the secondary has asked the witness for that.
    Registered hand_over() {
        for (const Event& event : std::initializer_list<Event>{SwapRequested{}, UnitsStopped{},
                                                               Drained{}, AddressesDropped{}}) {
            step(primary_, event);
        }
        step(secondary_, PeerReported{*primary_.said});
        const auto begun = step(secondary_, Sealed{Epoch{2}});
        const auto wanted = asked(step(secondary_, MadeDurable{find<MakeDurable>(begun)->token}));
        EXPECT_TRUE(wanted);
        EXPECT_EQ(primary_.machine->phase(), Phase::Ceding);
        return *wanted;
    }
    static const Decision& head(const Side& side) {
        return side.machine->record().chain.head().decision;
    }
};

TEST_F(HandOver, AnAnswerInTimeIsEnoughToServe) {
    const Registered given = hand_over();
    const auto effects = step(secondary_, RegisterShown{given});
    EXPECT_EQ(count<ServeMirror>(effects), 1U);
    EXPECT_EQ(count<AskWitness>(effects), 0U);
}

/// The primary may have read it, too, waited for boot_wait, and asked to serve again.
TEST_F(HandOver, WhoOnlyReadsThatItWonAsksAnewBeforeItServes) {
    const Registered given = hand_over();
    step(secondary_, WitnessLost{});
    const auto effects = step(secondary_, RegisterShown{given});
    EXPECT_EQ(count<ServeMirror>(effects), 0U);
    const auto* order = find<AskWitness>(effects);
    ASSERT_NE(order, nullptr);
    EXPECT_EQ(order->expected, given.decision.id);
    const Decision again = order->value.decision;
    EXPECT_EQ(again.parent, given.decision.id);
    EXPECT_EQ(again.primary, Node::Second);
    EXPECT_EQ(again.in_sync, InSync::both());
    EXPECT_EQ(secondary_.machine->record().exchange->decision, again);

    EXPECT_EQ(count<ServeMirror>(step(secondary_, RegisterShown{order->value})), 1U);
}

TEST_F(HandOver, WhoIsAnsweredAfterBootWaitAsksAnew) {
    const Registered given = hand_over();
    now_ += Settings{}.boot_wait;
    const auto effects = step(secondary_, RegisterShown{given});
    EXPECT_EQ(count<ServeMirror>(effects), 0U);
    EXPECT_EQ(count<AskWitness>(effects), 1U);
}

TEST_F(HandOver, WhoReadsItInALaterProcessAsksAnew) {
    const Registered given = hand_over();
    Settings settings;
    settings.witness = kWitness;
    secondary_ = machine(Node::Second, secondary_.machine->record(), settings);
    MirrorOpened following;
    following.marker_valid = following.following = true;
    following.term = kTerm;
    step(secondary_, following);
    const auto effects = step(secondary_, RegisterShown{given});
    EXPECT_EQ(count<ServeMirror>(effects), 0U);
    EXPECT_EQ(count<AskWitness>(effects), 1U);
}

TEST_F(HandOver, WhoseOtherExchangeCameFirstObeys) {
    const Registered given = hand_over();
    step(secondary_, WitnessLost{});
    step(secondary_, RegisterShown{given});
    Chain theirs = secondary_.machine->record().chain;
    ChainEntry other = entry(4, InSync::only(Node::First), false);
    other.decision.parent = given.decision.id;
    theirs.append(other);
    const auto effects = step(secondary_, RegisterShown{registered({1, 1}, theirs, 0)});
    EXPECT_EQ(count<ServeMirror>(effects), 0U);
    EXPECT_TRUE(secondary_.machine->record().outdated);
    EXPECT_EQ(secondary_.machine->phase(), Phase::Waiting);
}

/// Nobody else may serve beside a node that is alone in S: what it won it has.
TEST_F(HandOver, WhoIsAloneInSServesByWhatItReads) {
    step(primary_, StopRequested{});
    for (const Event& event :
         std::initializer_list<Event>{UnitsStopped{}, Drained{}, AddressesDropped{}}) {
        step(primary_, event);
    }
    step(secondary_, PeerReported{*primary_.said});
    const auto begun = step(secondary_, Sealed{Epoch{2}});
    const auto given = asked(step(secondary_, MadeDurable{find<MakeDurable>(begun)->token}));
    ASSERT_TRUE(given);
    step(secondary_, WitnessLost{});
    EXPECT_EQ(count<ServeMirror>(step(secondary_, RegisterShown{given})), 1U);
}

TEST_F(HandOver, WhoCededFollowsWhenTheOtherServesByTheSecondExchange) {
    const Registered given = hand_over();
    step(secondary_, WitnessLost{});
    const auto again = asked(step(secondary_, RegisterShown{given}));
    ASSERT_TRUE(again);
    step(primary_, PeerReported{*secondary_.said});
    EXPECT_EQ(primary_.machine->phase(), Phase::Ceding);
    step(primary_, RegisterShown{again});
    EXPECT_EQ(primary_.machine->phase(), Phase::Ceding) << "its report is on its way";

    step(secondary_, RegisterShown{again});
    const auto effects = step(primary_, PeerReported{*secondary_.said});
    EXPECT_EQ(primary_.machine->phase(), Phase::Secondary);
    const auto* follows = find<FollowMirror>(effects);
    ASSERT_NE(follows, nullptr);
    EXPECT_FALSE(follows->resync);
    EXPECT_EQ(head(primary_), again->decision);
}

/// It knows what it gave, so that it can tell what was made of it.
TEST_F(HandOver, WhoCededAndSeesNobodyStaysInSByTheSecondExchange) {
    const Registered given = hand_over();
    step(secondary_, WitnessLost{});
    const auto again = asked(step(secondary_, RegisterShown{given}));
    ASSERT_TRUE(again);
    step(primary_, PeerSilent{});
    step(primary_, RegisterShown{again});
    EXPECT_EQ(primary_.machine->phase(), Phase::Waiting);
    EXPECT_EQ(head(primary_), again->decision);
    EXPECT_FALSE(primary_.machine->record().outdated);
}

/// Its own mirror ended, and so it ceded; then the other node is lost. No flush is answered until
/// the mirror is open again.
TEST_F(HandOver, WhoCededForWantOfAMirrorOpensItWhenTheOtherIsSilent) {
    for (const Event& event : std::initializer_list<Event>{
             MirrorFailed{"worker-gone", ""}, AddressesDropped{}, UnitsGone{}, HeldFailed{}}) {
        step(primary_, event);
    }
    ASSERT_EQ(primary_.machine->phase(), Phase::Ceding);
    const auto effects = step(primary_, PeerSilent{});
    EXPECT_EQ(count<OpenMirror>(effects), 1U);
    EXPECT_EQ(count<MakeDurable>(effects), 0U);
    MirrorOpened opened;
    opened.marker_valid = true;
    for (const Event& event :
         std::initializer_list<Event>{opened, AddressesDropped{}, UnitsGone{}, HeldFailed{}}) {
        step(primary_, event);
    }
    ASSERT_EQ(primary_.machine->phase(), Phase::Waiting);
    EXPECT_TRUE(primary_.machine->record().ceding);
    now_ += Settings{}.boot_wait;
    const auto flush = step(primary_, DeadlinePassed{});
    ASSERT_EQ(count<MakeDurable>(flush), 1U);
    const auto wanted = asked(step(primary_, MadeDurable{find<MakeDurable>(flush)->token}));
    ASSERT_TRUE(wanted) << "cancelled by winning this, or not at all (R8)";
    EXPECT_EQ(wanted->decision.in_sync, InSync::only(Node::First));
}

/// Meanwhile the other node was lost, and the witness; both come back.
TEST_F(HandOver, WhatWasDelayedWhileCedingGoesOnWhenTheOtherIsBack) {
    for (const Event& event : std::initializer_list<Event>{SwapRequested{}, UnitsStopped{},
                                                           Drained{}, AddressesDropped{}}) {
        step(primary_, event);
    }
    ASSERT_EQ(primary_.machine->phase(), Phase::Ceding);
    step(primary_, WitnessLost{});
    const auto flush = step(primary_, PeerSilent{});
    ASSERT_EQ(count<MakeDurable>(flush), 1U);
    EXPECT_EQ(count<AskWitness>(step(primary_, MadeDurable{find<MakeDurable>(flush)->token})), 0U);
    Report away = *said_by(secondary_);
    away.activity = Activity::Waiting;
    away.power_lost = true;
    EXPECT_EQ(count<MakeDurable>(step(primary_, PeerReported{away})), 1U);
}

/// After a common stop: the other node proposed that both keep their copies while this one was
/// opening its mirror, and says nothing more.
TEST_F(HandOver, AProposalThatKeepsBothIsAgreedToWhenTheMirrorIsOpen) {
    Record record = secondary_.machine->record();
    record.stopped_together = record.chain.head().decision.id;
    Settings settings;
    settings.witness = kWitness;
    secondary_ = machine(Node::Second, record, settings);
    Report peer = *primary_.said;
    peer.activity = Activity::Waiting;
    peer.stopped_together = record.stopped_together;
    ChainEntry both = entry(3, InSync::both(), false);
    both.decision.cause = Cause::Election;
    peer.proposal = both.decision;
    step(secondary_, PeerReported{peer});
    peer.withdrawn_heard = secondary_.said->withdrawn;
    step(secondary_, PeerReported{peer});
    EXPECT_EQ(head(secondary_).number, Epoch{2}) << "its copy is not known to be whole yet";
    MirrorOpened opened;
    opened.marker_valid = opened.compared = true;
    for (const Event& event :
         std::initializer_list<Event>{opened, AddressesDropped{}, UnitsGone{}, HeldFailed{}}) {
        step(secondary_, event);
    }
    EXPECT_EQ(head(secondary_), both.decision);
    EXPECT_FALSE(secondary_.machine->record().outdated);
}

}  // namespace
}  // namespace ha::cluster
