#include "replicatord/fingerprint.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <functional>
#include <thread>

#include "temporary_tree.h"

namespace ha::replicatord {
namespace {

namespace fs = std::filesystem;

class FingerprintTest : public TemporaryTree {
  protected:
    void SetUp() override {
        TemporaryTree::SetUp();
        if (IsSkipped()) return;
        fs::create_directories(path_ + "/d/e");
        put("d/e/a", "one");
        put("b", "two");
        fs::create_symlink("b", path_ + "/link");
    }
    void put(const std::string& name, const std::string& text) {
        std::ofstream(path_ + "/" + name) << text;
    }
    Fingerprint take() {
        auto tree = open();
        auto taken = take_fingerprint(*tree);
        EXPECT_TRUE(taken) << taken.error().text;
        return taken.value_or(Fingerprint{});
    }
};

TEST_F(FingerprintTest, StaysWhileNobodyChangesAnything) {
    const auto before = take();
    EXPECT_EQ(before.names, 6U);
    std::string text;
    std::ifstream(path_ + "/b") >> text;
    ::utimensat(AT_FDCWD, path_.c_str(), nullptr, 0);
    const auto after_touch = take();
    EXPECT_NE(before, after_touch) << "the root itself counts";
    EXPECT_EQ(after_touch, take());
}

TEST_F(FingerprintTest, EveryChangeIsSeen) {
    const std::function<void()> changes[] = {
        [&] { put("d/e/a", "eno"); },
        [&] { put("new", ""); },
        [&] { fs::rename(path_ + "/d/e/a", path_ + "/d/e/z"); },
        [&] { fs::remove(path_ + "/new"); },
        [&] { ::chmod((path_ + "/d").c_str(), 0700); },
        [&] { ::setxattr((path_ + "/b").c_str(), "user.x", "y", 1, 0); },
        [&] { fs::create_hard_link(path_ + "/b", path_ + "/d/c"); },
    };
    auto before = take();
    int number = 0;
    for (const auto& change : changes) {
        change();
        const auto after = take();
        EXPECT_NE(before, after) << number;
        before = after;
        ++number;
    }
}

TEST_F(FingerprintTest, ATimeSetBackHidesNothing) {
    struct stat old {};
    ASSERT_EQ(::stat((path_ + "/b").c_str(), &old), 0);
    const auto before = take();
    put("b", "owt");
    const timespec times[2] = {old.st_atim, old.st_mtim};
    ASSERT_EQ(::utimensat(AT_FDCWD, (path_ + "/b").c_str(), times, 0), 0);
    EXPECT_NE(before, take());
}

// ext4 with inodes of 128 bytes.
TEST_F(FingerprintTest, AChangeIsSeenWhereTimesAreWholeSeconds) {
    const std::string image = path_ + "/../" + fs::path(path_).filename().string() + ".image";
    const std::string make = "truncate -s 8M " + image + " && mkfs.ext4 -q -I 128 " + image +
                             " 2>/dev/null && mount -o loop " + image + " " + path_;
    const bool mounted = std::system(make.c_str()) == 0;
    fs::remove(image);
    if (!mounted) GTEST_SKIP() << "NEEDS mkfs.ext4 and loop devices";
    const auto begin = ::time(nullptr);
    while (::time(nullptr) == begin) std::this_thread::yield();  // a whole second is before us
    put("file", "one");
    const auto before = take();
    put("file", "two");
    EXPECT_NE(before, take());
    EXPECT_EQ(::umount2(path_.c_str(), MNT_DETACH), 0);
}

TEST_F(FingerprintTest, OrphansAreTheMirrorsOwn) {
    const auto before = take();
    put(".hamirror/0000000000012345", "x");
    EXPECT_EQ(before, take());
}

TEST_F(FingerprintTest, IsKeptAndForgotten) {
    const KeptFingerprint kept(path_);
    EXPECT_FALSE(kept.exists());
    EXPECT_EQ(kept.read().value(), std::nullopt);
    ASSERT_TRUE(kept.write(Fingerprint{7, {1, 2}}));
    EXPECT_TRUE(kept.exists());
    EXPECT_EQ(kept.read().value(), (Fingerprint{7, {1, 2}}));
    ASSERT_TRUE(kept.write(std::nullopt));
    EXPECT_TRUE(kept.exists());
    EXPECT_FALSE(kept.read());
    ASSERT_TRUE(kept.remove());
    ASSERT_TRUE(kept.remove());
    EXPECT_FALSE(kept.exists());
}

}  // namespace
}  // namespace ha::replicatord
