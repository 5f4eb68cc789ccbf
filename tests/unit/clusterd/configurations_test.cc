#include "clusterd/configurations.h"

#include <gtest/gtest.h>

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

}  // namespace
}  // namespace ha::clusterd
