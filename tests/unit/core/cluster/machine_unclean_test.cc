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
        machine_.emplace(settings_of(Node::First), record_, boot, Id128{++seed_, 2});
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

}  // namespace
}  // namespace ha::cluster
