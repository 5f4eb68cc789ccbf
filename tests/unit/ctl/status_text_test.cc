#include "ctl/status_text.h"

#include <gtest/gtest.h>

#include <sstream>

#include "ctl/unreachable.h"
#include "unit/ctl/samples.h"

namespace ha::ctl {
namespace {

TEST(StatusText, APairThatIsWell) {
    EXPECT_EQ(status_text(
                  cluster(node("node1", "primary", "ready"), node("node2", "secondary", "ready"))),
              "This is node1; node2 is connected.\n"
              "  network    10.0.0.1 - 10.0.0.2\n"
              "  network    10.1.0.1 - 10.1.0.2  NOT HEARD on it\n"
              "  witness    none\n"
              "\n"
              "db: served by node1\n"
              "  safe       yes: every change is on both nodes before it is acknowledged.\n"
              "  node1 (here)        primary   ready     in sync   epoch 3\n"
              "  node2               secondary ready     in sync   epoch 3\n"
              "  addresses  192.0.2.10/24\n");
}

TEST(StatusText, WhatAnOperatorSetIsShown) {
    auto status = cluster(node("node1", "primary", "ready"), node("node2", "secondary", "ready"));
    auto& module = status.modules[0];
    module.automatic_failover = module.failover_recorded = false;
    module.nodes[1].at_boot = "never";
    module.preferred_text = "node2; not yet";
    EXPECT_NE(status_text(status).find(
                  "acknowledged.\n"
                  "  FAILOVER   OFF: when the primary is lost nobody takes over until a person\n"
                  "             does. On again: hamirrorctl failover on db\n"
                  "  failover   as this node has it; whether the other has recorded it is not\n"
                  "             known.\n"
                  "  boot       not started when node2 boots. To change that, there: hamirrorctl\n"
                  "             enable db\n"
                  "  preferred  node2; not yet\n"),
              std::string::npos)
        << status_text(status);
}

TEST(StatusText, AWitnessIsShownByItsAddresses) {
    auto status = cluster(node("node1", "primary", "ready"), node("node2", "secondary", "ready"));
    status.witness = WitnessStatus{{"203.0.113.5", "203.0.113.6"}, 7401, {}};
    EXPECT_NE(cluster_text(status).find("  witness    203.0.113.5, 203.0.113.6\n"),
              std::string::npos);
    const auto read = parse_status(
        R"({"node":"a","witness":{"addresses":["203.0.113.5"],"port":7500},"modules":[]})");
    ASSERT_TRUE(read) << read.error().text;
    EXPECT_EQ(read->witness->addresses, std::vector<std::string>{"203.0.113.5"});
    EXPECT_EQ(read->witness->port, 7500);
    EXPECT_TRUE(read->witness->etcd.empty());

    status.self_fencing = "by software";
    EXPECT_NE(cluster_text(status).find("  fencing    by software\n"), std::string::npos);
    status.witness->etcd = {"https://etcd1:2379", "https://etcd2:2379"};
    EXPECT_NE(
        cluster_text(status).find("  witness    etcd: https://etcd1:2379, https://etcd2:2379\n"),
        std::string::npos);
    const auto etcd = parse_status(
        R"({"node":"a","witness":{"addresses":["203.0.113.5"],"etcd":["https://etcd1:2379"]}})");
    ASSERT_TRUE(etcd) << etcd.error().text;
    EXPECT_EQ(etcd->witness->etcd, std::vector<std::string>{"https://etcd1:2379"});
    EXPECT_FALSE(parse_status(R"({"node":"a","witness":null})")->witness);
    EXPECT_FALSE(parse_status(R"({"node":"a"})")->witness);
}

TEST(StatusText, WhatIsNeededComesWithItsCommand) {
    NodeStatus unseen;
    unseen.node = "node2";
    const auto text = status_text(cluster(
        node("node1", "waiting", "blocked", "outdated", "The data here is older."), unseen));
    EXPECT_NE(text.find("db: served by no node\n"), std::string::npos) << text;
    EXPECT_NE(text.find("  NEEDED     node1: The data here is older.\n"), std::string::npos)
        << text;
    EXPECT_NE(text.find("  run        bring the other node back"), std::string::npos) << text;
    EXPECT_NE(text.find("  node2               not seen\n"), std::string::npos) << text;
}

TEST(StatusText, ANewModuleIsNewAndSaysWhatIsNeededOnce) {
    auto first = node("node1", "waiting", "blocked", "nobody-knows", "Nobody knows: hamirrorctl.");
    auto other = node("node2", "waiting", "blocked", "nobody-knows", "Nobody knows: hamirrorctl.");
    first.epoch = other.epoch = 0;
    const auto text = status_text(cluster(first, other));
    EXPECT_NE(text.find("  node1 (here)        waiting   blocked   new\n"), std::string::npos)
        << text;
    EXPECT_NE(text.find("  NEEDED     Nobody knows: hamirrorctl.\n  addresses"), std::string::npos)
        << text;
    EXPECT_EQ(text.find("NEEDED"), text.rfind("NEEDED")) << text;
}

TEST(StatusText, AFirstCopyIsNotOutdatedAndSaysHowFarItIs) {
    auto target = node("node2", "secondary", "transient");
    target.in_sync = target.ever_in_sync = false;
    auto status = cluster(node("node1", "alone", "ready"), target);
    status.modules[0].resync = {true, 10, 3, 1 << 20, 512};
    auto text = status_text(status);
    EXPECT_NE(text.find("  node2               secondary transient not copied yet  epoch 3\n"),
              std::string::npos)
        << text;
    EXPECT_NE(text.find("  resync     3 of 10 files, 1.0 MiB compared, 512 B sent\n"),
              std::string::npos)
        << text;
    status.modules[0].resync.running = false;
    status.node = "node2";
    text = status_text(status);
    EXPECT_NE(text.find("  resync     how far it is: hamirrorctl status db (on node1)\n"),
              std::string::npos)
        << text;
}

TEST(StatusText, AReasonThatNamesItsCommandIsEnough) {
    EXPECT_EQ(advice("db", node("node1", "waiting", "blocked", "nobody-knows",
                                "Run: hamirrorctl start db --as-source")),
              "");
    EXPECT_EQ(advice("db", node("node1", "waiting", "blocked", "what-ever", "New.")),
              "hamirrorctl events db (on node1)");
}

TEST(StatusText, WhatANodeChangedAloneIsShown) {
    auto status = cluster(node("node1", "alone", "ready"), node("node2", "stopped", "ready"));
    EXPECT_EQ(status_text(status).find("\n  alone  "), std::string::npos);
    status.modules[0].nodes[0].changed_alone = {12, 4096, true};
    const auto text = status_text(status);
    EXPECT_NE(
        text.find("\n  alone      node1 has what the other has not: at least 12 operations, 4.0 "
                  "KiB\n             written\n"),
        std::string::npos)
        << text;
    status.modules[0].nodes[1].reason_code = "diverged";
    EXPECT_EQ(status_text(status).find("\n  alone  "), std::string::npos) << "the reason says so";
    EXPECT_EQ(changed_text({1, 0, false}), "1 operation, 0 B written");
    const auto parsed = parse_status(
        R"({"node":"a","modules":[{"module":"m","nodes":[{"node":"a","changed_alone":)"
        R"({"operations":3,"bytes":5,"at_least":true}},{"node":"b","changed_alone":null}]}]})");
    ASSERT_TRUE(parsed) << parsed.error().text;
    EXPECT_EQ(changed_text(*parsed->modules[0].nodes[0].changed_alone),
              "at least 3 operations, 5 B written");
    EXPECT_FALSE(parsed->modules[0].nodes[1].changed_alone);
}

TEST(StatusText, SaysWhetherTheDataIsSafe) {
    const auto say = [](const NodeStatus& first, const NodeStatus& second, bool resync) {
        auto status = cluster(first, second);
        status.modules[0].resync.running = resync;
        return safety(status.modules[0]).substr(0, 8);
    };
    EXPECT_EQ(say(node("node1", "alone", "ready"), node("node2", "stopped", "ready"), false),
              "NO: only");
    EXPECT_EQ(say(node("node1", "alone", "ready"), node("node2", "secondary", "transient"), true),
              "NOT YET:");
    EXPECT_EQ(
        say(node("node1", "primary", "transient"), node("node2", "secondary", "ready"), false),
        "yes: eve");
    EXPECT_EQ(say(node("node1", "alone", "ready"), node("node2", "alone", "ready"), false),
              "NO: both");
    EXPECT_EQ(say(node("node1", "stopped", "ready"), node("node2", "stopped", "ready"), false),
              "not serv");
}

TEST(StatusText, FitsATerminal) {
    auto status = cluster(node("node1", "waiting", "blocked", "data-missing",
                               "The mirrored directories do not carry this module's marker: "
                               "/var/lib/db has none at all. Nothing is served from them."),
                          node("node2", "secondary", "ready"));
    std::istringstream lines(module_text(status.modules[0], status));
    for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 80U) << line;
    EXPECT_EQ(wrap("a b", 4, 0), "a b");
    EXPECT_EQ(wrap(std::string(79, 'x') + " yy", 4, 0), std::string(79, 'x') + "\n    yy");
}

TEST(StatusText, BytesInReadableUnits) {
    EXPECT_EQ(bytes_text(0), "0 B");
    EXPECT_EQ(bytes_text(1536), "1.5 KiB");
    EXPECT_EQ(progress({true, 10, 3, 1 << 20, 512}), "3 of 10 files, 1.0 MiB compared, 512 B sent");
}

TEST(Unreachable, SaysWhatToDo) {
    EXPECT_NE(explain_unreachable("loaded", "inactive", true)
                  .find("ha-clusterd.service is inactive. Start it:\n"
                        "    systemctl start ha-cluster.target\n"),
              std::string::npos);
    EXPECT_NE(explain_unreachable("loaded", "inactive", false).find("hamirrorctl cluster init"),
              std::string::npos);
    EXPECT_NE(explain_unreachable("not-found", "inactive", true).find("Install the package"),
              std::string::npos);
    EXPECT_NE(explain_unreachable("", "", true).find("systemd does not answer"), std::string::npos);
}

}  // namespace
}  // namespace ha::ctl
