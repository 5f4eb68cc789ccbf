#include "clusterd/configurations.h"

#include <gtest/gtest.h>

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

}  // namespace
}  // namespace ha::clusterd
