#include "core/cluster/effects.h"

#include <gtest/gtest.h>

namespace ha::cluster {
namespace {

TEST(Effects, ADemotionWaitsForNoDiskAndVoidsWhatWouldServe) {
    std::deque<Effect> queue;
    EXPECT_TRUE(enqueue(queue, {Persist{}, ServeMirror{}, SendReport{}, HoldAddresses{}}).empty());
    EXPECT_EQ(queue.size(), 4U);
    auto urgent = enqueue(queue, {Persist{}, DropAddresses{}, KillUnits{}, FailHeld{}, Tell{}});
    ASSERT_EQ(urgent.size(), 3U);
    EXPECT_TRUE(std::holds_alternative<DropAddresses>(urgent[0]));
    EXPECT_TRUE(std::holds_alternative<KillUnits>(urgent[1]));
    EXPECT_TRUE(std::holds_alternative<FailHeld>(urgent[2]));
    ASSERT_EQ(queue.size(), 4U);
    EXPECT_TRUE(std::holds_alternative<Persist>(queue[0]));
    EXPECT_TRUE(std::holds_alternative<SendReport>(queue[1]));
    EXPECT_TRUE(std::holds_alternative<Persist>(queue[2]));
    EXPECT_TRUE(std::holds_alternative<Tell>(queue[3]));
}

TEST(Effects, APlannedWithdrawalKeepsItsPlace) {
    std::deque<Effect> queue;
    EXPECT_TRUE(enqueue(queue, {Persist{}, DropAddresses{}}).empty());
    EXPECT_EQ(queue.size(), 2U);
}

TEST(Effects, WhatWaitsForTheDiskIsSeenBeforeItsTurn) {
    std::deque<Effect> queue;
    EXPECT_FALSE(persists(queue));
    enqueue(queue, {Tell{}, SendReport{}});
    EXPECT_FALSE(persists(queue));
    enqueue(queue, {Persist{}, ServeMirror{}});
    EXPECT_TRUE(persists(queue));
}

}  // namespace
}  // namespace ha::cluster
