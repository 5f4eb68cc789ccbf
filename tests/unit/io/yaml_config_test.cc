#include "io/yaml_config.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

namespace ha::io {
namespace {

const char* const kCluster = R"(nodes:
  - {name: node1, addresses: [10.0.1.1, 10.0.2.1]}
  - {name: node2, addresses: [10.0.1.2, 10.0.2.2]}
)";

const char* const kModule = R"(module: postgresql
replicate:
  - path: /var/lib/postgresql
    exclude: ["**/pg_stat_tmp/**"]
virtual_ips:
  - 192.0.2.10/24
  - 192.0.2.11/24@eth0
units: [postgresql@15-main.service]
failover: {automatic: false, preferred: node2, restarts: 5 per 2h}
mode: strict
without_witness: safe
timing: {heartbeat: 50ms, silent_after: 200ms, demote_after: 450ms, kill_bound: 200ms, take_after: 750ms}
)";

config::ClusterConfig cluster() {
    return parse_cluster(kCluster, "cluster.yaml").value.value();
}

TEST(YamlConfig, AClusterIsRead) {
    auto parsed = parse_cluster(kCluster, "cluster.yaml");
    ASSERT_TRUE(parsed.value) << parsed.messages();
    EXPECT_EQ(parsed.value->control_port, 7400);
    ASSERT_EQ(parsed.value->nodes.size(), 2U);
    EXPECT_EQ(parsed.value->nodes[1].name, "node2");
    EXPECT_EQ(parsed.value->nodes[1].addresses, (std::vector<std::string>{"10.0.1.2", "10.0.2.2"}));
}

TEST(YamlConfig, AModuleIsReadAndRenderedBack) {
    auto parsed = parse_module(kModule, "m.yaml", cluster());
    ASSERT_TRUE(parsed.value) << parsed.messages();
    const auto& module = *parsed.value;
    EXPECT_EQ(module.name, "postgresql");
    EXPECT_EQ(module.replicate.at(0).exclude.at(0), "**/pg_stat_tmp/**");
    EXPECT_EQ(module.virtual_ips.at(1), "192.0.2.11/24@eth0");
    EXPECT_EQ(module.units.at(0), "postgresql@15-main.service");
    EXPECT_FALSE(module.failover.automatic);
    EXPECT_EQ(module.failover.preferred, "node2");
    EXPECT_EQ(module.failover.restarts.count, 5U);
    EXPECT_EQ(module.failover.restarts.within, 2h);
    EXPECT_EQ(module.policy, config::Policy::Safe);
    EXPECT_EQ(module.timing.take_after, 750ms);

    auto text = render(module);
    auto again = parse_module(text, "rendered", cluster());
    ASSERT_TRUE(again.value) << text << again.messages();
    EXPECT_EQ(render(*again.value), text);
}

TEST(YamlConfig, PingTargetsAreReadAndRenderedBack) {
    const std::string text =
        "module: m\nreplicate: [{path: /srv/m}]\nping_targets: [10.0.1.254, 192.0.2.1]\n";
    auto parsed = parse_module(text, "m.yaml", cluster());
    ASSERT_TRUE(parsed.value) << parsed.messages();
    const std::vector<std::string> targets{"10.0.1.254", "192.0.2.1"};
    EXPECT_EQ(parsed.value->ping_targets, targets);
    auto again = parse_module(render(*parsed.value), "rendered", cluster());
    ASSERT_TRUE(again.value) << again.messages();
    EXPECT_EQ(again.value->ping_targets, targets);
}

TEST(YamlConfig, TheClusterIsRenderedBack) {
    auto text = render(cluster());
    auto again = parse_cluster(text, "rendered");
    ASSERT_TRUE(again.value) << text << again.messages();
    EXPECT_EQ(render(*again.value), text);
}

std::string with_witness(const std::string& section) {
    return kCluster + std::string("witness: ") + section + "\n";
}

std::string key_text() {
    return std::string(63, '0') + "f";
}

std::string store_text() {
    return std::string(31, '0') + "a";
}

TEST(YamlConfig, AWitnessIsReadAndRenderedBack) {
    auto parsed = parse_cluster(with_witness("{addresses: [10.0.9.9, 10.0.8.9], port: 7500, key: " +
                                             key_text() + ", store: " + store_text() + "}"),
                                "cluster.yaml");
    ASSERT_TRUE(parsed.value) << parsed.messages();
    const config::WitnessConfig expected{{"10.0.9.9", "10.0.8.9"}, 7500, key_text(), Id128{0, 10}};
    EXPECT_EQ(parsed.value->witness, expected);
    auto text = render(*parsed.value);
    auto again = parse_cluster(text, "rendered");
    ASSERT_TRUE(again.value) << text << again.messages();
    EXPECT_EQ(again.value->witness, expected);
    EXPECT_EQ(render(*again.value), text);

    auto section = parse_witness(render(expected), "witness");
    ASSERT_TRUE(section.value) << section.messages();
    EXPECT_EQ(*section.value, expected);

    EXPECT_FALSE(cluster().witness);
    EXPECT_EQ(render(cluster()).find("witness"), std::string::npos);
    auto short_one = parse_witness(
        "{addresses: [10.0.9.9], key: " + key_text() + ", store: " + store_text() + "}", "F");
    ASSERT_TRUE(short_one.value) << short_one.messages();
    EXPECT_EQ(short_one.value->port, 7401);
}

/// The example of docs/configuration.md, on one line.
std::string etcd_section(const std::string& more = "") {
    return "{etcd: {endpoints: [\"https://etcd1.example.org:2379\", \"https://10.0.8.9:2379\"], "
           "cluster: cdf818194e3a8c32, ca: /etc/hamirror/etcd/ca.pem, user: hamirror, "
           "password_file: /etc/hamirror/etcd/password" +
           more + "}, addresses: [10.0.9.9, 10.0.8.9], store: " + store_text() + "}";
}

TEST(YamlConfig, AnEtcdIsReadAndRenderedBack) {
    auto parsed = parse_cluster(with_witness(etcd_section()), "cluster.yaml");
    ASSERT_TRUE(parsed.value) << parsed.messages();
    const auto& witness = parsed.value->witness;
    ASSERT_TRUE(witness && witness->etcd);
    EXPECT_EQ(witness->addresses, (std::vector<std::string>{"10.0.9.9", "10.0.8.9"}));
    EXPECT_EQ(witness->store, (Id128{0, 10}));
    EXPECT_EQ(witness->etcd->endpoints[0], "https://etcd1.example.org:2379");
    EXPECT_EQ(witness->etcd->prefix, "/hamirror");
    EXPECT_EQ(witness->etcd->cluster, "cdf818194e3a8c32");
    EXPECT_EQ(witness->etcd->certificate, "");
    const auto text = render(*parsed.value);
    auto again = parse_cluster(text, "rendered");
    ASSERT_TRUE(again.value) << text << again.messages();
    EXPECT_EQ(again.value->witness, witness);
    EXPECT_EQ(render(*again.value), text);

    auto full = *witness;
    full.etcd->prefix = "/ha/pair-1";
    full.etcd->certificate = "/etc/hamirror/etcd/client.pem";
    full.etcd->key = "/etc/hamirror/etcd/client key";
    auto section = parse_witness(render(full), "witness");
    ASSERT_TRUE(section.value) << section.messages();
    EXPECT_EQ(*section.value, full);
}

TEST(YamlConfig, DefaultsAreTheDocumentedOnes) {
    auto parsed = parse_module("module: m\nreplicate: [{path: /data}]\n", "m.yaml", cluster());
    ASSERT_TRUE(parsed.value) << parsed.messages();
    EXPECT_TRUE(parsed.value->failover.automatic);
    EXPECT_EQ(parsed.value->failover.preferred, "");
    EXPECT_EQ(parsed.value->failover.restarts.count, 3U);
    EXPECT_EQ(parsed.value->policy, config::Policy::Available);
    EXPECT_EQ(parsed.value->timing.demote_after, 1500ms);
    EXPECT_EQ(parsed.value->port, 0);
}

struct Bad {
    std::string text;
    std::string messages;
};

std::string with(const std::string& line) {
    return "module: m\nreplicate: [{path: /data}]\n" + line + "\n";
}

void expect_all(const std::vector<Bad>& table, bool of_cluster) {
    for (const auto& each : table) {
        auto messages = of_cluster ? parse_cluster(each.text, "F").messages()
                                   : parse_module(each.text, "F", cluster()).messages();
        EXPECT_EQ(messages, each.messages) << each.text;
    }
}

TEST(YamlConfig, WhatIsNoModuleIsNamedWithItsPlace) {
    expect_all(
        {
            {"", "F: the file is empty\n"},
            {"a: 1\n---\nb: 2\n", "F: expected one YAML document; found several\n"},
            {"module: \"a\xff\"", "F: the file is over 1 MiB or not plain UTF-8 text\n"},
            {"module: [", "F:1:1: not valid YAML: end of sequence flow not found\n"},
            {"- a", "F:1:1: expected a module (a map of keys); found a list\n"},
            {"module: m\n", "F:1:1: key \"replicate\" is missing in a module\n"},
            {with("virtual_ip: [1.2.3.4/24]"),
             "F:3:1: unknown key \"virtual_ip\" in a module; did you mean \"virtual_ips\"?\n"},
            {with("colour: red"),
             "F:3:1: unknown key \"colour\" in a module; expected one of: module, replicate, "
             "virtual_ips, units, failover, mode, without_witness, ping_targets, timing, port\n"},
            {with("units: [a.service]\nunits: [b.service]"),
             "F:4:1: key \"units\" appears twice\n"},
            {with("units: a.service"), "F:3:8: expected a list of units; found a single value\n"},
            {with("units: [[a.service]]"),
             "F:3:9: expected one value for units[0]; found a list\n"},
            {with("checks: []"), "F:3:1: \"checks\" is not supported yet; remove it\n"},
            {with("depends_on: x"), "F:3:1: \"depends_on\" is not supported yet; remove it\n"},
            {with("mode: ordered"), "F:3:7: mode \"ordered\" is not supported yet; use strict\n"},
            {with("mode: fast"), "F:3:7: expected strict for mode; found \"fast\"\n"},
            {with("without_witness: both"),
             "F:3:18: expected available or safe for without_witness; found \"both\"\n"},
            {with("failover: {automatic: yes}"),
             "F:3:23: expected true or false for failover.automatic; found \"yes\"\n"},
            {with("failover: {restarts: often}"),
             "F:3:22: expected a budget such as \"3 per 24h\" for failover.restarts; found "
             "\"often\"\n"},
            {with("failover: {preferred: node3}"),
             "F:3:23: \"node3\" is not a node; expected node1, node2, or none\n"},
            {with("timing: {heartbeat: 100}"),
             "F:3:21: expected a duration with its unit for timing.heartbeat, such as 100ms, 2s or "
             "24h; found \"100\"\n"},
            {with("timing: {take_after: 2s}"),
             "F:3:9: demote_after x 1.01 + kill_bound must not be more than take_after (2s); set "
             "take_after to at least 2015ms\n"},
            {with("timing: {silent_after: 1500ms}"),
             "F:3:9: silent_after + heartbeat must not be more than demote_after (1500ms); set "
             "demote_after to at least 1600ms\n"},
            {with("port: 70000"),
             "F:3:7: expected a port (1024 to 65535) for port; found \"70000\"\n"},
            {with("port: 7400"),
             "F:3:7: port 7400 is below 1024 or the control port; leave it out and apply assigns "
             "one\n"},
        },
        false);
}

TEST(YamlConfig, ValuesThatMakeNoSenseAreNamedWithTheirPlace) {
    const std::string system =
        " belongs to the system and cannot be mirrored; name the application's own directory\n";
    expect_all(
        {
            {"module: My\nreplicate: [{path: /data}]\n",
             "F:1:9: \"My\" is no name for a module; use 1 to 31 lower-case letters, digits and "
             "'-', not beginning with '-'\n"},
            {"module: m\nreplicate: []\n", "F:2:12: name at least one directory to mirror\n"},
            {"module: m\nreplicate: [{path: data}]\n",
             "F:2:20: \"data\" is not an absolute path without \"//\", \".\", \"..\" and '/' at "
             "the end\n"},
            {"module: m\nreplicate: [{path: /data/}]\n",
             "F:2:20: \"/data/\" is not an absolute path without \"//\", \".\", \"..\" and '/' at "
             "the end\n"},
            {"module: m\nreplicate: [{path: /}]\n", "F:2:20: /" + system},
            {"module: m\nreplicate: [{path: /var}]\n", "F:2:20: /var" + system},
            {"module: m\nreplicate: [{path: /var/lib/hamirror/x}]\n",
             "F:2:20: /var/lib/hamirror/x" + system},
            {"module: m\nreplicate: [{path: /proc/1}]\n", "F:2:20: /proc/1" + system},
            {"module: m\nreplicate:\n  - path: /data\n  - path: /data/log\n",
             "F:4:11: /data/log is inside /data; each directory is mirrored once\n"},
            {"module: m\nreplicate:\n  - path: /data\n  - path: /data\n",
             "F:4:11: /data appears twice; each directory is mirrored once\n"},
            {"module: m\nreplicate: [{path: /data, exclude: [/x]}]\n",
             "F:2:37: \"/x\" is not a pattern relative to /data\n"},
            {with("ping_targets: [router]"),
             "F:3:16: \"router\" is not the IPv4 address of another machine, such as the router's; "
             "names are not looked up\n"},
            {with("ping_targets: [127.0.0.1]"),
             "F:3:16: \"127.0.0.1\" is not the IPv4 address of another machine, such as the "
             "router's; names are not looked up\n"},
            {with("ping_targets: [10.0.1.9, 10.0.1.2]"),
             "F:3:26: 10.0.1.2 is the address of node2; a ping target is a third machine that both "
             "nodes reach\n"},
            {with("ping_targets: [10.0.1.9, 10.0.1.9]"), "F:3:26: 10.0.1.9 appears twice\n"},
            {with("ping_targets: [10.1.1.1, 10.1.1.2, 10.1.1.3, 10.1.1.4, 10.1.1.5]"),
             "F:3:15: at most 4 addresses\n"},
            {with("without_witness: safe\nping_targets: [10.0.1.9]"),
             "F:4:15: only a node that may go on alone asks them; with without_witness: safe none "
             "does. Leave one of the two out\n"},
            {with("virtual_ips: [192.0.2.10]"),
             "F:3:15: \"192.0.2.10\" is not an IPv4 address with a prefix, such as 192.0.2.10/24 "
             "or 192.0.2.10/24@eth0\n"},
            {with("virtual_ips: [\"fd00::1/64\"]"),
             "F:3:15: IPv6 virtual IPs are not supported yet\n"},
            {with("virtual_ips: [10.0.1.1/24]"),
             "F:3:15: 10.0.1.1 is the address of node1; a virtual IP needs one of its own\n"},
            {with("virtual_ips: [192.0.2.1/24, 192.0.2.1/16]"),
             "F:3:29: 192.0.2.1 appears twice\n"},
            {with("units: [postgresql]"),
             "F:3:9: \"postgresql\" is not the name of a .service, .socket, .timer or .path "
             "unit\n"},
            {with("units: [postgresql@.service]"),
             "F:3:9: \"postgresql@.service\" is not a whole unit name (a template needs its "
             "instance, such as postgresql@15-main.service)\n"},
            {with("units: [ha-vipd.service]"),
             "F:3:9: ha-vipd.service is hamirror's own unit; name the application's\n"},
        },
        false);
}

TEST(YamlConfig, AllProblemsAreReportedAtOnce) {
    expect_all({{"module: m\nreplicate: [{pat: /data}]\nhooks: 1\nmode: x\n",
                 "F:2:13: key \"path\" is missing in an entry of replicate\n"
                 "F:2:14: unknown key \"pat\" in an entry of replicate; did you mean \"path\"?\n"
                 "F:3:1: \"hooks\" is not supported yet; remove it\n"
                 "F:4:7: expected strict for mode; found \"x\"\n"}},
               false);
}

TEST(YamlConfig, WhatTheSystemLacksIsReportedWithTheRest) {
    const std::string text =
        "module: db\n"
        "colour: blue\n"
        "replicate:\n"
        "  - path: /srv/nothing\n"
        "  - path: relative\n"
        "virtual_ips: [nonsense]\n"
        "units: [db.service, gone.service]\n"
        "timing: {heartbeat: soon, silent_after: 1ms}\n";
    auto parsed =
        parse_module(text, "db.yaml", cluster(), {}, [](const config::ModuleConfig& module) {
            std::vector<config::Problem> lacks;
            for (std::size_t i = 0; i < module.replicate.size(); ++i) {
                lacks.push_back({"replicate[" + std::to_string(i) + "].path", "it does not exist"});
            }
            lacks.push_back({"units[1]", "it does not exist"});
            return lacks;
        });
    EXPECT_FALSE(parsed.value);
    std::istringstream lines(parsed.messages());
    std::vector<std::string> places;
    for (std::string line; std::getline(lines, line);) places.push_back(line.substr(0, 24));
    EXPECT_EQ(places,
              (std::vector<std::string>{"db.yaml:2:1: unknown key", "db.yaml:4:11: it does no",
                                        "db.yaml:5:11: \"relative\"", "db.yaml:6:15: \"nonsense\"",
                                        "db.yaml:7:21: it does no", "db.yaml:8:21: expected a"}))
        << parsed.messages();
}

TEST(YamlConfig, WhatIsNoClusterIsNamedWithItsPlace) {
    expect_all(
        {
            {"nodes: []\n", "F:1:8: a cluster has two nodes; found 0\n"},
            {"nodes: [{name: none, addresses: [10.0.0.1]}]\nlinks: x\n",
             "F:2:1: \"links\" is not supported yet; remove it\n"},
            {"nodes: [{name: none, addresses: [10.0.0.1]}]\n",
             "F:1:16: \"none\" is no name for a node; use up to 63 letters, digits, '.' and '-', "
             "and not \"none\"\n"},
            {"nodes:\n- {name: a, addresses: [10.0.0.1]}\n- {name: a, addresses: [10.0.0.1, "
             "127.0.0.1]}\n",
             "F:3:10: both nodes are called \"a\"\n"
             "F:3:24: the nodes have 1 and 2 addresses; give each node one for each network, in "
             "the same order\n"
             "F:3:25: address 10.0.0.1 appears twice\n"
             "F:3:35: 127.0.0.1 cannot be reached from the peer; give an address of a network both "
             "nodes are on\n"},
            {"nodes: [{name: a, addresses: [\"fd00::1\"]}]\n",
             "F:1:31: IPv6 addresses of nodes are not supported yet; give an IPv4 address\n"},
            {"nodes: [{name: a, addresses: [10.0.0.1]}]\ncontrol_port: 80\n",
             "F:2:15: port 80 is not between 1024 and 65535\n"},
        },
        true);
}

TEST(YamlConfig, WhatIsNoWitnessIsNamedWithItsPlace) {
    const std::string rest = ", key: " + key_text() + ", store: " + store_text() + "}";
    expect_all(
        {
            {with_witness("10.0.9.9"),
             "F:4:10: expected a witness (a map of keys); found a single value\n"},
            {with_witness("{addresses: [10.0.9.9]}"),
             "F:4:10: key \"key\" is missing in a witness\n"
             "F:4:10: key \"store\" is missing in a witness\n"},
            {with_witness("{addresses: 10.0.9.9" + rest),
             "F:4:22: expected a list of addresses; found a single value\n"},
            {with_witness("{adresses: [10.0.9.9]" + rest),
             "F:4:10: key \"addresses\" is missing in a witness\n"
             "F:4:11: unknown key \"adresses\" in a witness; did you mean \"addresses\"?\n"},
            {with_witness("{addresses: [10.0.1.2]" + rest),
             "F:4:23: 10.0.1.2 is the address of node2; a witness needs a machine of its own\n"},
            {with_witness("{addresses: []" + rest),
             "F:4:22: give 1 to 4 addresses of the witness\n"},
            {with_witness("{addresses: [10.0.9.9], port: 0" + rest),
             "F:4:40: expected a port (1024 to 65535) for witness.port; found \"0\"\n"},
            {with_witness("{addresses: [10.0.9.9], key: abc, store: " + store_text() + "}"),
             "F:4:39: the witness's key is not 64 lower-case hexadecimal digits; `hamirrorctl "
             "witness add` writes it\n"},
            {with_witness("{addresses: [10.0.9.9], store: 7, key: " + key_text() + "}"),
             "F:4:41: expected 32 lower-case hexadecimal digits for witness.store; found \"7\"\n"},
            {with_witness("{addresses: [10.0.9.9], store: " + std::string(32, '0') +
                          ", key: " + key_text() + "}"),
             "F:4:41: the store's identifier is zero, which is none; `hamirrorctl witness add` "
             "writes it\n"},
        },
        true);
    expect_all({{with("witness: none"), "F:3:1: \"witness\" is not supported yet; remove it\n"}},
               false);
}

TEST(YamlConfig, WhatIsNoEtcdIsNamedWithItsPlace) {
    const std::string both = ", addresses: [10.0.9.9], store: " + store_text() + "}";
    expect_all(
        {
            {with_witness("{etcd: here" + both),
             "F:4:17: expected an etcd (a map of keys); found a single value\n"},
            {with_witness("{etcd: {}}"),
             "F:4:10: key \"addresses\" is missing in a witness that is an etcd\n"
             "F:4:10: key \"store\" is missing in a witness that is an etcd\n"
             "F:4:17: key \"endpoints\" is missing in an etcd\n"
             "F:4:17: key \"cluster\" is missing in an etcd\n"},
            {with_witness("{etcd: {endpoints: [x], cluster: y, pasword_file: z}, port: 7401" +
                          both),
             "F:4:46: unknown key \"pasword_file\" in an etcd; did you mean \"password_file\"?\n"
             "F:4:64: unknown key \"port\" in a witness that is an etcd; expected one of: etcd, "
             "addresses, store\n"},
            {with_witness(etcd_section(", prefix: hamirror")),
             "F:4:216: \"hamirror\" is no prefix such as /hamirror: letters, digits, '.', '_', '-' "
             "and single '/', none at its end, at most 64\n"},
        },
        true);
}

TEST(YamlConfig, ASectionFromOutsideIsBounded) {
    EXPECT_EQ(parse_witness("", "W").messages(), "W: the file is empty\n");
    EXPECT_EQ(parse_witness(std::string(kMaxWitnessText + 1, ' '), "W").messages(),
              "W: it is longer than 4 KiB\n");
    EXPECT_FALSE(parse_witness(std::string(kMaxWitnessText, '['), "W").value);
}

TEST(YamlConfig, CollisionsWithOtherModulesAreNamed) {
    auto first = parse_module(std::string(kModule) + "port: 7410\n", "m.yaml", cluster());
    ASSERT_TRUE(first.value) << first.messages();
    auto second = parse_module(
        "module: b\nreplicate: [{path: /var/lib/postgresql/x}]\nvirtual_ips: [192.0.2.10/24]\n"
        "units: [postgresql@15-main.service]\nport: 7410\n",
        "F", cluster(), {*first.value});
    EXPECT_EQ(second.messages(),
              "F:2:20: /var/lib/postgresql/x is inside /var/lib/postgresql (module postgresql)\n"
              "F:3:15: 192.0.2.10 is taken (module postgresql)\n"
              "F:4:9: postgresql@15-main.service is taken (module postgresql)\n"
              "F:5:7: port 7410 is taken (module postgresql)\n");
    EXPECT_EQ(config::free_port(cluster(), {*first.value}), 7411);
}

TEST(YamlConfig, APortIsAddedToABlockText) {
    auto text = with_port(kModule, 7410);
    ASSERT_TRUE(text) << text.error().text;
    auto parsed = parse_module(*text, "m.yaml", cluster());
    ASSERT_TRUE(parsed.value) << parsed.messages();
    EXPECT_EQ(parsed.value->port, 7410);
    EXPECT_FALSE(with_port("{module: m}", 7410));
}

TEST(YamlConfig, TheHashOfATextIsItsSha256) {
    EXPECT_EQ(content_hash("abc"),
              "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(YamlConfig, AFolderOfModulesKeepsTheGoodOnes) {
    std::string directory = testing::TempDir() + "/modules-test." + std::to_string(getpid());
    std::filesystem::create_directories(directory + "/modules");
    std::ofstream(directory + "/modules/a.yaml") << "module: a\nreplicate: [{path: /a}]\n";
    std::ofstream(directory + "/modules/b.yaml") << "module: c\nreplicate: [{path: /c}]\n";
    std::ofstream(directory + "/modules/d.yaml") << "module: d\nreplicate: [{path: /a/d}]\n";
    auto loaded = load_modules(directory, cluster());
    ASSERT_EQ(loaded.value->size(), 1U);
    EXPECT_EQ(loaded.value->at(0).name, "a");
    ASSERT_EQ(loaded.problems.size(), 2U);
    EXPECT_EQ(loaded.problems[0].text, "the file of module c must be called c.yaml");
    EXPECT_EQ(loaded.problems[1].text, "/a/d is inside /a (module a)");
    std::filesystem::remove_all(directory);
    EXPECT_TRUE(load_modules(directory, cluster()).problems.empty());
}

TEST(YamlConfig, NestingAndAliasesDoNotHurt) {
    EXPECT_FALSE(parse_module(std::string(100000, '['), "F", cluster()).value);
    EXPECT_FALSE(parse_module("a: &a [*a]\n", "F", cluster()).value);
}

}  // namespace
}  // namespace ha::io
