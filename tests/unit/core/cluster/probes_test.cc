#include "core/cluster/probes.h"

#include <gtest/gtest.h>

namespace ha::cluster {
namespace {

constexpr Instant kStart{1000s};

TEST(Probes, AnEchoSaysWhenItWasSent) {
    Probes probes{41};
    EXPECT_EQ(probes.send(kStart), 42U);
    EXPECT_EQ(probes.send(kStart + 1s), 43U);
    EXPECT_EQ(probes.echoed(42), kStart);
    EXPECT_EQ(probes.echoed(43), kStart + 1s);
}

TEST(Probes, WhatWasNeverSentIsNoEcho) {
    Probes probes{41};
    EXPECT_FALSE(probes.echoed(41));  // before anything was sent
    EXPECT_FALSE(probes.echoed(0));
    probes.send(kStart);
    EXPECT_FALSE(probes.echoed(41));  // of an earlier process
    EXPECT_FALSE(probes.echoed(43));  // of a later one
    EXPECT_FALSE(probes.echoed(0));
}

TEST(Probes, OldOnesAreForgotten) {
    Probes probes{0};
    for (int i = 0; i < 1000; ++i) probes.send(kStart + i * 100ms);
    EXPECT_EQ(probes.echoed(1000), kStart + 999 * 100ms);
    EXPECT_TRUE(probes.echoed(745));
    EXPECT_FALSE(probes.echoed(744));
    EXPECT_FALSE(probes.echoed(0));
}

}  // namespace
}  // namespace ha::cluster
