#include "core/witness/registers.h"

#include <gtest/gtest.h>

namespace ha::witness {
namespace {

using ports::RegisterOutcome;
using ports::RegisterRefusal;
using ports::RegisterRequest;
using ports::RegisterValue;

Id128 id(std::uint64_t low) {
    return {0, low};
}

RegisterValue value(std::uint64_t low, std::size_t size = 3) {
    return {id(low), std::vector<std::byte>(size, static_cast<std::byte>(low))};
}

RegisterRequest read(const std::string& module = "m", std::uint64_t seen = 0) {
    return {module, {id(100), seen}, std::nullopt};
}

RegisterRequest exchange(std::uint64_t expected, RegisterValue next, std::uint64_t seen = 0,
                         const std::string& module = "m") {
    return {module, {id(100), seen}, ports::RegisterExchange{id(expected), std::move(next)}};
}

Cluster fresh() {
    Cluster out;
    out.store = id(100);
    out.name = "node1+node2";
    out.keys[0].fill(std::byte{1});
    out.keys[1].fill(std::byte{2});
    return out;
}

/// What the daemon does when the disk has the change.
ports::RegisterAnswer act(Cluster& cluster, const RegisterRequest& request) {
    auto taken = step(cluster, request);
    if (taken.next) cluster = *taken.next;
    return taken.answer;
}

Cluster with(std::uint64_t decision) {
    auto out = fresh();
    EXPECT_EQ(act(out, exchange(0, value(decision))).outcome, RegisterOutcome::Won);
    return out;
}

TEST(Registers, AbsentIsShownAsAbsent) {
    auto taken = step(fresh(), read());
    EXPECT_EQ(taken.answer.outcome, RegisterOutcome::Shown);
    EXPECT_FALSE(taken.answer.current);
    EXPECT_EQ(taken.answer.stamp, (ports::RegisterStamp{id(100), 0}));
    EXPECT_FALSE(taken.next);
}

TEST(Registers, TheFirstOfTwoBirthsWinsAndTheOtherIsTold) {
    auto cluster = with(1);
    auto answer = act(cluster, exchange(0, value(2)));
    EXPECT_EQ(answer.outcome, RegisterOutcome::Lost);
    EXPECT_EQ(answer.current, value(1));
    EXPECT_EQ(act(cluster, read()).current, value(1));
}

TEST(Registers, AnExchangeNeedsWhatItExpects) {
    auto cluster = with(1);
    EXPECT_EQ(act(cluster, exchange(9, value(2))).outcome, RegisterOutcome::Lost);
    EXPECT_EQ(act(cluster, exchange(1, value(2))).outcome, RegisterOutcome::Won);
    EXPECT_EQ(act(cluster, read()).current, value(2));
    EXPECT_EQ(cluster.counter, 2U);
    auto absent = act(cluster, exchange(7, value(8), 0, "other"));
    EXPECT_EQ(absent.outcome, RegisterOutcome::Lost);
    EXPECT_FALSE(absent.current);
}

TEST(Registers, ARepeatedExchangeIsWonAgainAndChangesNothing) {
    auto cluster = with(1);
    const auto before = cluster;
    auto taken = step(cluster, exchange(0, value(1)));
    EXPECT_EQ(taken.answer.outcome, RegisterOutcome::Won);
    EXPECT_EQ(taken.answer.current, value(1));
    EXPECT_FALSE(taken.next);
    EXPECT_EQ(cluster, before);
    // Also when it now expects another parent: the register shows this decision, and that is all.
    EXPECT_EQ(act(cluster, exchange(5, value(1))).outcome, RegisterOutcome::Won);
}

TEST(Registers, ARepeatThatWasOvertakenIsLost) {
    auto cluster = with(1);
    ASSERT_EQ(act(cluster, exchange(1, value(2))).outcome, RegisterOutcome::Won);
    auto answer = act(cluster, exchange(0, value(1)));
    EXPECT_EQ(answer.outcome, RegisterOutcome::Lost);
    EXPECT_EQ(answer.current, value(2));
}

TEST(Registers, OneDecisionHasOneContent) {
    auto cluster = with(1);
    auto answer = act(cluster, exchange(0, value(1, 4)));
    EXPECT_EQ(answer.refusal, RegisterRefusal::Conflict);
    EXPECT_EQ(act(cluster, read()).current, value(1));
}

TEST(Registers, AStoreBehindWhatWasSeenAnswersNobodyAnyMore) {
    auto old = with(1);
    auto cluster = old;
    ASSERT_EQ(act(cluster, exchange(1, value(2))).stamp.counter, 2U);
    cluster = old;  // restored
    EXPECT_EQ(act(cluster, read("m", 1)).outcome, RegisterOutcome::Shown) << "nobody can tell yet";
    auto taken = step(cluster, read("m", 2));
    EXPECT_EQ(taken.answer.refusal, RegisterRefusal::Behind);
    ASSERT_TRUE(taken.next);
    EXPECT_EQ(taken.next->behind, 2U);
    auto known = decode_cluster(encode(*taken.next)).value();
    EXPECT_EQ(act(known, read("m", 0)).refusal, RegisterRefusal::Behind);
    EXPECT_EQ(act(known, exchange(1, value(7), 0)).refusal, RegisterRefusal::Behind);
    EXPECT_EQ(act(known, exchange(1, value(7), 2)).refusal, RegisterRefusal::Behind);
    EXPECT_EQ(known, *taken.next);
}

TEST(Registers, WhatWasSeenOfAnotherStoreIsNoMatter) {
    auto cluster = with(1);
    auto request = read();
    request.seen = {id(99), 1000};
    EXPECT_EQ(act(cluster, request).outcome, RegisterOutcome::Shown);
}

TEST(Registers, NamesAndValuesAreBounded) {
    auto cluster = fresh();
    const std::string longest(ports::kMaxRegisterName, 'x');
    auto refusal = [&](const RegisterRequest& request) { return act(cluster, request).refusal; };
    EXPECT_EQ(refusal(read("")), RegisterRefusal::Invalid);
    EXPECT_EQ(refusal(read(longest + "x")), RegisterRefusal::Invalid);
    EXPECT_EQ(refusal(exchange(0, value(0))), RegisterRefusal::Invalid);
    EXPECT_EQ(refusal(exchange(0, value(1, ports::kMaxRegisterContent + 1))),
              RegisterRefusal::Invalid);
    EXPECT_EQ(cluster, fresh());
    EXPECT_EQ(refusal(exchange(0, value(1, ports::kMaxRegisterContent), 0, longest)),
              RegisterRefusal::None);
}

TEST(Registers, AFullClusterStillServesWhatItHas) {
    auto cluster = fresh();
    for (std::size_t i = 0; i < kMaxModules; ++i) {
        std::string name(ports::kMaxRegisterName, 'x');
        name.replace(0, 2, std::to_string(10 + i));
        ASSERT_EQ(
            act(cluster, exchange(0, value(i + 1, ports::kMaxRegisterContent), 0, name)).outcome,
            RegisterOutcome::Won);
    }
    const std::string first = cluster.registers.begin()->first;
    const Id128 shown = cluster.registers.begin()->second.id;
    EXPECT_EQ(act(cluster, exchange(0, value(99), 0, "one more")).refusal, RegisterRefusal::Full);
    EXPECT_EQ(act(cluster, exchange(shown.low, value(98), 0, first)).outcome, RegisterOutcome::Won);
    auto bytes = encode(cluster);
    EXPECT_LE(bytes.size(), kMaxClusterFile);
    EXPECT_EQ(decode_cluster(bytes).value(), cluster);
}

TEST(Registers, AFileCutShortAnywhereOrWithMoreIsRefused) {
    auto cluster = with(1);
    ASSERT_EQ(act(cluster, exchange(0, value(2), 0, "other")).outcome, RegisterOutcome::Won);
    auto bytes = encode(cluster);
    for (std::size_t size = 0; size < bytes.size(); ++size) {
        EXPECT_FALSE(decode_cluster(std::span<const std::byte>(bytes).first(size))) << size;
    }
    bytes.push_back(std::byte{0});
    EXPECT_FALSE(decode_cluster(bytes));
}

/// The checksum is the carrier's: here only that nothing out of bounds is accepted or touched.
TEST(Registers, AnyByteOfAFileMayBeWrong) {
    auto cluster = with(1);
    const auto good = encode(cluster);
    for (std::size_t at = 0; at < good.size(); ++at) {
        for (unsigned flip : {0x01U, 0x80U, 0xffU}) {
            auto bytes = good;
            bytes[at] ^= static_cast<std::byte>(flip);
            auto decoded = decode_cluster(bytes);
            if (!decoded) continue;
            EXPECT_EQ(encode(*decoded), bytes) << at;
            for (std::uint64_t seen : {0U, 9U}) (void)step(*decoded, read("m", seen));
        }
    }
}

TEST(Registers, NamesOfClustersMayBeShown) {
    EXPECT_TRUE(good_name("node1+node2"));
    for (const char* bad : {"", "a b", "a\nb", "\x1b[2J", "\xc3\xa9"}) EXPECT_FALSE(good_name(bad));
    EXPECT_FALSE(good_name(std::string(kMaxClusterName + 1, 'a')));
}

}  // namespace
}  // namespace ha::witness
