#include "clusterd/configurations.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "io/yaml_config.h"

namespace ha::clusterd {
namespace {

TEST(Configurations, AModuleWithDataKeepsItsDirectories) {
    config::ModuleConfig installed;
    installed.name = "db";
    installed.replicate = {{"/srv/db", {"**/tmp/**"}}};
    auto wanted = installed;
    wanted.virtual_ips = {"192.0.2.10/24"};
    wanted.units = {"db.service"};
    EXPECT_EQ(Configurations::unsupported_change(installed, wanted), "");

    wanted.replicate.push_back({"/srv/more", {}});
    const auto said = Configurations::unsupported_change(installed, wanted);
    EXPECT_NE(said.find("/srv/db"), std::string::npos) << said;
    EXPECT_NE(said.find("running or stopped; nothing was changed"), std::string::npos) << said;
    wanted = installed;
    wanted.replicate[0].path = "/srv/other";
    EXPECT_NE(Configurations::unsupported_change(installed, wanted), "");
    wanted = installed;
    wanted.replicate[0].exclude.clear();
    EXPECT_NE(Configurations::unsupported_change(installed, wanted), "");
}

TEST(Configurations, ApplySaysWhatWasDoneAndWhatComesNext) {
    Candidate candidate;
    candidate.config.name = "db";
    candidate.text = "module: db\n";
    const std::string sum = io::content_hash(candidate.text).substr(0, 12);
    const std::string as = " as /etc/hamirror/modules/db.yaml, SHA-256 " + sum + "...\n";
    EXPECT_EQ(Configurations::outcome(candidate, {"node1", "node2", true, false, true}),
              "Installed on node1 and node2" + as +
                  "Next, on the node that has the good data: hamirrorctl start db --as-source\n");
    EXPECT_EQ(Configurations::outcome(candidate, {"node1", "node2", true, true, false}),
              "Installed on node1 and node2" + as +
                  "Next, on both nodes: systemctl enable --now ha-cluster.target\n"
                  "Next, on both nodes: hamirrorctl start db\n");
    EXPECT_EQ(Configurations::outcome(candidate, {"node1", "node2", false, true, true}),
              "Installed on node1 alone" + as +
                  "Next, on node2, the same file: hamirrorctl apply FILE\n");
}

class WitnessFile : public testing::Test {
  protected:
    std::string directory_ = testing::TempDir() + "/witness-file." + std::to_string(getpid());
    std::string file_ = directory_ + "/cluster.yaml";
    config::WitnessConfig witness_{{"10.0.9.9"}, 7401, std::string(64, 'c'), Id128{5, 6}};

    void SetUp() override {
        std::filesystem::create_directories(directory_);
        write(
            "# ours\ncontrol_port: 7500\nnodes: [{name: a, addresses: [10.0.1.1]}, {name: b, "
            "addresses: [10.0.1.2]}]\n");
    }
    void TearDown() override { std::filesystem::remove_all(directory_); }
    void write(const std::string& text) { std::ofstream(file_) << text; }
    std::string text() { return io::read_config_text(file_).value(); }
};

TEST_F(WitnessFile, OnlyTheWitnessChanges) {
    auto before = io::parse_cluster(text(), "F").value.value();
    auto done = Configurations::install_witness(witness_, directory_);
    ASSERT_TRUE(done) << done.error().text;
    auto after = io::parse_cluster(text(), "F");
    ASSERT_TRUE(after.value) << after.messages();
    EXPECT_EQ(after.value->witness, witness_);
    EXPECT_EQ(std::filesystem::status(file_).permissions(),
              static_cast<std::filesystem::perms>(0644));

    const auto once = text();
    ASSERT_TRUE(Configurations::install_witness(witness_, directory_));
    EXPECT_EQ(text(), once);
    ASSERT_TRUE(Configurations::install_witness(std::nullopt, directory_));
    EXPECT_EQ(text(), io::render(before));

    Configurations configurations(directory_);
    ASSERT_TRUE(configurations.load());
    configurations.adopt_witness(witness_);
    EXPECT_EQ(configurations.cluster().witness, witness_);
    EXPECT_EQ(configurations.cluster().control_port, 7500);
}

TEST_F(WitnessFile, WhatIsWrongChangesNothing) {
    const auto before = text();
    witness_.addresses = {"10.0.1.2"};
    auto done = Configurations::install_witness(witness_, directory_);
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().text,
              "10.0.1.2 is the address of b; a witness needs a machine of its own");
    EXPECT_EQ(text(), before);

    write("nodes: 7\n");
    done = Configurations::install_witness(std::nullopt, directory_);
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().text, file_ + ":1:8: expected a list of nodes; found a single value");
    EXPECT_EQ(text(), "nodes: 7\n");
}

TEST_F(WitnessFile, WhatIsLeftAtTheWitnessBeforeIsSaid) {
    const std::string now = "Recorded on a and b: the witness is 10.0.9.9, port 7401.\n";
    const std::string none = "Recorded on a and b: there is no witness.\n";
    const std::string left =
        "The one before, 10.0.9.9, still keeps this pair's registers. To remove them, there:\n"
        "    systemctl stop ha-witness\n"
        "    hamirror-witness remove 00000000000000050000000000000006\n"
        "    systemctl start ha-witness\n";
    const auto say = [](const auto& before, const auto& after) {
        return Configurations::witness_outcome(before, after, "a and b");
    };
    std::optional<config::WitnessConfig> known = witness_;
    std::optional<config::WitnessConfig> nobody;
    EXPECT_EQ(say(nobody, known), now);
    EXPECT_EQ(say(known, known), now);
    EXPECT_EQ(say(nobody, nobody), none);
    EXPECT_EQ(say(known, nobody), none + left);
    auto other = known;
    other->store = Id128{7, 8};
    EXPECT_EQ(say(known, other), now + left);

    std::optional<config::WitnessConfig> etcd{{{"10.0.9.9"}, 7401, "", Id128{9, 9}, {}}};
    etcd->etcd.emplace();
    etcd->etcd->endpoints = {"https://a:2379", "https://b:2379"};
    const std::string named = "the etcd at https://a:2379, https://b:2379";
    EXPECT_EQ(say(known, etcd), "Recorded on a and b: the witness is " + named + ".\n" +
                                    left.substr(left.find("The one")));
    EXPECT_EQ(say(etcd, nobody),
              none + "The one before, " + named +
                  ", still keeps this pair's registers. To remove them, there:\n"
                  "    etcdctl del --prefix /hamirror/00000000000000090000000000000009/\n");
    auto renewed = etcd;
    renewed->etcd->ca = "/etc/ca.pem";
    EXPECT_EQ(say(etcd, renewed), "Recorded on a and b: the witness is " + named + ".\n");
}

}  // namespace
}  // namespace ha::clusterd
