// What every implementation of core/ports/register.h must do, whatever stands behind it.

#include <gtest/gtest.h>

#include <random>

#include "io/boot_id.h"
#include "register_world.h"

namespace ha::witness {
namespace {

using ports::RegisterAnswer;
using ports::RegisterOutcome;
using ports::RegisterRefusal;
using ports::RegisterStamp;
using ports::RegisterValue;

RegisterValue value(std::size_t size = 200) {
    const Id128 id = io::random_id();
    return {id, std::vector<std::byte>(size, static_cast<std::byte>(id.low))};
}

struct Kind {
    const char* name;
    std::unique_ptr<RegisterWorld> (*make)();
};
void PrintTo(const Kind& kind, std::ostream* out) {
    *out << kind.name;
}

class RegisterContract : public testing::TestWithParam<Kind> {
  protected:
    io::Loop loop_;
    std::unique_ptr<RegisterWorld> world_ = GetParam().make();
    std::unique_ptr<ports::Register> nodes_[2] = {world_->open(loop_, 0), world_->open(loop_, 1)};

    void turn_until(const std::function<bool()>& done, Duration limit) {
        const Instant end = io::boot_now() + limit;
        while (!done() && io::boot_now() < end) ASSERT_GE(sd_event_run(loop_.raw(), 1000), 0);
    }
    RegisterAnswer wait_for(std::optional<RegisterAnswer>& answer) {
        turn_until([&] { return answer.has_value(); }, 20s);
        EXPECT_TRUE(answer) << "never answered";
        return answer.value_or(RegisterAnswer{});
    }
    std::function<void(const RegisterAnswer&)> into(std::optional<RegisterAnswer>& answer) {
        return [&answer](const RegisterAnswer& given) {
            EXPECT_FALSE(answer) << "answered twice";
            answer = given;
        };
    }
    RegisterAnswer read(int node, RegisterStamp seen = {}, const std::string& module = "m",
                        Duration patience = 10s) {
        std::optional<RegisterAnswer> answer;
        nodes_[node]->read(module, seen, io::boot_now() + patience, into(answer));
        EXPECT_FALSE(answer) << "answered from within the call";
        return wait_for(answer);
    }
    RegisterAnswer exchange(int node, const Id128& expected, const RegisterValue& next,
                            Duration patience = 10s, const std::string& module = "m") {
        std::optional<RegisterAnswer> answer;
        nodes_[node]->exchange(module, {}, expected, next, io::boot_now() + patience, into(answer));
        EXPECT_FALSE(answer) << "answered from within the call";
        return wait_for(answer);
    }
    RegisterValue born() {
        auto first = value();
        EXPECT_EQ(exchange(0, {}, first).outcome, RegisterOutcome::Won);
        return first;
    }
    /// A node's access as after its own restart: it remembers nothing but what it is told.
    void reopen(int node) {
        nodes_[node].reset();
        nodes_[node] = world_->open(loop_, node);
    }
};

TEST_P(RegisterContract, ANewRegisterIsShownAbsent) {
    auto answer = read(0);
    EXPECT_EQ(answer.outcome, RegisterOutcome::Shown) << answer.text;
    EXPECT_FALSE(answer.current);
    EXPECT_FALSE(answer.stamp.store.none());
}

TEST_P(RegisterContract, OneOfTwoBirthsWins) {
    const RegisterValue mine[2] = {value(), value()};
    std::optional<RegisterAnswer> answers[2];
    for (int node : {0, 1}) {
        nodes_[node]->exchange("m", {}, {}, mine[node], io::boot_now() + 10s, into(answers[node]));
    }
    auto first = wait_for(answers[0]);
    auto second = wait_for(answers[1]);
    const int winner = first.outcome == RegisterOutcome::Won ? 0 : 1;
    EXPECT_EQ((winner == 0 ? first : second).outcome, RegisterOutcome::Won);
    EXPECT_EQ((winner == 0 ? second : first).outcome, RegisterOutcome::Lost);
    EXPECT_EQ(first.current, mine[winner]);
    EXPECT_EQ(second.current, mine[winner]);
    EXPECT_EQ(read(0).current, mine[winner]);
}

TEST_P(RegisterContract, TheLoserIsToldWhatToObey) {
    const auto first = born();
    const auto second = value();
    ASSERT_EQ(exchange(1, first.id, second).outcome, RegisterOutcome::Won);
    auto late = exchange(0, first.id, value());
    EXPECT_EQ(late.outcome, RegisterOutcome::Lost);
    EXPECT_EQ(late.current, second);
    EXPECT_EQ(exchange(0, second.id, value()).outcome, RegisterOutcome::Won);
}

TEST_P(RegisterContract, WhatIsExpectedOfAnAbsentRegisterIsLost) {
    auto answer = exchange(0, io::random_id(), value());
    EXPECT_EQ(answer.outcome, RegisterOutcome::Lost);
    EXPECT_FALSE(answer.current) << "register-lost";
}

TEST_P(RegisterContract, ARepeatedExchangeIsTheSameExchange) {
    const auto first = born();
    const auto second = value();
    auto won = exchange(0, first.id, second);
    for (int node : {0, 1, 0}) {
        auto again = exchange(node, first.id, second);
        EXPECT_EQ(again.outcome, RegisterOutcome::Won);
        EXPECT_EQ(again.current, second);
        EXPECT_EQ(again.stamp, won.stamp);
    }
    ASSERT_EQ(exchange(1, second.id, value()).outcome, RegisterOutcome::Won);
    EXPECT_EQ(exchange(0, first.id, second).outcome, RegisterOutcome::Lost) << "overtaken";
}

TEST_P(RegisterContract, OneIdHasOneContent) {
    const auto first = born();
    auto other = first;
    other.content.push_back(std::byte{1});
    EXPECT_EQ(exchange(1, {}, other).refusal, RegisterRefusal::Conflict);
    EXPECT_EQ(read(0).current, first);
}

TEST_P(RegisterContract, ModulesHaveNothingToDoWithEachOther) {
    const auto first = born();
    const auto other = value();
    EXPECT_EQ(exchange(1, {}, other, 10s, "other").outcome, RegisterOutcome::Won);
    EXPECT_EQ(read(0).current, first);
    EXPECT_EQ(read(0, {}, "other").current, other);
}

TEST_P(RegisterContract, TheCounterGrowsWithEveryExchangeAndOnlyThen) {
    auto stamp = read(0).stamp;
    auto last = RegisterValue{};
    for (int i = 0; i < 5; ++i) {
        auto next = value();
        auto won = exchange(i % 2, last.id, next);
        ASSERT_EQ(won.outcome, RegisterOutcome::Won);
        EXPECT_GT(won.stamp.counter, stamp.counter);
        EXPECT_EQ(won.stamp.store, stamp.store);
        stamp = won.stamp;
        last = next;
        EXPECT_EQ(read(1).stamp, stamp);
    }
}

TEST_P(RegisterContract, BoundsAreKept) {
    const std::string longest(ports::kMaxRegisterName, 'x');
    EXPECT_EQ(read(0, {}, "").refusal, RegisterRefusal::Invalid);
    EXPECT_EQ(read(0, {}, longest + "x").refusal, RegisterRefusal::Invalid);
    EXPECT_EQ(exchange(0, {}, value(ports::kMaxRegisterContent + 1)).refusal,
              RegisterRefusal::Invalid);
    EXPECT_EQ(exchange(0, {}, {}).refusal, RegisterRefusal::Invalid);
    const auto most = value(ports::kMaxRegisterContent);
    EXPECT_EQ(exchange(0, {}, most, 10s, longest).outcome, RegisterOutcome::Won);
    EXPECT_EQ(read(1, {}, longest).current, most);
}

TEST_P(RegisterContract, WhatWasWonSurvivesACrash) {
    const auto first = born();
    auto last = first;
    for (int i = 0; i < 5; ++i) {
        const auto next = value();
        auto won = exchange(i % 2, last.id, next);
        ASSERT_EQ(won.outcome, RegisterOutcome::Won);
        world_->crash();
        world_->start();
        auto shown = read(1 - i % 2, won.stamp);
        while (shown.outcome == RegisterOutcome::Uncertain) shown = read(1 - i % 2, won.stamp);
        EXPECT_EQ(shown.current, next) << shown.text;
        EXPECT_EQ(shown.stamp, won.stamp);
        last = next;
    }
}

TEST_P(RegisterContract, ACrashDuringAnExchangeLeavesTheOldOrTheNew) {
    std::mt19937 random(20261123);
    auto last = born();
    int kept = 0;
    for (int i = 0; i < 25; ++i) {
        ASSERT_EQ(read(0).outcome, RegisterOutcome::Shown);  // connected
        const auto next = value();
        std::optional<RegisterAnswer> answer;
        nodes_[0]->exchange("m", {}, last.id, next, io::boot_now() + 2s, into(answer));
        turn_until([] { return false; }, std::chrono::microseconds(random() % 6000));
        world_->crash();
        world_->start();
        const auto outcome = wait_for(answer);
        reopen(1);
        auto shown = read(1, outcome.stamp);
        ASSERT_EQ(shown.outcome, RegisterOutcome::Shown) << shown.text;
        ASSERT_TRUE(shown.current == next || shown.current == last);
        if (shown.current == next) ++kept;
        if (outcome.outcome == RegisterOutcome::Won) {
            EXPECT_EQ(shown.current, next);
        } else {
            EXPECT_EQ(outcome.outcome, RegisterOutcome::Uncertain) << name(outcome.refusal);
        }
        reopen(0);
        EXPECT_EQ(exchange(0, last.id, next).outcome, RegisterOutcome::Won) << "settled (R6)";
        last = next;
    }
    RecordProperty("kept", kept);
}

TEST_P(RegisterContract, WhatNeverLeftIsRefusedAndNeverArrives) {
    const auto first = born();
    world_->crash();
    reopen(0);
    auto answer = exchange(0, first.id, value(), 300ms);
    EXPECT_EQ(answer.outcome, RegisterOutcome::Refused);
    EXPECT_EQ(answer.refusal, RegisterRefusal::Unreachable);
    EXPECT_EQ(read(0, {}, "m", 100ms).refusal, RegisterRefusal::Unreachable);
    world_->start();
    reopen(1);
    EXPECT_EQ(read(1).current, first);
    EXPECT_EQ(read(0).current, first);
    EXPECT_EQ(read(1).current, first);
}

TEST_P(RegisterContract, WithoutAnAnswerInTimeItIsUncertainAndMayArriveLater) {
    const auto first = born();
    const auto second = value();
    world_->freeze();
    const Instant before = io::boot_now();
    auto answer = exchange(0, first.id, second, 300ms);
    EXPECT_EQ(answer.outcome, RegisterOutcome::Uncertain);
    EXPECT_GE(io::boot_now() - before, 300ms);
    EXPECT_LT(io::boot_now() - before, 2s);
    world_->thaw();
    auto shown = read(1);
    EXPECT_TRUE(shown.current == first || shown.current == second) << shown.text;
    EXPECT_EQ(exchange(0, first.id, second).outcome, RegisterOutcome::Won);
    EXPECT_EQ(read(1).current, second);
}

TEST_P(RegisterContract, ManyAtATimeAreEachAnsweredOnce) {
    constexpr int kModules = 32;
    std::vector<std::optional<RegisterAnswer>> answers(kModules * 2);
    for (int i = 0; i < kModules * 2; ++i) {
        nodes_[i % 2]->exchange("m" + std::to_string(i / 2), {}, {}, value(), io::boot_now() + 20s,
                                into(answers[static_cast<std::size_t>(i)]));
    }
    int won = 0;
    for (auto& each : answers) won += wait_for(each).outcome == RegisterOutcome::Won ? 1 : 0;
    EXPECT_EQ(won, kModules);
    EXPECT_EQ(read(0).stamp.counter, static_cast<std::uint64_t>(kModules));
}

TEST_P(RegisterContract, TwoNodesThatRaceWinEachDecisionOnce) {
    int wins = 0;
    Id128 shown;
    for (int round = 0; round < 20; ++round) {
        std::optional<RegisterAnswer> answers[2];
        for (int node : {0, 1}) {
            nodes_[node]->exchange("m", {}, shown, value(), io::boot_now() + 10s,
                                   into(answers[node]));
        }
        int winners = 0;
        for (auto& each : answers) {
            auto answer = wait_for(each);
            if (answer.outcome == RegisterOutcome::Won) ++winners;
            ASSERT_TRUE(answer.current);
            shown = answer.current->id;
        }
        EXPECT_EQ(winners, 1);
        wins += winners;
    }
    EXPECT_EQ(read(0).stamp.counter, static_cast<std::uint64_t>(wins));
}

TEST_P(RegisterContract, AStoreRestoredFromABackupIsRefusedToBothForGood) {
    const auto first = born();
    world_->crash();
    world_->back_up();
    world_->start();
    auto won = exchange(0, first.id, value());
    while (won.outcome == RegisterOutcome::Uncertain) won = exchange(0, first.id, value());
    ASSERT_EQ(won.outcome, RegisterOutcome::Won) << won.text;
    world_->crash();
    world_->restore();
    world_->start();
    reopen(0);
    reopen(1);
    auto unseen = read(1, {});
    EXPECT_EQ(unseen.current, first) << "the limit: nobody who knows better was there";
    EXPECT_EQ(read(0, won.stamp).refusal, RegisterRefusal::Behind);
    EXPECT_EQ(read(1, {}).refusal, RegisterRefusal::Behind);
    world_->crash();
    world_->start();
    reopen(0);
    reopen(1);
    EXPECT_EQ(exchange(1, first.id, value()).refusal, RegisterRefusal::Behind);
    EXPECT_EQ(exchange(0, {}, value()).refusal, RegisterRefusal::Behind);
}

TEST_P(RegisterContract, ANodeRemembersWhatItSawForAllItsModules) {
    born();
    world_->crash();
    world_->back_up();
    world_->start();
    reopen(1);
    auto won = exchange(1, {}, value(), 10s, "other");
    ASSERT_EQ(won.outcome, RegisterOutcome::Won) << won.text;
    world_->crash();
    world_->restore();
    world_->start();
    reopen(0);
    EXPECT_EQ(read(0, won.stamp, "m").refusal, RegisterRefusal::Behind);
}

TEST_P(RegisterContract, ARestoreOfTheNewestBackupIsNoDamage) {
    const auto first = born();
    world_->crash();
    world_->back_up();
    world_->start();
    reopen(0);
    auto before = read(0);
    world_->crash();
    world_->restore();
    world_->start();
    reopen(0);
    auto after = read(0, before.stamp);
    EXPECT_EQ(after.current, first) << after.text;
    EXPECT_EQ(after.stamp, before.stamp);
}

TEST_P(RegisterContract, AWipedStoreIsNeverShownAsANewOne) {
    born();
    world_->crash();
    world_->wipe();
    world_->start();
    reopen(0);
    auto answer = read(0, {}, "m", 2s);
    EXPECT_EQ(answer.outcome, RegisterOutcome::Refused);
    EXPECT_TRUE(answer.refusal == RegisterRefusal::NotPaired ||
                answer.refusal == RegisterRefusal::Unreachable)
        << name(answer.refusal);
}

TEST_P(RegisterContract, ADamagedStoreIsRefused) {
    born();
    world_->crash();
    world_->damage();
    world_->start();
    reopen(0);
    EXPECT_EQ(read(0).refusal, RegisterRefusal::Damaged);
    EXPECT_EQ(exchange(0, {}, value()).refusal, RegisterRefusal::Damaged);
}

TEST_P(RegisterContract, AnswersEndWithTheRegister) {
    bool answered = false;
    nodes_[0]->read("m", {}, io::boot_now() + 100ms,
                    [&](const RegisterAnswer&) { answered = true; });
    nodes_[0].reset();
    turn_until([] { return false; }, 200ms);
    EXPECT_FALSE(answered);
}

INSTANTIATE_TEST_SUITE_P(All, RegisterContract,
                         testing::Values(Kind{"memory", memory_world},
                                         Kind{"hamirror-witness", witness_world},
                                         Kind{"etcd", etcd_world}));

}  // namespace
}  // namespace ha::witness
