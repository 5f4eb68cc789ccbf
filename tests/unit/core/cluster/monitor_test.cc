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

TEST(Monitor, APeerThatCannotHearUsCountsAsSilent) {
    Monitor monitor{Timing{}};
    monitor.evidence(kStart);
    monitor.deaf(true);
    EXPECT_EQ(monitor.check(kStart), Change::Silent);
    EXPECT_EQ(monitor.check(kStart), Change::Overdue);
    EXPECT_EQ(monitor.evidence(kStart + 1ms), Change::None);
    monitor.deaf(false);
    EXPECT_EQ(monitor.evidence(kStart + 2ms), Change::Heard);
}

}  // namespace
}  // namespace ha::cluster
