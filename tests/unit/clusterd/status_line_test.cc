#include "clusterd/status_line.h"

#include <gtest/gtest.h>

#include "unit/clusterd/fake_commands.h"

namespace ha::clusterd {
namespace {

TEST(StatusLine, ReadsWell) {
    ClusterView view = FakeCommands().view();
    EXPECT_EQ(status_line(view),
              "web-shop: secondary, being brought up to date; NOT connected to node1");
    auto& here = view.modules[0].nodes[1];
    auto& there = view.modules[0].nodes[0];
    view.control_connected = true;
    std::swap(here.state, there.state);
    std::swap(here.readiness, there.readiness);
    EXPECT_EQ(status_line(view), "web-shop: primary, node1 is not ready; connected to node1");
    there.readiness = "ready";
    EXPECT_EQ(status_line(view), "web-shop: primary, redundant; connected to node1");
    view.modules[0].automatic_failover = false;
    EXPECT_EQ(status_line(view), "web-shop: primary, redundant, failover OFF; connected to node1");
    view.modules[0].automatic_failover = true;
    here.state = "alone";
    EXPECT_EQ(status_line(view), "web-shop: alone, not redundant; connected to node1");
    view.modules[0].resync.running = true;
    EXPECT_EQ(status_line(view),
              "web-shop: alone, node1 is being brought up to date; connected to node1");
    here.state = "waiting";
    here.readiness = "blocked";
    EXPECT_EQ(status_line(view), "web-shop: waiting, see hamirrorctl status; connected to node1");
    view.modules.clear();
    EXPECT_EQ(status_line(view), "No module yet; connected to node1");
    view.paired = false;
    EXPECT_EQ(status_line(view), "Not paired yet: hamirrorctl cluster pair on the other server.");
}

}  // namespace
}  // namespace ha::clusterd
