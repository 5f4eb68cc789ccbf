#include "core/cluster/monitor.h"

#include <gtest/gtest.h>

namespace ha::cluster {
namespace {

using Change = Monitor::Change;
const Instant kStart{Duration{1'000'000'000}};

TEST(Monitor, SilentThenOverdueEachOnce) {
    Monitor monitor{Timing{}};
    EXPECT_EQ(monitor.check(kStart), Change::None);
    EXPECT_EQ(monitor.evidence(kStart), Change::Heard);
    EXPECT_EQ(monitor.check(kStart + 999ms), Change::None);
    EXPECT_EQ(*monitor.next_deadline(), kStart + 1s);
    EXPECT_EQ(monitor.check(kStart + 1s), Change::Silent);
    EXPECT_EQ(monitor.check(kStart + 1s), Change::None);
    EXPECT_EQ(*monitor.next_deadline(), kStart + 2200ms);
    EXPECT_EQ(monitor.check(kStart + 2200ms), Change::Overdue);
    EXPECT_EQ(monitor.check(kStart + 9s), Change::None);
    EXPECT_EQ(monitor.next_deadline(), std::nullopt);
    EXPECT_EQ(monitor.evidence(kStart + 10s), Change::Heard);
}

TEST(Monitor, LateWordOfOldEvidenceDoesNotTurnTimeBack) {
    Monitor monitor{Timing{}};
    monitor.evidence(kStart + 500ms);
    monitor.evidence(kStart);
    EXPECT_EQ(monitor.check(kStart + 1400ms), Change::None);
}

TEST(Monitor, ANodeThatWasStoppedListensBeforeItJudges) {
    Monitor monitor{Timing{}};
    monitor.evidence(kStart);
    const Instant awake = kStart + 5s;
    EXPECT_EQ(monitor.check(awake), Change::None);
    EXPECT_EQ(*monitor.next_deadline(), awake + 1s);
    EXPECT_EQ(monitor.check(awake + 999ms), Change::None);
    EXPECT_EQ(monitor.check(awake + 1s), Change::Silent);
    EXPECT_EQ(monitor.check(awake + 1s), Change::None);
    EXPECT_EQ(monitor.check(awake + 2200ms), Change::Overdue);
}

TEST(Monitor, ANodeStoppedWhileThePeerIsSilentListensAgain) {
    Monitor monitor{Timing{}};
    monitor.evidence(kStart);
    EXPECT_EQ(monitor.check(kStart + 1s), Change::Silent);
    EXPECT_EQ(monitor.check(kStart + 9s), Change::None);
    EXPECT_EQ(*monitor.next_deadline(), kStart + 9s + 2200ms);
    EXPECT_EQ(monitor.evidence(kStart + 9s), Change::Heard);
}

TEST(Monitor, APeerThatCannotHearUsCountsAsSilent) {
    Monitor monitor{Timing{}};
    EXPECT_EQ(monitor.evidence(kStart), Change::Heard);
    Instant now = kStart;
    for (; now < kStart + 1s; now += 100ms) {
        monitor.deaf(true, now);
        monitor.evidence(now);
        EXPECT_EQ(monitor.check(now), Change::None);
    }
    monitor.deaf(true, now);
    monitor.evidence(now);
    EXPECT_EQ(monitor.check(now), Change::Silent);
    EXPECT_EQ(monitor.check(now), Change::Overdue);
    EXPECT_EQ(monitor.evidence(now), Change::None);
    monitor.deaf(false, now + 1ms);
    EXPECT_EQ(monitor.evidence(now + 2ms), Change::Heard);
}

TEST(Monitor, WhatAPeerSaidLongAgoOfItsDeafnessIsNoWordAnyMore) {
    Monitor monitor{Timing{}};
    monitor.evidence(kStart);
    monitor.deaf(true, kStart);
    monitor.deaf(true, kStart + 900ms);
    // Its heartbeats do not come any more, its mirror stream does.
    Instant now = kStart + 900ms;
    for (; now < kStart + 4s; now += 100ms) {
        EXPECT_EQ(monitor.evidence(now), Change::None);
        EXPECT_EQ(monitor.check(now), Change::None);
    }
}

TEST(Monitor, OneWordOfDeafnessAfterAPauseIsNoSilence) {
    Monitor monitor{Timing{}};
    monitor.evidence(kStart);
    const Instant awake = kStart + 30s;
    monitor.deaf(true, awake);
    monitor.evidence(awake);
    EXPECT_EQ(monitor.check(awake), Change::None);
    monitor.deaf(false, awake + 100ms);
    monitor.evidence(awake + 100ms);
    EXPECT_EQ(monitor.check(awake + 1s), Change::None);
}

}  // namespace
}  // namespace ha::cluster
