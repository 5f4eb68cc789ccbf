// R7, "power lost here": a mirror that was closed before everything was durable counts as open when
// the power goes.
#include <gtest/gtest.h>

#include "pair.h"

namespace ha::cluster {
namespace {

class Unclean : public testing::Test {
  protected:
    static constexpr Id128 kBoot{9, 9};
    static constexpr Id128 kNextBoot{9, 10};

    void SetUp() override {
        record_.wanted = true;
        record_.module_id = {1, 1};
        record_.chain.append(entry(1, InSync::only(Node::First), true));
        record_.chain.append(entry(2, InSync::both(), true));
    }
    /// ha-clusterd begins, in that boot.
    void begin(const Id128& boot) {
        Settings settings = settings_of(Node::First);
        settings.witness = record_.witness;
        machine_.emplace(settings, record_, boot, Id128{++seed_, 2});
        effects_.clear();
        machine_->begin(Instant{}, effects_);
        machine_->workers_ready(Instant{}, effects_);
        keep();
    }
    void step(const Event& event) {
        effects_.clear();
        machine_->step(Instant{}, event, effects_);
        keep();
    }
    /// The record as the disk has it.
    void keep() {
        if (const auto* persist = find<Persist>(effects_)) record_ = persist->record;
    }
    /// As one that waits for the other node.
    void open() {
        MirrorOpened opened;
        opened.marker_valid = true;
        for (const Event& event :
             std::initializer_list<Event>{opened, AddressesDropped{}, UnitsGone{}, HeldFailed{}}) {
            if (machine_->phase() != Phase::Waiting) step(event);
        }
        ASSERT_EQ(machine_->phase(), Phase::Waiting);
    }
    void stop() {
        step(StopRequested{});
        ASSERT_EQ(count<CloseMirror>(effects_), 1U);
    }
    [[nodiscard]] bool power_lost_in_the_next_boot() {
        begin(kNextBoot);
        return machine_->record().power_lost;
    }

    Record record_;
    std::optional<Machine> machine_;
    std::vector<Effect> effects_;
    std::uint64_t seed_ = 0;
};

TEST_F(Unclean, AClosingThatMadeEverythingDurableIsClean) {
    begin(kBoot);
    open();
    stop();
    step(MirrorClosed{true});
    EXPECT_EQ(machine_->phase(), Phase::Stopped);
    EXPECT_FALSE(power_lost_in_the_next_boot());
}

TEST_F(Unclean, AClosingThatMadeNothingDurableIsNotUntilTheSystemEnds) {
    begin(kBoot);
    open();
    stop();
    step(MirrorClosed{false});
    EXPECT_EQ(machine_->phase(), Phase::Stopped);
    begin(kBoot);  // the page cache lives
    EXPECT_FALSE(machine_->record().power_lost);
    EXPECT_TRUE(power_lost_in_the_next_boot());
}

/// Its process cannot be started: nobody could make anything durable.
TEST_F(Unclean, AMirrorThatCannotBeAskedIsNotDurable) {
    begin(kBoot);
    open();
    step(MirrorFailed{"worker-gone", "it crashed"});
    stop();
    step(MirrorFailed{"start-failed", "no"});
    EXPECT_EQ(machine_->phase(), Phase::Stopped);
    EXPECT_TRUE(power_lost_in_the_next_boot());
}

/// The mirror crashed and cannot be opened again: what it wrote is in the page cache.
TEST_F(Unclean, AMirrorThatCannotBeOpenedAgainWasOpen) {
    begin(kBoot);
    open();
    step(MirrorFailed{"worker-gone", "it crashed"});
    step(MirrorFailed{"in-use", "somebody is in it"});
    EXPECT_EQ(machine_->phase(), Phase::Stopped);
    EXPECT_EQ(count<CloseMirror>(effects_), 1U) << "it is made durable by whoever can";
    const Record before = record_;
    EXPECT_TRUE(power_lost_in_the_next_boot());

    record_ = before;
    record_.wanted = false;
    begin(kBoot);
    step(MirrorClosed{true});
    EXPECT_FALSE(power_lost_in_the_next_boot());
}

TEST_F(Unclean, AMirrorThatWasNeverOpenedLeavesNothing) {
    record_.wanted = false;
    begin(kBoot);
    step(StartRequested{});
    step(MirrorFailed{"in-use", "somebody is in it"});
    for (const Event& event :
         std::initializer_list<Event>{AddressesDropped{}, UnitsGone{}, MirrorClosed{false}}) {
        if (machine_->phase() != Phase::Stopped) step(event);
    }
    EXPECT_EQ(machine_->phase(), Phase::Stopped);
    EXPECT_FALSE(power_lost_in_the_next_boot());
}

/// A stop that a restarted ha-clusterd does not remember: the mirror it finds open is closed.
TEST_F(Unclean, AMirrorThatIsClosedLateIsClean) {
    begin(kBoot);
    open();
    stop();
    begin(kBoot);
    ASSERT_EQ(machine_->phase(), Phase::Stopped);
    step(MirrorOpened{});
    EXPECT_EQ(count<CloseMirror>(effects_), 1U);
    step(MirrorClosed{true});
    EXPECT_FALSE(power_lost_in_the_next_boot());
}

/// The disk did not take what was written: the kernel takes its pages for clean, and drops them.
TEST_F(Unclean, ADiskThatFailedIsALossOfWhatTheKernelHeld) {
    begin(kBoot);
    open();
    step(MirrorFailed{"aborted", "the disk hung"});
    open();
    step(MirrorFailed{"io-error", "a record that could not be applied was not accepted"});
    open();
    EXPECT_FALSE(record_.power_lost);
    step(MirrorFailed{"io-error", "sync: Input/output error", true});
    EXPECT_TRUE(record_.power_lost);
}

TEST_F(Unclean, TheOnlyMemberHasNobodyToAsk) {
    record_.chain.append(entry(3, InSync::only(Node::First), true));
    begin(kBoot);
    open();
    step(MirrorFailed{"io-error", "sync: Input/output error", true});
    EXPECT_FALSE(record_.power_lost);
}

/// A demotion gave the mirror up since the disk hung, and no role was ordered yet: it is opened
/// again at once, and its copy has not failed.
TEST_F(Unclean, AMirrorThatADemotionEndedIsOpenedAgain) {
    begin(kBoot);
    open();
    step(MirrorFailed{"aborted", "the disk hung"});
    EXPECT_EQ(machine_->phase(), Phase::Opening);
    EXPECT_EQ(count<OpenMirror>(effects_), 1U);
    step(MirrorFailed{"aborted", "the disk hung"});
    EXPECT_EQ(machine_->phase(), Phase::Opening);
    EXPECT_EQ(count<OpenMirror>(effects_), 0U) << "it is on its way";
}

/// A power loss that the witness may be asked about although the other node was not met.
class LossAccepted : public Unclean {
  protected:
    static constexpr Id128 kWitness{7, 7};

    void SetUp() override {
        Unclean::SetUp();
        record_.witness = kWitness;
        record_.open_boot = kBoot;
        begin(kNextBoot);
        open();
        ASSERT_TRUE(machine_->record().power_lost);
    }
    void witness_answers() { step(RegisterShown{registered({1, 1}, record_.chain, 0)}); }
    /// It lost nothing, and cannot lead, for it does not reach the witness.
    void meet() {
        Report report;
        report.module_id = record_.module_id;
        report.chain = record_.chain;
        report.activity = Activity::Waiting;
        report.data_ok = true;
        report.witness = report.witness_configured = kWitness;
        step(PeerReported{report});
    }
    /// The flush that comes before included.
    bool asks() {
        if (const auto* flush = find<MakeDurable>(effects_)) step(MadeDurable{flush->token});
        return machine_->record().exchange.has_value();
    }
};

TEST_F(LossAccepted, AfterBootWaitWithoutContact) {
    witness_answers();
    EXPECT_FALSE(asks());
    step(DeadlinePassed{});
    EXPECT_TRUE(asks());
}

/// The switch is back, and its links flap: what the other node holds is not given up for one second
/// of silence.
TEST_F(LossAccepted, NotWhenTheOtherNodeWasSeenSince) {
    step(DeadlinePassed{});
    EXPECT_FALSE(asks());
    meet();
    witness_answers();
    EXPECT_FALSE(asks());
    step(PeerSilent{});
    EXPECT_FALSE(asks());
    step(PeerOverdue{});
    EXPECT_FALSE(asks());
    step(DeadlinePassed{});
    EXPECT_TRUE(asks());
}

}  // namespace
}  // namespace ha::cluster
