#include "replicatord/kept_alone.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace ha::replicatord {
namespace {

class KeptAloneTest : public testing::Test {
  protected:
    void SetUp() override {
        std::string pattern = testing::TempDir() + "alone.XXXXXX";
        ASSERT_NE(mkdtemp(pattern.data()), nullptr);
        path_ = pattern;
    }
    void TearDown() override { std::filesystem::remove_all(path_); }
    /// By another process.
    api::ChangedAlone read() {
        auto kept = KeptAlone(path_).read();
        EXPECT_TRUE(kept) << kept.error().text;
        return kept.value_or(api::ChangedAlone{});
    }

    std::string path_;
    api::ChangedAlone changed_{{3, 4}, 12, 4096, false};
};

TEST_F(KeptAloneTest, NothingWasKept) {
    EXPECT_EQ(read(), api::ChangedAlone{});
}

TEST_F(KeptAloneTest, AfterACrashItIsAtLeastSoMuch) {
    KeptAlone kept(path_);
    ASSERT_TRUE(kept.save(changed_));
    api::ChangedAlone at_least = changed_;
    at_least.at_least = true;
    EXPECT_EQ(read(), at_least);
    ASSERT_TRUE(kept.close(changed_));
    EXPECT_EQ(read(), changed_);
    ASSERT_TRUE(kept.close(at_least));
    EXPECT_EQ(read(), at_least) << "a crash before is not forgotten by a close";
}

TEST_F(KeptAloneTest, WhatIsForgottenStaysSo) {
    KeptAlone kept(path_);
    ASSERT_TRUE(kept.save(changed_));
    ASSERT_TRUE(kept.forget(changed_.decision));
    ASSERT_TRUE(kept.save(changed_)) << "one that was under way";
    EXPECT_EQ(read(), api::ChangedAlone{});
    changed_.decision = {5, 6};
    ASSERT_TRUE(kept.save(changed_));
    EXPECT_EQ(read().decision, (Id128{5, 6}));
}

TEST_F(KeptAloneTest, ADamagedFileIsNoFigure) {
    KeptAlone kept(path_);
    ASSERT_TRUE(kept.save(changed_));
    const std::string path = path_ + "/alone";
    const auto size = std::filesystem::file_size(path);
    for (std::uintmax_t at = 0; at < size; ++at) {
        std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
        file.seekg(static_cast<std::streamoff>(at));
        const char before = static_cast<char>(file.get());
        file.seekp(static_cast<std::streamoff>(at));
        file.put(static_cast<char>(before ^ 1));
        file.flush();
        EXPECT_FALSE(KeptAlone(path_).read()) << at;
        file.seekp(static_cast<std::streamoff>(at));
        file.put(before);
    }
    EXPECT_TRUE(KeptAlone(path_).read());
    changed_.operations = api::kMaxChangedAlone + 1;
    ASSERT_TRUE(kept.save(changed_));
    EXPECT_FALSE(KeptAlone(path_).read());
}

}  // namespace
}  // namespace ha::replicatord
