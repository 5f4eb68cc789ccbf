#include "replicatord/closed_paths.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace ha::replicatord {
namespace {

TEST(ClosedPaths, DirectoriesAreMadeDurable) {
    const std::string path = testing::TempDir() + "closed_paths";
    std::filesystem::create_directory(path);
    std::ofstream(path + "/file") << "what an earlier process wrote";
    auto made = make_closed_durable({path, testing::TempDir()});
    EXPECT_TRUE(made) << made.error().text;
    std::filesystem::remove_all(path);
    EXPECT_TRUE(make_closed_durable({}));
}

/// A disk that is not there: what was written to it may be on it or not.
TEST(ClosedPaths, WhatIsNotThereIsNotKnownToBeDurable) {
    EXPECT_FALSE(make_closed_durable({testing::TempDir(), testing::TempDir() + "none/such"}));
}

}  // namespace
}  // namespace ha::replicatord
