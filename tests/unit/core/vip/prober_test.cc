#include "core/vip/prober.h"

#include <gtest/gtest.h>

namespace ha::vip {
namespace {

const Ipv4 kAddress = *Ipv4::parse("192.0.2.10");
const Ipv4 kSecond = *Ipv4::parse("192.0.2.11");
constexpr Mac kOurs{0x02, 0, 0, 0, 0, 0x20};
constexpr Mac kOther{0x02, 0, 0, 0, 0, 0x30};
constexpr Mac kLesser{0x02, 0, 0, 0, 0, 0x10};

class ProberTest : public ::testing::Test {
  protected:
    void tell(const ProbeEvent& event) {
        std::vector<ProbeEffect> effects;
        prober_.step(now_, event, effects);
        for (const auto& effect : effects) {
            if (const auto* report = std::get_if<ReportProbed>(&effect)) {
                reports_.push_back(*report);
            } else {
                asked_.push_back(std::get<Ask>(effect).address);
            }
        }
    }
    void order(std::vector<ProbeTarget> targets, const std::string& trouble = "",
               std::uint64_t token = 7) {
        tell(ProbeOrdered{"db", token, std::move(targets), trouble, {kOurs, {2, 0, 0, 0, 0, 9}}});
    }
    void order_one() { order({{kAddress, 2, kOurs}}); }
    void run(Duration time) {
        const Instant end = now_ + time;
        while (prober_.next_deadline() && *prober_.next_deadline() <= end) {
            now_ = *prober_.next_deadline();
            tell(ProbeTimePassed{});
        }
        now_ = end;
    }
    const ReportProbed& only_report() {
        EXPECT_EQ(reports_.size(), 1U);
        static const ReportProbed kNone{};
        return reports_.empty() ? kNone : reports_.back();
    }

    Instant now_{};
    Prober prober_;
    std::vector<Ipv4> asked_;
    std::vector<ReportProbed> reports_;
};

TEST_F(ProberTest, AsksThreeTimesAndIsDoneWithinTwoSeconds) {
    order_one();
    EXPECT_EQ(asked_.size(), 1U);
    EXPECT_TRUE(prober_.listens(2));
    EXPECT_FALSE(prober_.listens(3));
    run(1400ms);
    EXPECT_EQ(asked_.size(), 3U);
    EXPECT_TRUE(reports_.empty()) << "the last one may be answered yet";
    run(500ms);
    EXPECT_FALSE(only_report().taken);
    EXPECT_TRUE(only_report().asked);
    EXPECT_EQ(only_report().token, 7U);
    EXPECT_FALSE(prober_.next_deadline());
    EXPECT_FALSE(prober_.listens(2));
}

TEST_F(ProberTest, AnAnswerEndsIt) {
    order({{kAddress, 2, kOurs}, {kSecond, 3, kOurs}});
    tell(ClaimHeard{3, kSecond, kOther, false});
    EXPECT_EQ(only_report().taken, kSecond);
    EXPECT_EQ(only_report().mac, kOther);
    run(2s);
    EXPECT_EQ(reports_.size(), 1U);
    EXPECT_EQ(asked_.size(), 2U);
}

TEST_F(ProberTest, WhatIsNoAnswerIsNone) {
    order_one();
    tell(ClaimHeard{3, kAddress, kOther, false});
    tell(ClaimHeard{2, kSecond, kOther, false});
    tell(ClaimHeard{2, kAddress, kOurs, false});
    tell(ClaimHeard{2, kAddress, {2, 0, 0, 0, 0, 9}, false});
    EXPECT_TRUE(reports_.empty());
    run(2s);
    EXPECT_FALSE(only_report().taken);
}

TEST_F(ProberTest, OfTwoThatAskOneGivesWay) {
    order_one();
    tell(ClaimHeard{2, kAddress, kLesser, true});
    EXPECT_TRUE(reports_.empty());
    tell(ClaimHeard{2, kAddress, kOther, true});
    EXPECT_EQ(only_report().taken, kAddress);
}

TEST_F(ProberTest, WithoutALinkNothingIsAsked) {
    order({}, "eth0 has no carrier");
    EXPECT_FALSE(only_report().asked);
    EXPECT_EQ(only_report().trouble, "eth0 has no carrier");
}

TEST_F(ProberTest, WhatCannotBeSentWasNotAsked) {
    order_one();
    for (int i = 0; i < 3; ++i) {
        tell(AskFailed{2, kAddress, "Network is down"});
        run(500ms);
    }
    EXPECT_FALSE(only_report().asked);
    EXPECT_EQ(only_report().trouble, "192.0.2.10: Network is down");
}

TEST_F(ProberTest, OneThatCouldBeAskedIsEnough) {
    order({{kAddress, 2, kOurs}, {kSecond, 3, kOurs}});
    for (int i = 0; i < 3; ++i) {
        tell(AskFailed{3, kSecond, "Network is down"});
        run(500ms);
    }
    EXPECT_TRUE(only_report().asked);
    EXPECT_NE(only_report().trouble, "");
}

TEST_F(ProberTest, ANewOrderTakesThePlaceOfTheOneBefore) {
    order_one();
    run(1s);
    order({{kAddress, 2, kOurs}}, "", 8);
    run(2s);
    EXPECT_EQ(only_report().token, 8U);
    EXPECT_EQ(asked_.size(), 6U);
}

TEST_F(ProberTest, ModulesDoNotDisturbEachOther) {
    order_one();
    tell(ProbeOrdered{"web", 1, {{kSecond, 2, kOurs}}, "", {kOurs}});
    tell(ClaimHeard{2, kSecond, kOther, false});
    EXPECT_EQ(only_report().module, "web");
    run(2s);
    ASSERT_EQ(reports_.size(), 2U);
    EXPECT_EQ(reports_.back().module, "db");
    EXPECT_FALSE(reports_.back().taken);
}

}  // namespace
}  // namespace ha::vip
