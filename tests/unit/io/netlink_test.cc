#include "io/netlink.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <unistd.h>

#include <cstdlib>
#include <thread>

namespace ha::io {
namespace {

bool run(const std::string& line) {
    return std::system((line + " 2>/dev/null").c_str()) == 0;
}

/// In a network of its own, with more links than one message of a dump holds.
class NetlinkTest : public ::testing::Test {
  protected:
    static constexpr int kPairs = 75;

    void SetUp() override {
        if (::geteuid() != 0 || ::unshare(CLONE_NEWNET) != 0)
            GTEST_SKIP() << "NEEDS ROOT: a network namespace";
        std::string links;
        for (int i = 0; i < kPairs; ++i) {
            const auto number = std::to_string(i);
            links += "link add here" + number + " type veth peer name there" + number + "\n";
        }
        ASSERT_TRUE(run("ip -batch - <<E\n" + links + "E\n"));
    }
};

// The kernel breaks a dump off when links change meanwhile. What is left of it was taken for the
// answer to the next question, and so was each answer after that.
TEST_F(NetlinkTest, WhatIsLeftOfABrokenDumpIsNoAnswerToWhatIsAskedNext) {
    auto netlink = Netlink::open();
    ASSERT_TRUE(netlink) << netlink.error().text;
    bool changed = false;
    const auto broken = netlink->dump([&](const NetworkChange&) {
        if (!std::exchange(changed, true)) run("ip link add here type veth peer name there");
    });
    ASSERT_FALSE(broken);
    int links = 0;
    const auto whole = netlink->dump([&](const NetworkChange& change) {
        if (std::holds_alternative<LinkChange>(change)) ++links;
    });
    EXPECT_TRUE(whole) << whole.error().text;
    EXPECT_EQ(links, 2 * (kPairs + 1));
}

}  // namespace
}  // namespace ha::io
