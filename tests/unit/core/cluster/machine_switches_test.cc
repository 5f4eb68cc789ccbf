// What an operator sets for good: automatic failover, the preferred node, the start at boot.
#include "core/cluster/codec.h"
#include "pair.h"

namespace ha::cluster {
namespace {

// ---- automatic failover

class FailoverOff : public Pair {
  protected:
    void switch_off() {
        ASSERT_EQ(refusal(primary_, FailoverRequested{false}), "");
        talk();
        ASSERT_FALSE(secondary_.machine->automatic());
    }
};

TEST_F(FailoverOff, IsRecordedByBothAndKnownToBe) {
    const auto given = step(primary_, FailoverRequested{false});
    ASSERT_NE(find<Persist>(given), nullptr);
    EXPECT_FALSE(find<Persist>(given)->record.failover.automatic);
    EXPECT_FALSE(primary_.machine->failover_recorded());
    const auto heard = step(secondary_, PeerReported{*primary_.said});
    ASSERT_NE(find<Persist>(heard), nullptr);
    EXPECT_EQ(find<Persist>(heard)->record.failover, find<Persist>(given)->record.failover);
    step(primary_, PeerReported{*secondary_.said});
    EXPECT_TRUE(primary_.machine->failover_recorded());
    EXPECT_TRUE(secondary_.machine->failover_recorded());
    EXPECT_EQ(decode_record(encode(secondary_.machine->record()))->failover,
              primary_.machine->record().failover);
    EXPECT_EQ(find<Persist>(step(primary_, FailoverRequested{false})), nullptr) << "it is off";
    ASSERT_EQ(refusal(secondary_, FailoverRequested{true}), "");
    step(primary_, PeerReported{*secondary_.said});
    EXPECT_TRUE(primary_.machine->automatic());
    EXPECT_EQ(primary_.machine->phase(), Phase::Serving);
    EXPECT_EQ(secondary_.machine->phase(), Phase::Secondary);
}

TEST_F(FailoverOff, TheSecondaryWaitsForAPerson) {
    switch_off();
    lose(secondary_);
    EXPECT_EQ(secondary_.machine->phase(), Phase::Waiting);
    EXPECT_EQ(secondary_.machine->status().readiness, Readiness::Blocked);
    EXPECT_EQ(secondary_.machine->status().reason.code, "failover-off");
    EXPECT_EQ(refusal(secondary_, FailoverRequested{true}), "peer-silent") << "R14";
    EXPECT_EQ(refusal(secondary_, StartRequested{}), "failover-off");
    ASSERT_EQ(refusal(secondary_, StartRequested{false, secondary_.machine->knowledge()}), "");
    const auto flushing = step(secondary_, Sealed{Epoch{2}});
    ASSERT_NE(find<MakeDurable>(flushing), nullptr);
    step(secondary_, MadeDurable{find<MakeDurable>(flushing)->token});
    EXPECT_EQ(secondary_.machine->phase(), Phase::Promoting);
    EXPECT_EQ(secondary_.machine->record().chain.head().decision.cause, Cause::Forced);
}

TEST_F(FailoverOff, ATakeoverThatHasBegunIsLeft) {
    lose(secondary_);
    ASSERT_EQ(secondary_.machine->phase(), Phase::Sealing);
    Report back = *primary_.said;
    back.failover = {1, false, true};
    step(secondary_, PeerReported{back});
    const auto flushing = step(secondary_, Sealed{Epoch{2}});
    step(secondary_, PeerSilent{});
    step(secondary_, MadeDurable{find<MakeDurable>(flushing)->token});
    EXPECT_EQ(secondary_.machine->phase(), Phase::Waiting);
    EXPECT_EQ(secondary_.machine->record().chain.head().decision.number, Epoch{2});
}

/// It stops by itself; then a person says so, too, and that is an order.
TEST_F(FailoverOff, AStopThatIsOrderedMeanwhileHandsOver) {
    switch_off();
    for (int restart = 0; restart < 3; ++restart) {
        step(primary_, UnitFailed{"db.service", "signal"});
        step(primary_, UnitsStarted{});
    }
    step(primary_, UnitFailed{"db.service", "signal"});
    ASSERT_EQ(primary_.machine->phase(), Phase::StoppingUnits);
    EXPECT_EQ(refusal(primary_, StopRequested{}), "");
    step(primary_, UnitsStopped{});
    step(primary_, Drained{});
    step(primary_, AddressesDropped{});
    EXPECT_EQ(primary_.machine->phase(), Phase::Ceding);
}

/// It saw that the primary cannot lead; a person has to see it, too.
TEST_F(FailoverOff, APrimaryThatCannotLeadIsNotReplaced) {
    switch_off();
    Report back = *primary_.said;
    back.activity = Activity::Waiting;
    back.data_ok = true;
    back.power_lost = true;
    step(secondary_, PeerReported{back});
    EXPECT_EQ(secondary_.machine->phase(), Phase::Waiting);
    EXPECT_EQ(secondary_.machine->status().reason.code, "failover-off");
    EXPECT_FALSE(secondary_.said->proposal);
    back.power_lost = false;
    step(secondary_, PeerReported{back});
    EXPECT_EQ(secondary_.machine->status().reason.code, "meeting") << "the primary leads again";
}

TEST_F(FailoverOff, ASpentBudgetStopsAndDoesNotHandOver) {
    switch_off();
    for (int restart = 0; restart < 3; ++restart) {
        step(primary_, UnitFailed{"db.service", "signal"});
        step(primary_, UnitsStarted{});
    }
    step(primary_, UnitFailed{"db.service", "signal"});
    ASSERT_EQ(primary_.machine->phase(), Phase::StoppingUnits);
    step(primary_, UnitsStopped{});
    step(primary_, Drained{});
    const auto gone = step(primary_, AddressesDropped{});
    EXPECT_NE(find<CloseMirror>(gone), nullptr);
    EXPECT_FALSE(primary_.machine->record().ceding);
    step(primary_, MirrorClosed{});
    EXPECT_EQ(primary_.machine->status().reason.code, "restarts-spent");
    talk();
    EXPECT_EQ(secondary_.machine->status().reason.code, "failover-off");
}

TEST_F(FailoverOff, AMirrorThatFailsIsOpenedAgainAndNotHandedOver) {
    for (const bool off : {false, true}) {
        SetUp();
        if (off) switch_off();
        step(primary_, MirrorFailed{"worker-gone", "it crashed"});
        step(primary_, UnitsGone{});
        step(primary_, AddressesDropped{});
        EXPECT_EQ(primary_.machine->phase(), off ? Phase::Opening : Phase::Ceding);
    }
}

TEST_F(FailoverOff, WhatIsOrderedIsDone) {
    switch_off();
    EXPECT_EQ(refusal(primary_, StopRequested{}), "");
    step(primary_, UnitsStopped{});
    step(primary_, Drained{});
    step(primary_, AddressesDropped{});
    EXPECT_EQ(primary_.machine->phase(), Phase::Ceding);
    step(secondary_, PeerReported{*primary_.said});
    EXPECT_EQ(secondary_.machine->phase(), Phase::Sealing);
    const auto flushing = step(secondary_, Sealed{Epoch{2}});
    step(secondary_, MadeDurable{find<MakeDurable>(flushing)->token});
    EXPECT_EQ(secondary_.machine->phase(), Phase::Promoting);
}

/// R14: both nodes, or the only one that has a part in decisions.
TEST_F(FailoverOff, NeedsTheOtherNodeUnlessThisOneIsAloneForCertain) {
    const auto flushing = step(primary_, PeerSilent{});
    EXPECT_EQ(refusal(primary_, FailoverRequested{false}), "peer-silent");
    step(primary_, MadeDurable{find<MakeDurable>(flushing)->token});
    ASSERT_EQ(primary_.machine->record().chain.head().decision.in_sync, InSync::only(Node::First));
    EXPECT_EQ(refusal(primary_, FailoverRequested{false}), "peer-silent") << "taken by itself";

    Record lone;
    lone.wanted = true;
    lone.module_id = {1, 1};
    lone.chain.append(entry(1, InSync::only(Node::First), true));
    lone.chain.mark_confirmed(lone.chain.head().decision.id, Confirmation::PeerConsent);
    Side alone = machine(Node::First, lone, {});
    EXPECT_EQ(refusal(alone, FailoverRequested{false}), "");
    EXPECT_TRUE(alone.machine->failover_recorded());
    EXPECT_FALSE(alone.machine->automatic());
}

TEST_F(FailoverOff, OfTwoWordsTheLaterHoldsAndOfTwoAtOnceTheOneThatForbids) {
    Report word = *secondary_.said;
    word.failover = {1, false, true};
    step(primary_, FailoverRequested{false});
    step(primary_, FailoverRequested{true});
    step(primary_, PeerReported{word});
    EXPECT_TRUE(primary_.machine->automatic()) << "an older one";
    word.failover = {2, false, true};
    step(primary_, PeerReported{word});
    EXPECT_FALSE(primary_.machine->automatic());
    word.failover = {2, true, true};
    step(primary_, PeerReported{word});
    EXPECT_FALSE(primary_.machine->automatic());
    word.failover = {3, true, true};
    step(primary_, PeerReported{word});
    EXPECT_TRUE(primary_.machine->automatic());
}

TEST_F(FailoverOff, AFileThatSaysOtherwiseIsTheLaterWord) {
    Record record;
    record.failover = {4, true, false};  // on, while the file said off
    Settings settings;
    settings.automatic_failover = false;
    EXPECT_TRUE(machine(Node::First, record, settings).machine->automatic());
    record.failover = {4, false, false};
    EXPECT_FALSE(machine(Node::First, record, settings).machine->automatic());
    settings.automatic_failover = true;
    Side changed = machine(Node::First, record, settings);
    EXPECT_TRUE(changed.machine->automatic());
    settings.automatic_failover = false;
    EXPECT_FALSE(machine(Node::First, record, settings).machine->automatic());
    record = changed.machine->record();
    EXPECT_EQ(record.failover, (FailoverSwitch{5, true, true})) << "the word is gone";
}

TEST_F(FailoverOff, NoWitnessIsAskedToMakeThisNodePrimary) {
    Record record = secondary_.machine->record();
    record.witness = {7, 7};
    Settings settings;
    settings.witness = {7, 7};
    for (const bool off : {false, true}) {
        record.failover = {1, !off, true};
        meet(record, settings);
        const RegisterShown shown{registered(record.module_id, record.chain, 0)};
        step(secondary_, shown);
        lose(secondary_);
        EXPECT_EQ(secondary_.machine->phase(), off ? Phase::Waiting : Phase::Sealing);
        if (!off) continue;
        EXPECT_EQ(secondary_.machine->status().reason.code, "failover-off");
        EXPECT_EQ(find<AskWitness>(step(secondary_, shown)), nullptr);
        EXPECT_FALSE(secondary_.machine->record().exchange);
    }
}

// ---- the preferred node

class Preferred : public Pair {
  protected:
    void SetUp() override {
        record_.wanted = true;
        record_.module_id = {1, 1};
        settings_.preferred = Node::Second;
        record_.chain.append(led_by(Node::Second, 1, InSync::only(Node::Second)));
        record_.chain.append(led_by(Node::Second, 2, InSync::both()));
    }
    static ChainEntry led_by(Node node, std::uint64_t number, InSync in_sync,
                             Cause cause = Cause::Join) {
        ChainEntry made = entry(number, in_sync, true);
        made.decision.primary = node;
        made.decision.cause = cause;
        return made;
    }
    /// The first node took over, and the second joined it.
    void fail_over(Cause cause = Cause::Takeover) {
        const InSync left = cause == Cause::Swap ? InSync::both() : InSync::only(Node::First);
        record_.chain.append(led_by(Node::First, 3, left, cause));
        record_.chain.append(led_by(Node::First, 4, InSync::both()));
        meet(record_, settings_);
    }
    /// When the primary means to swap; none: it does not.
    std::optional<Duration> due() {
        const auto next = primary_.machine->next_deadline();
        if (!next) return std::nullopt;
        return *next - now_;
    }
    std::vector<Effect> wait(Duration time) {
        now_ += time;
        return step(primary_, DeadlinePassed{});
    }

    Record record_;
    Settings settings_;
};

TEST_F(Preferred, LeadsAgainWhenThePairHasBeenRedundantForAWhile) {
    fail_over();
    ASSERT_EQ(due(), settings_.preferred_after);
    EXPECT_EQ(primary_.machine->preference(), Preference::Awaited);
    EXPECT_EQ(find<StopUnits>(wait(settings_.preferred_after - 1ns)), nullptr);
    EXPECT_NE(find<StopUnits>(wait(1ns)), nullptr);
    step(primary_, UnitsStopped{});
    step(primary_, Drained{});
    step(primary_, AddressesDropped{});
    ASSERT_TRUE(primary_.machine->record().ceding);
    EXPECT_EQ(primary_.machine->record().ceding->cause, Cause::Swap);
    EXPECT_EQ(primary_.machine->record().ceding->primary, Node::Second);
}

TEST_F(Preferred, TheWaitBeginsAnewWithEachOutage) {
    fail_over();
    now_ += settings_.preferred_after / 2;
    Report resting = *secondary_.said;
    resting.activity = Activity::Opening;
    step(primary_, PeerReported{resting});
    EXPECT_EQ(find<StopUnits>(wait(settings_.preferred_after)), nullptr);
}

TEST_F(Preferred, StaysWhereAnOperatorSwappedIt) {
    fail_over(Cause::Swap);
    EXPECT_EQ(due(), std::nullopt);
    EXPECT_EQ(primary_.machine->preference(), Preference::SwappedAway);
    EXPECT_EQ(find<StopUnits>(wait(10h)), nullptr);
}

/// The other node left and joined again so often since that the chain has forgotten the swap.
TEST_F(Preferred, StaysWhereAnOperatorSwappedItLongAgo) {
    record_.chain.append(led_by(Node::First, 3, InSync::both(), Cause::Swap));
    std::uint64_t number = 3;
    while (record_.chain.entries().front().decision.primary == Node::Second ||
           record_.chain.entries().front().decision.cause == Cause::Swap) {
        record_.chain.append(led_by(Node::First, ++number, InSync::only(Node::First)));
        record_.chain.append(led_by(Node::First, ++number, InSync::both()));
    }
    meet(record_, settings_);
    EXPECT_EQ(primary_.machine->preference(), Preference::SwappedAway);
    EXPECT_EQ(due(), std::nullopt);
}

TEST_F(Preferred, IsNotFollowedWhileFailoverIsOffOrItsRestartsAreSpentOrTheOtherPrefersAnother) {
    fail_over();
    Report word = *secondary_.said;
    word.restarts_spent = true;
    step(primary_, PeerReported{word});
    EXPECT_EQ(due(), std::nullopt);
    EXPECT_EQ(primary_.machine->preference(), Preference::RestartsSpent);
    word.restarts_spent = false;
    word.preferred = Node::First;
    step(primary_, PeerReported{word});
    EXPECT_EQ(due(), std::nullopt);
    EXPECT_EQ(primary_.machine->preference(), Preference::Differs);
    word.preferred = Node::Second;
    step(primary_, PeerReported{word});
    EXPECT_EQ(due(), settings_.preferred_after);
    step(primary_, FailoverRequested{false});
    EXPECT_EQ(due(), std::nullopt);
    EXPECT_EQ(primary_.machine->preference(), Preference::FailoverOff);
}

/// The swap is undone each time: it is tried again, and ever later.
TEST_F(Preferred, IsGivenEightTimesLongerWithEachFailure) {
    record_.witness = settings_.witness = {7, 7};
    fail_over();
    const RegisterShown shown{registered(record_.module_id, record_.chain, 0)};
    for (Duration expected = settings_.preferred_after;; expected *= 8) {
        step(primary_, shown);
        ASSERT_EQ(due(), std::min(expected, settings_.preferred_bound));
        if (expected > settings_.preferred_bound) return;
        wait(*due());
        step(primary_, UnitsStopped{});
        step(primary_, WitnessLost{});
        step(primary_, Drained{});
        ASSERT_NE(find<ServeMirror>(step(primary_, AddressesDropped{})), nullptr);
        step(primary_, UnitsStarted{});
        ASSERT_EQ(primary_.machine->phase(), Phase::Serving);
    }
}

TEST_F(Preferred, IsNothingToItself) {
    settings_.preferred = Node::First;
    fail_over();
    EXPECT_EQ(due(), std::nullopt);
    EXPECT_EQ(primary_.machine->preference(), Preference::Honoured);
}

// ---- the start at boot

class AtBootTest : public Pair {
  protected:
    /// The machine of a process that begins with this record.
    static Phase begins(const Record& record, const Id128& boot) {
        Settings settings;
        Machine machine(settings, record, boot, Id128{1, 2});
        std::vector<Effect> effects;
        machine.begin(Instant{}, effects);
        return machine.phase();
    }
    static constexpr Id128 kThisBoot{9, 9};
    static constexpr Id128 kNextBoot{8, 8};
};

TEST_F(AtBootTest, WithoutAWordItIsAsBefore) {
    Record record = primary_.machine->record();
    EXPECT_EQ(begins(record, kNextBoot), Phase::Opening);
    record.wanted = false;
    EXPECT_EQ(begins(record, kNextBoot), Phase::Stopped);
}

TEST_F(AtBootTest, ADisabledModuleRunsUntilTheNextBootAndThroughARestartOfTheDaemon) {
    const auto given = step(primary_, AtBootRequested{false});
    EXPECT_EQ(primary_.machine->phase(), Phase::Serving);
    ASSERT_NE(find<Persist>(given), nullptr);
    const Record record = *decode_record(encode(find<Persist>(given)->record));
    EXPECT_EQ(begins(record, kThisBoot), Phase::Opening);
    EXPECT_EQ(begins(record, kNextBoot), Phase::Stopped);

    Settings settings;
    Machine machine(settings, record, kNextBoot, Id128{1, 2});
    std::vector<Effect> effects;
    machine.begin(Instant{}, effects);
    EXPECT_EQ(machine.status().reason.code, "not-at-boot");
    machine.step(Instant{}, StartRequested{}, effects);
    EXPECT_EQ(machine.phase(), Phase::Opening);
    EXPECT_EQ(begins(machine.record(), kNextBoot), Phase::Opening) << "started by hand since";
}

TEST_F(AtBootTest, AnEnabledModuleStartsAtBootThoughItWasStopped) {
    Record record = primary_.machine->record();
    record.wanted = false;
    record.at_boot = AtBoot::Always;
    record.last_boot = kThisBoot;
    EXPECT_EQ(begins(record, kThisBoot), Phase::Stopped);
    EXPECT_EQ(begins(record, kNextBoot), Phase::Opening);
}

}  // namespace
}  // namespace ha::cluster
