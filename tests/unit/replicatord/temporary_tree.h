#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "replicatord/tree.h"

namespace ha::replicatord {

/// A directory on a real file system (trusted xattrs, file handles) that goes with the test. These
/// tests need root; without it they skip and say so.
class TemporaryTree : public ::testing::Test {
  protected:
    void SetUp() override {
        if (::geteuid() != 0) GTEST_SKIP() << "NEEDS ROOT: trusted xattrs and file handles";
        std::string pattern = "/var/tmp/hamirror.XXXXXX";
        ASSERT_NE(mkdtemp(pattern.data()), nullptr);
        path_ = pattern;
    }
    void TearDown() override {
        if (!path_.empty()) std::filesystem::remove_all(path_);
    }

    Tree::Mint mint() {
        return [this] { return FileId{Tree::kFirstMinted + ++minted_}; };
    }
    std::unique_ptr<Tree> open(Id128 module = {1, 1}) {
        auto tree = Tree::open({{path_, {}}}, mint(), module);
        EXPECT_TRUE(tree) << tree.error().text;
        return tree ? std::move(*tree) : nullptr;
    }

    std::string path_;
    std::atomic<std::uint64_t> minted_ = 0;
};

}  // namespace ha::replicatord
