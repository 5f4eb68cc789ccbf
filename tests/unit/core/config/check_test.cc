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

ClusterConfig with_etcd() {
    auto cluster = with_witness();
    EtcdConfig etcd;
    etcd.endpoints = {"https://etcd1.example.org:2379", "https://10.0.8.9:2379"};
    etcd.cluster = "cdf818194e3a8c32";
    etcd.ca = "/etc/hamirror/etcd/ca.pem";
    etcd.certificate = "/etc/hamirror/etcd/client.pem";
    etcd.key = "/etc/hamirror/etcd/client.key";
    etcd.user = "hamirror";
    etcd.password_file = "/etc/hamirror/etcd/password";
    cluster.witness = WitnessConfig{{"10.0.9.9", "10.0.8.9"}, 7401, "", Id128{1, 2}, etcd};
    return cluster;
}

std::string wrong_etcd(void (*change)(WitnessConfig&, EtcdConfig&)) {
    auto cluster = with_etcd();
    change(*cluster.witness, *cluster.witness->etcd);
    std::string all;
    for (const auto& problem : check(cluster)) all += problem.where + ": " + problem.text + "\n";
    return all;
}

TEST(Check, AnEtcdHasEndpointsWithTheirAddresses) {
    EXPECT_EQ(wrong_etcd([](auto&, auto&) {}), "");
    EXPECT_EQ(wrong_etcd([](auto& it, auto&) { it.addresses.pop_back(); }),
              "witness.addresses: give the address of each endpoint, in the same order\n");
    EXPECT_EQ(wrong_etcd([](auto& it, auto&) { it.addresses[1] = "10.0.8.8"; }),
              "witness.addresses[1]: 10.0.8.8 is not the address in https://10.0.8.9:2379\n");
    EXPECT_EQ(wrong_etcd([](auto& it, auto&) { it.addresses[0] = "127.0.0.1"; }),
              "witness.addresses[0]: 127.0.0.1 cannot be reached from both nodes; give an address "
              "of the witness's machine\n");
    EXPECT_EQ(wrong_etcd([](auto& it, auto&) { it.addresses[0] = "10.0.1.1"; }), "")
        << "a member on a node, and one elsewhere";
    EXPECT_EQ(wrong_etcd([](auto& it, auto& etcd) {
                  it.addresses = {"10.0.1.1", "10.0.1.2"};
                  etcd.endpoints[1] = "https://node2:2379";
              }),
              "witness.addresses: all these members are on the two nodes; an etcd that outlives "
              "either of them has members elsewhere: give those, too\n");
    const auto none = wrong_etcd([](auto& it, auto& etcd) {
        it.addresses.clear();
        etcd.endpoints.clear();
    });
    EXPECT_EQ(none, "witness.etcd.endpoints: give 1 to 8 endpoints of the etcd\n");
    EXPECT_EQ(wrong_etcd([](auto&, auto& etcd) { etcd.endpoints[0] = etcd.endpoints[1]; }),
              "witness.etcd.endpoints[1]: endpoint https://10.0.8.9:2379 appears twice\n"
              "witness.addresses[0]: 10.0.9.9 is not the address in https://10.0.8.9:2379\n");
}

TEST(Check, AnEndpointIsHttpsWithAPortAndNothingElse) {
    for (const char* good : {"https://a:1", "https://etcd-1.example.org:65535"}) {
        auto cluster = with_etcd();
        cluster.witness->etcd->endpoints[0] = good;
        EXPECT_TRUE(check(cluster).empty()) << good;
    }
    for (const char* bad :
         {"http://etcd1:2379", "etcd1:2379", "https://etcd1", "https://etcd1:0", "https://:2379",
          "https://etcd1:65536", "https://etcd1:2379/", "https://user:secret@etcd1:2379",
          "https://[fd00::1]:2379", "https://10.0.9:2379", "https://et cd:2379", "https://-a:1"}) {
        auto cluster = with_etcd();
        cluster.witness->etcd->endpoints[0] = bad;
        const auto problems = check(cluster);
        ASSERT_EQ(problems.size(), 1U) << bad;
        EXPECT_EQ(problems[0].where, "witness.etcd.endpoints[0]");
    }
}

TEST(Check, WhatAnEtcdIsReachedWithIsWhole) {
    EXPECT_EQ(wrong_etcd([](auto&, auto& etcd) { etcd.key.clear(); }),
              "witness.etcd.certificate: certificate without key; give both or neither\n");
    EXPECT_EQ(wrong_etcd([](auto&, auto& etcd) { etcd.user.clear(); }),
              "witness.etcd.password_file: password_file without user; give both or neither\n");
    EXPECT_EQ(wrong_etcd([](auto&, auto& etcd) {
                  etcd.user = etcd.password_file = etcd.key = etcd.certificate = "";
              }),
              "witness.etcd.endpoints: an etcd that lets everybody write is no witness; give a "
              "client certificate, or a user and a password file\n");
    EXPECT_EQ(wrong_etcd([](auto&, auto& etcd) { etcd.ca = "ca.pem"; }),
              "witness.etcd.ca: \"ca.pem\" is no absolute path of at most 255 characters\n");
    EXPECT_EQ(wrong_etcd([](auto&, auto& etcd) { etcd.key = "/root/client.key"; }),
              "witness.etcd.key: ha-clusterd does not see what is below /root; put the file below "
              "/etc/hamirror\n");
    EXPECT_EQ(wrong_etcd([](auto&, auto& etcd) { etcd.cluster = "0000000000000000"; }),
              "witness.etcd.cluster: the etcd's id is not 16 lower-case hexadecimal digits; "
              "`hamirrorctl witness add` writes it\n");
    for (const char* bad : {"", "/", "x", "/x/", "/a//b", "/a b", "/a\n"}) {
        auto cluster = with_etcd();
        cluster.witness->etcd->prefix = bad;
        EXPECT_EQ(check(cluster).size(), 1U) << bad;
    }
}

}  // namespace
}  // namespace ha::config
