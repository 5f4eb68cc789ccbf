// A node whose disk was put back to an earlier moment under the same decision: the other one knows
// of more than there is.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>

#include "pair.h"

namespace ha::cluster {
namespace {

class RolledBack : public testing::Test {
  protected:
    static constexpr Id128 kModule{1, 1};

    struct Side {
        std::optional<Machine> machine;
        std::optional<Report> said;
        std::vector<std::string> told;
        bool led = false;
    };

    /// No word from the other node for boot_wait, and the witness, if there is one, is reached.
    void lose_the_other(std::size_t side) {
        step(sides_[side], PeerSilent{});
        step(sides_[side], PeerOverdue{});
        step(sides_[side], DeadlinePassed{});
    }
    /// In sync under decision 2, of which the first node is primary; whose system stopped unclean.
    void boot(const Progress& first, const Progress& second, bool first_unclean = true,
              bool second_unclean = true) {
        open(sides_[0], Node::First, first, first_unclean);
        open(sides_[1], Node::Second, second, second_unclean);
    }
    /// Until nothing is new to either; `first` hears the other first.
    void meet(std::size_t first) {
        for (int round = 0; round < 6; ++round) {
            for (std::size_t to : {first, 1 - first}) {
                if (sides_[1 - to].said) step(sides_[to], PeerReported{*sides_[1 - to].said});
            }
        }
    }
    [[nodiscard]] const Record& record(std::size_t side) const {
        return sides_[side].machine->record();
    }
    [[nodiscard]] std::string reason(std::size_t side) const {
        return sides_[side].machine->status().reason.code;
    }
    [[nodiscard]] bool told_of_it(std::size_t side) const {
        const auto& told = sides_[side].told;
        return std::count(told.begin(), told.end(), "rolled-back") == 1;
    }
    /// What it wants durable is so at once.
    void step(Side& side, const Event& event) {
        std::vector<Effect> effects;
        side.machine->step(Instant{}, event, effects);
        for (const auto& effect : effects) {
            if (const auto* told = std::get_if<Tell>(&effect)) side.told.push_back(told->code);
            side.led |= std::holds_alternative<ServeMirror>(effect);
        }
        if (const auto* sent = find<SendReport>(effects)) side.said = sent->report;
        if (const auto* flush = find<MakeDurable>(effects)) step(side, MadeDurable{flush->token});
    }

    std::array<Side, 2> sides_;
    Settings settings_;
    InSync members_ = InSync::both();

  private:
    void open(Side& side, Node self, const Progress& progress, bool unclean) {
        Record record;
        record.wanted = true;
        record.module_id = kModule;
        record.chain.append(entry(1, InSync::only(Node::First), true));
        record.chain.append(entry(2, members_, true));
        if (unclean) record.open_boot = Id128{8, 8};
        record.witness = settings_.witness;
        Settings settings = settings_;
        settings.self = self;
        settings.module = "db";
        side.machine.emplace(settings, record, Id128{9, 9},
                             Id128{1, self == Node::First ? 2U : 4U});
        std::vector<Effect> effects;
        side.machine->begin(Instant{}, effects);
        side.machine->workers_ready(Instant{}, effects);
        MirrorOpened opened;
        opened.marker_valid = true;
        opened.progress = progress;
        step(side, opened);
        for (const Event& event :
             std::initializer_list<Event>{AddressesDropped{}, UnitsGone{}, HeldFailed{}}) {
            step(side, event);
        }
        ASSERT_EQ(side.machine->phase(), Phase::Waiting);
    }
};

class RolledBackInAnyOrder : public RolledBack, public testing::WithParamInterface<std::size_t> {};

TEST_P(RolledBackInAnyOrder, WhoHasAllLeads) {
    boot({100, 90}, {99, 100});
    meet(GetParam());
    EXPECT_TRUE(sides_[0].led);
    EXPECT_FALSE(sides_[1].led);
    EXPECT_FALSE(told_of_it(0) || told_of_it(1));
}

TEST_P(RolledBackInAnyOrder, APrimaryThatIsLeavesTheLeadToTheOtherNode) {
    boot({99, 90}, {99, 100});
    meet(GetParam());
    EXPECT_FALSE(sides_[0].led);
    EXPECT_TRUE(record(0).outdated);
    EXPECT_TRUE(sides_[1].led);
    EXPECT_EQ(record(1).chain.head().decision.in_sync, InSync::only(Node::Second));
    EXPECT_TRUE(told_of_it(0));
    EXPECT_TRUE(told_of_it(1));
}

/// Its system stopped clean, or the data's disk is another one than the system's.
TEST_P(RolledBackInAnyOrder, SoDoesOneThatLostNoPower) {
    boot({99, 90}, {99, 100}, false, true);
    meet(GetParam());
    EXPECT_FALSE(sides_[0].led);
    EXPECT_TRUE(sides_[1].led);
}

TEST_P(RolledBackInAnyOrder, ASecondaryThatIsDoesNotLeadForAPrimaryThatLostPower) {
    boot({100, 99}, {98, 90}, true, false);
    meet(GetParam());
    EXPECT_TRUE(sides_[0].led);
    EXPECT_FALSE(sides_[1].led);
    EXPECT_TRUE(record(1).outdated);
}

TEST_P(RolledBackInAnyOrder, OfTwoThatAreNobodyLeads) {
    boot({99, 200}, {99, 100});
    meet(GetParam());
    for (std::size_t side : {0, 1}) {
        EXPECT_FALSE(sides_[side].led);
        EXPECT_FALSE(record(side).outdated);
        EXPECT_EQ(reason(side), "rolled-back");
        EXPECT_EQ(sides_[side].machine->status().readiness, Readiness::Blocked);
        EXPECT_TRUE(told_of_it(side));
    }
    step(sides_[0], StartRequested{false, sides_[0].machine->knowledge()});
    EXPECT_TRUE(sides_[0].led);
}

TEST_P(RolledBackInAnyOrder, WithFailoverOffAPersonDecides) {
    settings_.automatic_failover = false;
    boot({99, 90}, {99, 100});
    meet(GetParam());
    EXPECT_FALSE(sides_[0].led || sides_[1].led);
    EXPECT_EQ(reason(0), "rolled-back");
    EXPECT_EQ(reason(1), "failover-off");
}

TEST_P(RolledBackInAnyOrder, TheWitnessIsAskedByWhoHasAll) {
    settings_.witness = Id128{7, 7};
    boot({99, 90}, {99, 100});
    for (auto& side : sides_) {
        step(side, RegisterShown{registered(kModule, side.machine->record().chain, 0)});
    }
    meet(GetParam());
    EXPECT_FALSE(record(0).exchange);
    ASSERT_TRUE(record(1).exchange);
    EXPECT_EQ(record(1).exchange->decision.primary, Node::Second);
}

INSTANTIATE_TEST_SUITE_P(Orders, RolledBackInAnyOrder, testing::Values(0U, 1U));

/// It stood before the other one's mirror was open.
TEST_F(RolledBack, ItsProposalIsNotAgreedTo) {
    boot({99, 90}, {99, 100});
    Report stopped = *sides_[1].said;
    stopped.activity = Activity::Stopped;
    stopped.data_ok = false;
    stopped.progress.reset();
    step(sides_[0], PeerReported{stopped});
    ASSERT_TRUE(sides_[0].said->proposal);
    step(sides_[1], PeerReported{*sides_[0].said});
    step(sides_[1], PeerReported{*sides_[0].said});
    EXPECT_FALSE(record(1).outdated);
    meet(0);
    EXPECT_FALSE(sides_[0].led);
    EXPECT_TRUE(sides_[1].led);
}

/// It knows: what the other one holds is not given up because that one is not heard any more.
TEST_F(RolledBack, ItDoesNotLeadAloneByTheWitnessEither) {
    settings_.witness = Id128{7, 7};
    boot({99, 90}, {99, 100}, false, false);
    step(sides_[0], PeerReported{*sides_[1].said});
    step(sides_[0], RegisterShown{registered(kModule, record(0).chain, 0)});
    lose_the_other(0);
    EXPECT_FALSE(record(0).exchange);
    EXPECT_EQ(reason(0), "rolled-back");
    EXPECT_EQ(sides_[0].machine->status().readiness, Readiness::Blocked);

    step(sides_[0], StartRequested{false, sides_[0].machine->knowledge()});
    EXPECT_TRUE(record(0).exchange) << "a person may say so";
}

TEST_F(RolledBack, NorAsTheOnlyMember) {
    members_ = InSync::only(Node::First);
    boot({99, 90}, {80, 100});
    step(sides_[0], PeerReported{*sides_[1].said});
    EXPECT_EQ(reason(0), "rolled-back");
    lose_the_other(0);
    EXPECT_FALSE(sides_[0].led);
    EXPECT_EQ(reason(0), "rolled-back");
}

/// What that one noted it noted, whatever it says now.
TEST_F(RolledBack, NorWhenTheModuleIsStoppedOnTheOtherNode) {
    boot({99, 90}, {99, 100}, false, false);
    step(sides_[0], PeerReported{*sides_[1].said});
    Report stopped = *sides_[1].said;
    stopped.activity = Activity::Stopped;
    stopped.data_ok = false;
    stopped.progress.reset();
    step(sides_[0], PeerReported{stopped});
    EXPECT_FALSE(sides_[0].said->proposal);
    EXPECT_EQ(reason(0), "rolled-back");
}

/// What a mirror was like when it was opened says nothing once there was a role: it goes on from
/// there, and the other node hears of more.
TEST_F(RolledBack, ARoleEndsWhatIsKnownOfAnOpening) {
    boot({100, 90}, {99, 100});
    ASSERT_TRUE(sides_[0].said->progress);
    meet(0);
    ASSERT_TRUE(sides_[0].led);
    EXPECT_FALSE(sides_[0].said->progress);
    step(sides_[0], LeaseExpired{});
    for (const Event& event :
         std::initializer_list<Event>{AddressesDropped{}, UnitsGone{}, HeldFailed{}}) {
        step(sides_[0], event);
    }
    ASSERT_EQ(sides_[0].machine->phase(), Phase::Waiting);
    EXPECT_FALSE(sides_[0].said->progress);
}

}  // namespace
}  // namespace ha::cluster
