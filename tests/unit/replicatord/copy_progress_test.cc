#include "replicatord/copy_progress.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "temporary_tree.h"

namespace ha::replicatord {
namespace {

class CopyProgressTest : public TemporaryTree {
  protected:
    static constexpr Id128 kModule{7, 8};
    static constexpr const char* kXattr = "trusted.hamirror.progress";

    static std::unique_ptr<CopyProgress> read(const Tree& tree, Id128 module = kModule) {
        auto progress = CopyProgress::open(tree, module);
        EXPECT_TRUE(progress) << progress.error().text;
        return progress ? std::move(*progress) : nullptr;
    }
    static cluster::Progress on_disk(const Tree& tree, Id128 module = kModule) {
        return read(tree, module)->now();
    }
};

TEST_F(CopyProgressTest, WhatIsNotedIsThereAgain) {
    auto tree = open();
    auto progress = read(*tree);
    EXPECT_EQ(progress->now(), cluster::Progress{});
    EXPECT_TRUE(progress->heard(5));
    EXPECT_TRUE(progress->stale());
    EXPECT_EQ(progress->note(true), 1U);
    EXPECT_FALSE(progress->stale());
    EXPECT_EQ(on_disk(*tree), (cluster::Progress{1, 5}));
    EXPECT_EQ(progress->note(true), 2U);
    EXPECT_EQ(on_disk(*tree), (cluster::Progress{2, 5}));
}

TEST_F(CopyProgressTest, ThePeerIsToldWhatIsDurable) {
    auto tree = open();
    auto progress = read(*tree);
    ASSERT_EQ(progress->note(true), 1U);
    EXPECT_EQ(progress->durable(), 0U);
    progress->synced(1);
    EXPECT_EQ(progress->durable(), 1U);
    EXPECT_EQ(read(*tree)->durable(), 1U) << "made durable when it is opened";
}

TEST_F(CopyProgressTest, WhatThePeerSaysIsNotedWithoutBeingFurther) {
    auto tree = open();
    auto progress = read(*tree);
    progress->note(true);
    progress->heard(9);
    EXPECT_EQ(progress->note(false), 1U);
    EXPECT_EQ(on_disk(*tree), (cluster::Progress{1, 9}));
}

TEST_F(CopyProgressTest, APeerThatComesBackWithLessIsKnownAsItIsNow) {
    auto tree = open();
    auto progress = read(*tree);
    EXPECT_TRUE(progress->heard(9));
    EXPECT_FALSE(progress->heard(4));
    EXPECT_TRUE(progress->heard(4));
    progress->note(true);
    EXPECT_EQ(on_disk(*tree).peer, 4U);
}

TEST_F(CopyProgressTest, AnotherModulesOrACopiedNoteDoesNotCount) {
    auto tree = open();
    auto progress = read(*tree);
    progress->heard(5);
    progress->note(true);
    EXPECT_EQ(on_disk(*tree, {7, 9}), cluster::Progress{});

    char raw[64];
    const auto size = fgetxattr(tree->orphan_fd(0), kXattr, raw, sizeof(raw));
    ASSERT_GT(size, 0);
    const std::string copy = path_ + "/copy";
    std::filesystem::create_directory(copy);
    auto other = Tree::open({{copy, {}}}, mint());
    ASSERT_TRUE(other);
    ASSERT_EQ(fsetxattr((*other)->orphan_fd(0), kXattr, raw, static_cast<std::size_t>(size), 0), 0);
    EXPECT_EQ(on_disk(**other), cluster::Progress{});
}

TEST_F(CopyProgressTest, OfSeveralRootsTheOneThatIsBehindCounts) {
    for (const char* name : {"/one", "/two"}) std::filesystem::create_directory(path_ + name);
    auto tree = Tree::open({{path_ + "/one", {}}, {path_ + "/two", {}}}, mint());
    ASSERT_TRUE(tree);
    auto progress = read(**tree);
    progress->heard(3);
    progress->note(true);
    char old[64];
    const int second = (*tree)->orphan_fd(1);
    const auto size = fgetxattr(second, kXattr, old, sizeof(old));
    ASSERT_GT(size, 0);
    progress->heard(8);
    progress->note(true);
    EXPECT_EQ(on_disk(**tree), (cluster::Progress{2, 8}));
    ASSERT_EQ(fsetxattr(second, kXattr, old, static_cast<std::size_t>(size), 0), 0);
    EXPECT_EQ(on_disk(**tree), (cluster::Progress{1, 8}));
}

/// The fingerprint of a common stop has them, and so may a backup program.
TEST_F(CopyProgressTest, TheTimesOfTheMirroredDirectoryStay) {
    auto tree = open();
    struct stat before {};
    ASSERT_EQ(fstat(tree->root_fd(0), &before), 0);
    auto progress = read(*tree);
    progress->note(true);
    struct stat after {};
    ASSERT_EQ(fstat(tree->root_fd(0), &after), 0);
    EXPECT_EQ(before.st_ctim.tv_sec, after.st_ctim.tv_sec);
    EXPECT_EQ(before.st_ctim.tv_nsec, after.st_ctim.tv_nsec);
}

}  // namespace
}  // namespace ha::replicatord
