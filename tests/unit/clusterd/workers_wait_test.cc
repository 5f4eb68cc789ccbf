#include "clusterd/workers_wait.h"

#include <gtest/gtest.h>

namespace ha::clusterd {
namespace {

TEST(WorkersWait, WhatIsHeldGoesOnWhenTheyAreThere) {
    io::Loop loop;
    WorkersWait wait(loop, 60s);
    std::vector<bool> told;
    wait.hold([&](bool there) { told.push_back(there); });
    wait.hold([&](bool there) { told.push_back(there); });
    EXPECT_TRUE(told.empty());
    wait.release(true);
    wait.release(true);
    EXPECT_EQ(told, (std::vector<bool>{true, true}));
}

TEST(WorkersWait, IsBounded) {
    io::Loop loop;
    WorkersWait wait(loop, 20ms);
    std::vector<bool> told;
    wait.hold([&](bool there) {
        told.push_back(there);
        loop.stop();
    });
    ASSERT_TRUE(loop.run());
    EXPECT_EQ(told, std::vector<bool>{false});
}

}  // namespace
}  // namespace ha::clusterd
