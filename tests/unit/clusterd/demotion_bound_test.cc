#include "clusterd/demotion_bound.h"

#include <gtest/gtest.h>

#include "io/clock.h"

namespace ha::clusterd {
namespace {

class BoundOfADemotion : public testing::Test {
  protected:
    void hold() { lease_.begin(io::boot_now(), 1h); }

    io::Loop loop_;
    Lease lease_;
    int revoked_ = 0;
    DemotionBound bound_{loop_, lease_,
                         [this] {
                             ++revoked_;
                             loop_.stop();
                         },
                         20ms};
};

TEST_F(BoundOfADemotion, PastItTheLeaseIsRevoked) {
    hold();
    bound_.update(false);
    bound_.update(true);
    bound_.update(true);
    EXPECT_FALSE(lease_.expired(io::boot_now()));
    ASSERT_TRUE(loop_.run());
    EXPECT_EQ(revoked_, 1);
    EXPECT_TRUE(lease_.expired(io::boot_now()));
}

TEST_F(BoundOfADemotion, WhatIsGivenUpInTimeIsNotRevoked) {
    hold();
    bound_.update(true);
    bound_.update(false);
    io::Timer later(loop_);
    later.arm(io::boot_now() + 60ms, [this] { loop_.stop(); });
    ASSERT_TRUE(loop_.run());
    EXPECT_EQ(revoked_, 0);
    EXPECT_FALSE(lease_.expired(io::boot_now()));
}

TEST_F(BoundOfADemotion, WithoutALeaseThereIsNoHurry) {
    bound_.update(true);
    io::Timer later(loop_);
    later.arm(io::boot_now() + 60ms, [this] { loop_.stop(); });
    ASSERT_TRUE(loop_.run());
    EXPECT_EQ(revoked_, 0);
}

}  // namespace
}  // namespace ha::clusterd
