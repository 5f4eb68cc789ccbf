#include <gtest/gtest.h>

#include "core/config/config.h"

namespace ha::config {
namespace {

ModuleConfig numbered(std::size_t i) {
    ModuleConfig module;
    module.name = "m" + std::to_string(i);
    module.replicate = {{"/srv/" + module.name, {}}};
    return module;
}

TEST(Check, ThereAreNoMoreModulesThanAHeartbeatNames) {
    std::vector<ModuleConfig> others;
    for (std::size_t i = 1; i < kMaxModules; ++i) others.push_back(numbered(i));
    EXPECT_TRUE(check_against(numbered(0), others).empty());
    others.push_back(numbered(kMaxModules));
    EXPECT_EQ(check_against(numbered(0), others).size(), 1U);
    EXPECT_TRUE(check_against(numbered(1), others).empty()) << "it is one of them";
}

ClusterConfig with_witness() {
    ClusterConfig cluster;
    cluster.nodes = {{"node1", {"10.0.1.1"}}, {"node2", {"10.0.1.2"}}};
    cluster.witness = WitnessConfig{{"10.0.9.9"}, 7401, std::string(64, 'a'), Id128{1, 2}};
    return cluster;
}

/// WHERE: TEXT of all that is wrong after `change`, a line each.
std::string wrong(void (*change)(WitnessConfig&)) {
    auto cluster = with_witness();
    change(*cluster.witness);
    std::string all;
    for (const auto& problem : check(cluster)) all += problem.where + ": " + problem.text + "\n";
    return all;
}

TEST(Check, AWitnessIsWhereBothNodesReachItAndNeitherIs) {
    EXPECT_TRUE(check(with_witness()).empty());
    const std::string count = "witness.addresses: give 1 to 4 addresses of the witness\n";
    EXPECT_EQ(wrong([](auto& it) { it.addresses.clear(); }), count);
    EXPECT_EQ(wrong([](auto& it) { it.addresses.assign(5, "10.0.9.9"); }), count);
    EXPECT_EQ(wrong([](auto& it) { it.addresses = {"witness"}; }),
              "witness.addresses[0]: \"witness\" is not an IPv4 address such as 192.0.2.1\n");
    EXPECT_EQ(wrong([](auto& it) { it.addresses = {"fd00::1"}; }),
              "witness.addresses[0]: IPv6 addresses of witnesses are not supported yet; give an "
              "IPv4 address\n");
    EXPECT_EQ(wrong([](auto& it) { it.addresses = {"127.0.0.1"}; }),
              "witness.addresses[0]: 127.0.0.1 cannot be reached from both nodes; give an address "
              "of the witness's machine\n");
    EXPECT_EQ(wrong([](auto& it) {
                  it.addresses = {"10.0.9.9", "10.0.9.9"};
              }),
              "witness.addresses[1]: address 10.0.9.9 appears twice\n");
    EXPECT_EQ(wrong([](auto& it) {
                  it.addresses = {"10.0.9.9", "10.0.1.2"};
              }),
              "witness.addresses[1]: 10.0.1.2 is the address of node2; a witness needs a machine "
              "of its own\n");
}

TEST(Check, AWitnessHasAPortAKeyAndAStore) {
    EXPECT_EQ(wrong([](auto& it) { it.port = 0; }),
              "witness.port: port 0 is not between 1 and 65535\n");
    const std::string key =
        "witness.key: the witness's key is not 64 lower-case hexadecimal digits; `hamirrorctl "
        "witness add` writes it\n";
    EXPECT_EQ(wrong([](auto& it) { it.key.clear(); }), key);
    EXPECT_EQ(wrong([](auto& it) { it.key.pop_back(); }), key);
    EXPECT_EQ(wrong([](auto& it) { it.key += 'a'; }), key);
    EXPECT_EQ(wrong([](auto& it) { it.key[9] = 'A'; }), key);
    EXPECT_EQ(wrong([](auto& it) { it.store = {}; }),
              "witness.store: the store's identifier is zero, which is none; `hamirrorctl witness "
              "add` writes it\n");
}

}  // namespace
}  // namespace ha::config
