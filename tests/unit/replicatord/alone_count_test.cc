#include "replicatord/alone_count.h"

#include <gtest/gtest.h>

namespace ha::replicatord {
namespace {

constexpr Id128 kFirst{1, 1};
constexpr Id128 kLater{2, 2};

api::ChangedAlone changed(const Id128& decision, std::uint64_t operations, std::uint64_t bytes,
                          bool at_least = false) {
    return {decision, operations, bytes, at_least};
}

TEST(AloneCount, CountsOnlyWhileAlone) {
    AloneCount count;
    count.made(100, Sequence{1});
    count.accepted(Sequence{1});
    EXPECT_TRUE(count.now().decision.none());
    count.alone(kFirst);
    count.made(10, std::nullopt);
    count.made(0, std::nullopt);
    EXPECT_EQ(count.now(), changed(kFirst, 2, 10));
    count.alone(kLater);  // still alone, under another decision
    EXPECT_EQ(count.now(), changed(kFirst, 2, 10));
    count.together();
    EXPECT_EQ(count.now(), api::ChangedAlone{});
    count.made(10, Sequence{2});
    EXPECT_EQ(count.now(), api::ChangedAlone{});
}

TEST(AloneCount, WhatTheOtherNodeHadNotAcceptedBelongsToIt) {
    AloneCount count;
    for (std::uint64_t i = 1; i <= 5; ++i) count.made(i, Sequence{i});
    count.accepted(Sequence{3});
    count.alone(kFirst);
    EXPECT_EQ(count.now(), changed(kFirst, 2, 9));
    count.alone(kFirst);
    EXPECT_EQ(count.now(), changed(kFirst, 2, 9));
}

/// At the end of a join the target accepts too, and S is {self} still.
TEST(AloneCount, WhatAJoinerIsSentIsCountedOnce) {
    AloneCount count;
    count.alone(kFirst);
    count.made(7, Sequence{1});
    count.made(8, Sequence{2});
    count.alone(kFirst);  // it died
    EXPECT_EQ(count.now(), changed(kFirst, 2, 15));
    count.made(9, Sequence{3});
    count.together();     // another one came to its end
    count.alone(kLater);  // and was lost before it had accepted that
    EXPECT_EQ(count.now(), changed(kLater, 1, 9));
}

TEST(AloneCount, ACopyOfAnothersHasNothingOfItsOwn) {
    AloneCount count(changed(kFirst, 5, 50, true));
    count.made(1, Sequence{9});
    EXPECT_EQ(count.now(), changed(kFirst, 6, 51, true));
    count.forget();
    count.alone(kLater);
    EXPECT_EQ(count.now(), changed(kLater, 0, 0));
}

TEST(AloneCount, EndsWhereReadersOfJsonDo) {
    AloneCount count(changed(kFirst, 5, api::kMaxChangedAlone - 10));
    count.made(10, std::nullopt);
    EXPECT_EQ(count.now(), changed(kFirst, 6, api::kMaxChangedAlone));
    count.made(1, std::nullopt);
    EXPECT_EQ(count.now(), changed(kFirst, 6, api::kMaxChangedAlone, true));
}

TEST(AloneCount, OnlyModificationsWeigh) {
    EXPECT_EQ(weight({replication::Write{{}, 0, std::vector<std::byte>(3), false}, {}}), 3U);
    EXPECT_EQ(weight({replication::Create{}, {}}), 0U);
    EXPECT_EQ(weight({replication::Fsync{}, {}}), std::nullopt);
    EXPECT_EQ(weight({replication::Release{}, {}}), std::nullopt);
}

}  // namespace
}  // namespace ha::replicatord
