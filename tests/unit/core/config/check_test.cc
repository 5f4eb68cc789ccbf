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

}  // namespace
}  // namespace ha::config
