// A pair without a witness that asks a ping target before a node goes on alone.
#include <gtest/gtest.h>

#include "pair.h"

namespace ha::cluster {
namespace {

class PingTarget : public Pair {
  protected:
    void SetUp() override {
        Record record;
        record.wanted = true;
        record.module_id = {1, 1};
        record.chain.append(entry(1, InSync::only(Node::First), true));
        record.chain.append(entry(2, InSync::both(), true));
        Settings settings;
        settings.ping_targets = true;
        meet(record, settings);
    }
    /// The flush that the silence began is done.
    void flushed(const std::vector<Effect>& begun) {
        const auto* flush = find<MakeDurable>(begun);
        ASSERT_NE(flush, nullptr);
        step(primary_, MadeDurable{flush->token});
    }
    static InSync in_sync(const Side& side) {
        return side.machine->record().chain.head().decision.in_sync;
    }
};

TEST_F(PingTarget, APrimaryGoesOnAloneWhenOneAnswered) {
    flushed(step(primary_, PeerSilent{}));
    EXPECT_EQ(in_sync(primary_), InSync::both());
    EXPECT_TRUE(primary_.machine->bounded()) << "the other one may take over";
    flushed(step(primary_, TargetAnswered{}));
    EXPECT_EQ(in_sync(primary_), InSync::only(Node::First));
    EXPECT_FALSE(primary_.machine->bounded());
}

TEST_F(PingTarget, TheAnswerMayComeBeforeTheFlushIsDone) {
    const auto begun = step(primary_, PeerSilent{});
    EXPECT_TRUE(step(primary_, TargetAnswered{}).empty());
    EXPECT_FALSE(primary_.machine->bounded()) << "it goes on alone however slow its disk is";
    flushed(begun);
    EXPECT_EQ(in_sync(primary_), InSync::only(Node::First));
}

TEST_F(PingTarget, APrimaryThatIsCutOffLetsGoAndWaits) {
    flushed(step(primary_, PeerSilent{}));
    step(primary_, LeaseExpired{});
    EXPECT_EQ(primary_.machine->phase(), Phase::Demoting);
    for (const Event& event :
         std::initializer_list<Event>{AddressesDropped{}, UnitsGone{}, HeldFailed{}}) {
        step(primary_, event);
    }
    step(primary_, PeerOverdue{});
    now_ += Settings{}.boot_wait;
    step(primary_, DeadlinePassed{});
    // The other node may have taken over meanwhile.
    step(primary_, TargetAnswered{});
    EXPECT_EQ(primary_.machine->phase(), Phase::Waiting);
    EXPECT_EQ(in_sync(primary_), InSync::both());
}

TEST_F(PingTarget, APeerThatIsBackInTimeChangesNothing) {
    flushed(step(primary_, PeerSilent{}));
    flushed(step(primary_, PeerReported{*said_by(secondary_)}));
    EXPECT_EQ(primary_.machine->phase(), Phase::Serving);
    EXPECT_EQ(in_sync(primary_), InSync::both());
    EXPECT_TRUE(primary_.machine->bounded());
}

TEST_F(PingTarget, AnAnswerIsForOneSilenceOnly) {
    const auto begun = step(primary_, PeerSilent{});
    step(primary_, TargetAnswered{});
    step(primary_, PeerReported{*said_by(secondary_)});
    flushed(begun);
    flushed(step(primary_, PeerSilent{}));
    EXPECT_EQ(in_sync(primary_), InSync::both());
    EXPECT_TRUE(primary_.machine->bounded());
}

TEST_F(PingTarget, ASecondaryTakesOverOnlyWhenOneAnswered) {
    step(secondary_, PeerSilent{});
    step(secondary_, TargetAnswered{});
    step(secondary_, PeerOverdue{});
    EXPECT_EQ(secondary_.machine->phase(), Phase::Sealing);
}

TEST_F(PingTarget, ASecondaryThatIsCutOffWaits) {
    lose(secondary_);
    EXPECT_EQ(secondary_.machine->phase(), Phase::Waiting);
    EXPECT_EQ(secondary_.machine->status().readiness, Readiness::Blocked);
    EXPECT_EQ(secondary_.machine->status().reason.code, "peer-needed");
    // Its links are back, and the other one's are not, or it has not been heard yet.
    step(secondary_, TargetAnswered{});
    EXPECT_EQ(secondary_.machine->phase(), Phase::Waiting);
    EXPECT_EQ(in_sync(secondary_), InSync::both());
}

TEST_F(PingTarget, WhatThePeerMayHaveConsentedToIsWhatIsDecided) {
    const auto begun = step(primary_, PeerCopyFailed{"disk full"});
    flushed(begun);
    ASSERT_TRUE(said_by(primary_)->proposal);
    const Id128 proposed = said_by(primary_)->proposal->id;
    step(primary_, PeerSilent{});
    now_ += 10s;
    step(primary_, DeadlinePassed{});
    EXPECT_EQ(in_sync(primary_), InSync::both()) << "nobody consented, no target answered";
    step(primary_, TargetAnswered{});
    EXPECT_EQ(primary_.machine->record().chain.head().decision.id, proposed);
}

/// It is heard, and answers no proposal: the links may be about to fail, and it takes over then.
TEST_F(PingTarget, AProposalThatIsNotAnsweredIsDecidedWhenATargetAnswered) {
    const auto begun = step(primary_, PeerCopyFailed{"disk full"});
    flushed(step(primary_, MadeDurable{find<MakeDurable>(begun)->token}));  // and said, by then
    const Id128 proposed = said_by(primary_)->proposal->id;
    const Instant due = now_ + Settings{}.proposal_bound;
    EXPECT_EQ(primary_.machine->next_deadline(), due);
    now_ = due;
    step(primary_, DeadlinePassed{});
    EXPECT_EQ(in_sync(primary_), InSync::both());
    EXPECT_FALSE(primary_.machine->next_deadline());
    ASSERT_TRUE(primary_.machine->awaits_target());
    EXPECT_TRUE(primary_.machine->bounded()) << "it lets go when the other one may serve";

    step(primary_, TargetAnswered{due - 1ns});
    EXPECT_EQ(in_sync(primary_), InSync::both()) << "of before";
    step(primary_, TargetAnswered{due});
    EXPECT_EQ(primary_.machine->record().chain.head().decision.id, proposed);
}

}  // namespace
}  // namespace ha::cluster
