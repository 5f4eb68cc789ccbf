#include "ctl/wait.h"

#include <gtest/gtest.h>

#include "unit/ctl/samples.h"

namespace ha::ctl {
namespace {

using Kind = Verdict::Kind;

const NodeStatus kPeer = node("node2", "primary", "ready");

TEST(Wait, StartIsDoneWhenTheNodeServesOrStandsBy) {
    Waiter waiter(Order::Start, "db", cluster(node("node1", "stopped", "ready"), kPeer));
    const auto look = [&](const char* state, const char* readiness) {
        return waiter.look(cluster(node("node1", state, readiness), kPeer), true).kind;
    };
    EXPECT_EQ(look("stopped", "ready"), Kind::Pending);
    EXPECT_EQ(look("waiting", "transient"), Kind::Pending);
    EXPECT_EQ(look("secondary", "transient"), Kind::Pending);
    EXPECT_EQ(look("secondary", "ready"), Kind::Done);
    EXPECT_EQ(look("alone", "ready"), Kind::Done);
    EXPECT_EQ(look("primary", "ready"), Kind::Done);
}

TEST(Wait, ABlockThatWasThereBeforeIsGivenTime) {
    const auto blocked =
        cluster(node("node1", "waiting", "blocked", "nobody-knows", "Nobody knows."), kPeer);
    Waiter waiter(Order::Start, "db", blocked);
    EXPECT_EQ(waiter.look(blocked, false).kind, Kind::Pending);
    EXPECT_EQ(waiter.look(blocked, true).kind, Kind::Stuck);
    const auto other = cluster(node("node1", "waiting", "blocked", "outdated", "Older."), kPeer);
    EXPECT_EQ(waiter.look(other, false).kind, Kind::Stuck);
    EXPECT_EQ(waiter.look(other, false).text.substr(0, 32), "node1 is waiting/blocked: Older.");
}

TEST(Wait, StopAllWaitsForTheOtherNodeToo) {
    const auto one = cluster(node("node1", "stopped", "ready"), kPeer);
    const auto both = cluster(node("node1", "stopped", "ready"), node("node2", "stopped", "ready"));
    EXPECT_EQ(Waiter(Order::Stop, "db", one).look(one, false).kind, Kind::Done);
    EXPECT_EQ(Waiter(Order::StopAll, "db", one).look(one, false).kind, Kind::Pending);
    EXPECT_EQ(Waiter(Order::StopAll, "db", one).look(both, false).kind, Kind::Done);
}

TEST(Wait, SwapIsDoneWhenBothRolesAreExchanged) {
    const auto before =
        cluster(node("node1", "primary", "ready"), node("node2", "secondary", "ready"));
    Waiter waiter(Order::Swap, "db", before);
    EXPECT_EQ(waiter.look(before, true).kind, Kind::Pending);
    EXPECT_EQ(waiter
                  .look(cluster(node("node1", "primary", "transient"),
                                node("node2", "secondary", "ready")),
                        true)
                  .kind,
              Kind::Pending);
    EXPECT_EQ(
        waiter
            .look(cluster(node("node1", "secondary", "ready"), node("node2", "primary", "ready")),
                  true)
            .kind,
        Kind::Done);
}

TEST(Wait, ASwapThatWasUndoneIsNoSuccess) {
    const auto before =
        cluster(node("node1", "primary", "ready"), node("node2", "secondary", "ready"));
    Waiter waiter(Order::Swap, "db", before);
    waiter.look(cluster(node("node1", "primary", "transient"), node("node2", "secondary", "ready")),
                true);
    EXPECT_EQ(waiter.look(before, true).kind, Kind::Stuck);
}

TEST(Wait, ARestartIsOverWhenTheSameNodeIsReadyAgain) {
    const auto ready =
        cluster(node("node1", "primary", "ready"), node("node2", "secondary", "ready"));
    const auto under_way =
        cluster(node("node1", "primary", "transient"), node("node2", "secondary", "ready"));
    Waiter waiter(Order::Restart, "db", ready);
    EXPECT_EQ(waiter.look(ready, false).kind, Kind::Pending);
    EXPECT_EQ(waiter.look(under_way, true).kind, Kind::Pending);
    EXPECT_EQ(waiter.look(ready, false).kind, Kind::Done);

    auto over = ready;
    over.modules[0].since_unix_ms = 1;
    EXPECT_EQ(Waiter(Order::Restart, "db", ready).look(over, false).kind, Kind::Done);
    EXPECT_EQ(Waiter(Order::Restart, "db", ready).look(ready, true).kind, Kind::Done);
}

TEST(Wait, ARestartThatEndsElsewhereIsNoSuccess) {
    const auto ready =
        cluster(node("node1", "primary", "ready"), node("node2", "secondary", "ready"));
    const auto moved = cluster(node("node1", "secondary", "ready"), kPeer);
    const auto blocked = cluster(node("node1", "stopped", "blocked", "restarts-spent", "Spent."),
                                 node("node2", "waiting", "blocked"));
    EXPECT_EQ(Waiter(Order::Restart, "db", ready).look(moved, false).kind, Kind::Stuck);
    EXPECT_EQ(Waiter(Order::Restart, "db", ready).look(blocked, false).kind, Kind::Stuck);
}

TEST(Wait, ASwapToANodeKnowsBothRolesWhereverItBegan) {
    const auto done =
        cluster(node("node1", "secondary", "ready"), node("node2", "primary", "ready"));
    const auto ceding =
        cluster(node("node1", "waiting", "transient"), node("node2", "secondary", "transient"));
    Waiter waiter(Order::Swap, "db", ceding, "node2");
    EXPECT_EQ(waiter.look(ceding, true).kind, Kind::Pending);
    EXPECT_EQ(waiter.look(done, true).kind, Kind::Done);
}

TEST(Wait, WhereNothingIsToBeDoneTheNodeStillHasToBeReady) {
    const auto starting =
        cluster(node("node1", "alone", "transient"), node("node2", "stopped", "ready"));
    Waiter waiter(Order::Lead, "db", starting, "node1");
    EXPECT_EQ(waiter.look(starting, true).kind, Kind::Pending);
    EXPECT_EQ(
        waiter
            .look(cluster(node("node1", "alone", "ready"), node("node2", "stopped", "ready")), true)
            .kind,
        Kind::Done);
}

TEST(Wait, SyncedIsBothNodesInSyncAndReady) {
    const auto look = [](const NodeStatus& peer, const char* to = "") {
        return look_synced(cluster(node("node1", "primary", "ready"), peer), "db", to);
    };
    EXPECT_EQ(look(node("node2", "secondary", "ready")).kind, Kind::Done);
    const auto copying = node("node2", "secondary", "transient", "resynchronising", "Copying.");
    EXPECT_EQ(look(copying).kind, Kind::Pending);
    EXPECT_EQ(look(copying).text, "node1 is primary/ready; node2 is secondary/transient: Copying.");
    EXPECT_EQ(look(copying, "node2").kind, Kind::Pending);
    EXPECT_EQ(look(copying, "node1").kind, Kind::Done) << "nothing to wait for";
    EXPECT_EQ(look(copying, "node3").kind, Kind::Done) << "the daemon says what is wrong";
    EXPECT_EQ(look_synced(cluster(kPeer, kPeer), "nothing", "").kind, Kind::Done);
    const auto nobody =
        cluster(node("node1", "waiting", "blocked"), node("node2", "secondary", "ready"));
    EXPECT_EQ(look_synced(nobody, "db", "").kind, Kind::Pending);
}

TEST(Wait, AModuleThatGoesAwayEndsIt) {
    const auto before = cluster(kPeer, kPeer);
    Waiter waiter(Order::Start, "db", before);
    EXPECT_EQ(waiter.look(ClusterStatus{}, false).kind, Kind::Stuck);
}

}  // namespace
}  // namespace ha::ctl
