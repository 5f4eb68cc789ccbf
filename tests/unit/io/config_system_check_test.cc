#include "io/config_system_check.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace ha::io {
namespace {

TEST(SystemCheck, DirectoriesMustBeThereAndBeThemselves) {
    auto base = std::filesystem::canonical(testing::TempDir()).string() + "/system-check." +
                std::to_string(getpid());
    std::filesystem::create_directories(base + "/good");
    std::filesystem::create_directory_symlink(base + "/good", base + "/link");
    std::ofstream(base + "/file") << "x";
    config::ModuleConfig module;
    for (auto name : {"/good", "/link", "/file", "/none"})
        module.replicate.push_back({base + name, {}});
    auto problems = check_directories(module, "node1");
    ASSERT_EQ(problems.size(), 3U);
    EXPECT_EQ(problems[0].where, "replicate[1].path");
    EXPECT_EQ(problems[0].text, base +
                                    "/link leads through a symbolic link on node1; name the "
                                    "directory itself, " +
                                    base + "/good");
    EXPECT_EQ(problems[1].text, base + "/file is not a directory on node1");
    EXPECT_EQ(problems[2].text, base + "/none does not exist on node1; create it first");
    std::filesystem::remove_all(base);
}

TEST(SystemCheck, AVirtualIpNeedsAnInterface) {
    config::ModuleConfig module;
    module.virtual_ips = {"198.51.100.7/24", "198.51.100.8/24@nonesuch", "198.51.100.9/24@lo"};
    auto problems = check_interfaces(module, "node1");
    ASSERT_EQ(problems.size(), 2U);
    EXPECT_EQ(problems[0].text,
              "no interface of node1 is in the subnet of 198.51.100.7/24; "
              "name it: 198.51.100.7/24@INTERFACE");
    EXPECT_EQ(problems[1].text, "node1 has no interface nonesuch");
}

}  // namespace
}  // namespace ha::io
