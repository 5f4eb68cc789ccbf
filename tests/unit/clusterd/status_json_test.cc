#include "clusterd/status_json.h"

#include <gtest/gtest.h>

#include "unit/clusterd/fake_commands.h"

namespace ha::clusterd {
namespace {

TEST(StatusJson, IsThisFormatAndNoOther) {
    FakeCommands commands;
    commands.shown.modules[0].nodes[0].changed_alone = ChangedAloneView{12, 4096, true};
    EXPECT_EQ(
        to_json(commands.view()),
        R"({"node":"node2","nodes":["node1","node2"],"paired":true,"control_connected":false,)"
        R"("witness":null,"self_fencing":"","networks":[{"local":"10.0.0.2","peer":"10.0.0.1","heard":true}],)"
        R"("modules":[{"module":"web-shop","primary":"node1","policy":"available",)"
        R"("policy_text":"","witness":"","automatic_failover":true,)"
        R"("failover_recorded":true,"preferred":"","preferred_text":"","ping_targets":"","mode":"strict","virtual_ips":["192.0.2.10/24"],)"
        R"("units":["shop.service"],"paths":["/srv/shop"],)"
        R"("known":{"decision":"00000000000000000000000000000006",)"
        R"("peer_decision":"00000000000000000000000000000007","peer_seen":true,"in_sync":["node1"]},)"
        R"("resync":{"running":false,"files_total":0,"files_done":0,"bytes_examined":0,)"
        R"("bytes_sent":0},"since_unix_ms":0,"nodes":[)"
        R"({"node":"node1","seen":true,"state":"primary","readiness":"ready",)"
        R"("reason":{"code":"","text":""},"epoch":7,"in_sync":true,"ever_in_sync":true,)"
        R"("at_boot":"as-before","last_seen_unix_ms":0,)"
        R"("changed_alone":{"operations":12,"bytes":4096,"at_least":true}},)"
        R"({"node":"node2","seen":true,"state":"secondary","readiness":"transient",)"
        R"("reason":{"code":"resynchronising","text":"The copy is being compared."},)"
        R"("epoch":6,"in_sync":false,"ever_in_sync":false,"at_boot":"as-before","last_seen_unix_ms":0,)"
        R"("changed_alone":null}]}]})");
}

TEST(StatusJson, AWitnessIsShownByItsAddresses) {
    FakeCommands commands;
    commands.shown.witness = WitnessView{{"203.0.113.5"}, 7401, {}};
    EXPECT_NE(to_json(commands.view())
                  .find(R"("control_connected":false,"witness":{"addresses":["203.0.113.5"],)"
                        R"("port":7401},"self_fencing":"","networks")"),
              std::string::npos);
    commands.shown.witness = WitnessView{{"203.0.113.5"}, 7401, {"https://etcd1:2379"}};
    EXPECT_NE(to_json(commands.view())
                  .find(R"("witness":{"addresses":["203.0.113.5"],"etcd":["https://etcd1:2379"]},)"
                        R"("self_fencing":"","networks")"),
              std::string::npos);
}

TEST(StatusJson, BytesThatAreNoTextDoNotBreakIt) {
    EXPECT_EQ(to_utf8("a\xff/\xc3\xa9"), "a\xef\xbf\xbd/\xc3\xa9");
    FakeCommands commands;
    commands.shown.modules[0].paths = {"/srv/\xff"};
    EXPECT_NE(to_json(commands.view()).find("/srv/\xef\xbf\xbd"), std::string::npos);
}

TEST(StatusJson, CodesBecomeErrorNames) {
    EXPECT_EQ(error_member("peer-not-ready"), "PeerNotReady");
    EXPECT_EQ(error_member("NoSuchModule"), "NoSuchModule");
    EXPECT_EQ(error_member(""), "Failed");
    EXPECT_EQ(error_member("2-nodes"), "Failed2Nodes");
}

}  // namespace
}  // namespace ha::clusterd
