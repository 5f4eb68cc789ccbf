#include "io/durable_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace ha::io {
namespace {

class DurableFile : public ::testing::Test {
  protected:
    void SetUp() override {
        std::string pattern = ::testing::TempDir() + "durable.XXXXXX";
        ASSERT_NE(mkdtemp(pattern.data()), nullptr);
        folder_ = pattern;
        path_ = folder_ + "/state";
    }
    void TearDown() override { std::filesystem::remove_all(folder_); }

    static std::vector<std::byte> content() {
        std::vector<std::byte> out;
        for (int i = 0; i < 100; ++i) out.push_back(static_cast<std::byte>(i));
        return out;
    }

    std::string folder_;
    std::string path_;
};

TEST_F(DurableFile, ReadsBackWhatWasWritten) {
    ASSERT_TRUE(write_durable(path_, content()));
    auto back = read_durable(path_, 100);
    ASSERT_TRUE(back) << back.error().text;
    EXPECT_EQ(*back, content());
    ASSERT_TRUE(write_durable(path_, {}));
    EXPECT_EQ(read_durable(path_, 100).value()->size(), 0U);
    EXPECT_FALSE(std::filesystem::exists(path_ + ".new"));
}

TEST_F(DurableFile, NoFileIsNoError) {
    auto back = read_durable(path_, 100);
    ASSERT_TRUE(back);
    EXPECT_FALSE(back->has_value());
}

TEST_F(DurableFile, EveryFlippedByteIsSeen) {
    ASSERT_TRUE(write_durable(path_, content()));
    auto size = std::filesystem::file_size(path_);
    for (std::uintmax_t at = 0; at < size; ++at) {
        ASSERT_TRUE(write_durable(path_, content()));
        std::fstream file(path_, std::ios::in | std::ios::out | std::ios::binary);
        file.seekg(static_cast<std::streamoff>(at));
        auto byte = static_cast<char>(file.get() ^ 0x20);
        file.seekp(static_cast<std::streamoff>(at));
        file.put(byte);
        file.close();
        EXPECT_FALSE(read_durable(path_, 100)) << at;
    }
}

TEST_F(DurableFile, EveryTruncationIsSeen) {
    for (std::uintmax_t length = 0; length < 124; ++length) {
        ASSERT_TRUE(write_durable(path_, content()));
        std::filesystem::resize_file(path_, length);
        EXPECT_FALSE(read_durable(path_, 100)) << length;
    }
}

TEST_F(DurableFile, LongerThanTheLimitIsRefused) {
    ASSERT_TRUE(write_durable(path_, content()));
    EXPECT_EQ(read_durable(path_, 99).error().code, EFBIG);
}

TEST_F(DurableFile, AFailedWriteKeepsTheOldContent) {
    ASSERT_TRUE(write_durable(path_, content()));
    // A directory where the temporary file should be makes creating it fail.
    std::filesystem::create_directory(path_ + ".new");
    EXPECT_FALSE(write_durable(path_, {}));
    EXPECT_EQ(read_durable(path_, 100).value(), content());
}

TEST_F(DurableFile, WhatWasReadIsSettledBeforeItIsActedUpon) {
    EXPECT_FALSE(settle_durable(path_));
    ASSERT_TRUE(write_durable(path_, content()));
    EXPECT_TRUE(settle_durable(path_));
}

TEST_F(DurableFile, DirectoriesAreMadeWithThoseAbove) {
    const std::string deep = folder_ + "/a/b/c";
    ASSERT_TRUE(make_directories_durable(deep, 0700));
    ASSERT_TRUE(make_directories_durable(deep, 0700));
    struct stat attributes {};
    ASSERT_EQ(::stat(deep.c_str(), &attributes), 0);
    EXPECT_EQ(attributes.st_mode & 0777U, 0700U);
    ASSERT_EQ(::stat((folder_ + "/a").c_str(), &attributes), 0);
    EXPECT_EQ(attributes.st_mode & 0777U, 0755U);
    std::ofstream(path_).flush();
    EXPECT_FALSE(make_directories_durable(path_ + "/below", 0700));
}

}  // namespace
}  // namespace ha::io
