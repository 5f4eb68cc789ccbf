#include "io/boot_id.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace ha::io {
namespace {

TEST(BootId, StaysUntilTheDirectoryIsGone) {
    std::string directory = testing::TempDir() + "/boot-id-test." + std::to_string(getpid());
    std::filesystem::remove_all(directory);
    auto first = boot_id(directory);
    ASSERT_TRUE(first) << first.error().text;
    EXPECT_FALSE(first->none());
    EXPECT_EQ(*boot_id(directory), *first);
    std::filesystem::remove_all(directory);
    EXPECT_NE(*boot_id(directory), *first);
    std::filesystem::remove_all(directory);
}

TEST(BootId, ADamagedFileIsAnError) {
    std::string directory = testing::TempDir() + "/boot-id-damaged." + std::to_string(getpid());
    std::filesystem::create_directories(directory);
    std::ofstream(directory + "/boot-id") << "nonsense\n";
    EXPECT_FALSE(boot_id(directory));
    std::filesystem::remove_all(directory);
}

}  // namespace
}  // namespace ha::io
