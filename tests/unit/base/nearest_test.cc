#include "base/nearest.h"

#include <gtest/gtest.h>

namespace ha {
namespace {

TEST(Nearest, IsTheFirstOfTheFewestEdits) {
    const std::vector<std::string> verbs{"status", "start", "stop", "swap"};
    EXPECT_EQ(nearest("sttaus", verbs), "status");
    EXPECT_EQ(nearest("strat", verbs), "start");
    EXPECT_EQ(nearest("sto", verbs), "stop");
    EXPECT_EQ(nearest("delete", verbs), "");
    EXPECT_EQ(nearest(std::string(65, 's'), verbs), "");
}

}  // namespace
}  // namespace ha
