#include "replicatord/tree.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/xattr.h>

#include <fstream>
#include <thread>

#include "lease.h"
#include "replicatord/identity.h"
#include "temporary_tree.h"

namespace ha::replicatord {
namespace {

namespace fs = std::filesystem;

class TreeTest : public TemporaryTree {
  protected:
    void touch(const std::string& name) { std::ofstream(path_ + "/" + name) << name; }
    FileId look(Tree& tree, const std::string& name, FileId parent = Tree::root_id(0)) {
        struct stat attributes {};
        auto id = tree.lookup(parent, name, &attributes);
        EXPECT_TRUE(id) << id.error().text;
        return id.value_or(FileId{});
    }
};

TEST_F(TreeTest, AnInodeKeepsItsIdAcrossNamesAndRestarts) {
    touch("a");
    auto tree = open();
    FileId id = look(*tree, "a");
    EXPECT_GE(id.value, Tree::kFirstMinted);
    fs::create_hard_link(path_ + "/a", path_ + "/b");
    EXPECT_EQ(look(*tree, "b"), id);
    fs::rename(path_ + "/b", path_ + "/c");
    tree = open();
    EXPECT_FALSE(tree->known(id));
    EXPECT_EQ(look(*tree, "c"), id);
    EXPECT_TRUE(tree->known(id));
}

TEST_F(TreeTest, ACopiedAttributeDeceivesNobody) {
    touch("a"), touch("b");
    auto tree = open();
    FileId a = look(*tree, "a");
    char value[64];
    ssize_t size = lgetxattr((path_ + "/a").c_str(), kIdentityXattr, value, sizeof(value));
    ASSERT_GT(size, 0);
    ASSERT_EQ(
        lsetxattr((path_ + "/b").c_str(), kIdentityXattr, value, static_cast<std::size_t>(size), 0),
        0);
    EXPECT_NE(look(*tree, "b"), a);
}

TEST_F(TreeTest, AnotherModulesIdentityDoesNotCount) {
    touch("a");
    FileId mine = look(*open({1, 1}), "a");
    FileId other = look(*open({2, 2}), "a");
    EXPECT_NE(mine, other);
}

TEST_F(TreeTest, EveryKindOfInodeHasAnId) {
    ASSERT_EQ(mkfifo((path_ + "/fifo").c_str(), 0600), 0);
    ASSERT_EQ(mknod((path_ + "/device").c_str(), S_IFCHR | 0600, 0x103), 0);
    ASSERT_EQ(symlink("nowhere", (path_ + "/link").c_str()), 0);
    fs::create_directory(path_ + "/directory");
    auto tree = open();
    for (const char* name : {"fifo", "device", "link", "directory"}) {
        FileId id = look(*tree, name);
        EXPECT_EQ(look(*tree, name), id) << name;
        EXPECT_TRUE(tree->open_by_id(id, O_PATH)) << name;
    }
    // Opening a fifo for reading would block for ever.
    EXPECT_EQ(tree->open_by_id(look(*tree, "fifo"), O_RDONLY).error().code, EOPNOTSUPP);
    EXPECT_EQ(tree->open_by_id(look(*tree, "link"), O_RDONLY).error().code, EOPNOTSUPP);
}

TEST_F(TreeTest, TheOrphanDirectoryIsHidden) {
    auto tree = open();
    EXPECT_TRUE(fs::exists(path_ + "/.hamirror"));
    struct stat attributes {};
    EXPECT_EQ(tree->lookup(Tree::root_id(0), ".hamirror", &attributes).error().code, ENOENT);
    touch(".hamirror/no-orphan");
    EXPECT_TRUE(tree->orphans().value().empty());
}

TEST_F(TreeTest, OrphansAreFoundAgain) {
    touch("a");
    auto tree = open();
    FileId id = look(*tree, "a");
    fs::rename(path_ + "/a", path_ + "/.hamirror/" + Tree::orphan_name(id));
    tree = open();
    EXPECT_EQ(tree->orphans().value(), std::vector<FileId>{id});
    EXPECT_TRUE(tree->known(id));
}

TEST_F(TreeTest, AGoneInodeIsStale) {
    touch("a");
    auto tree = open();
    FileId id = look(*tree, "a");
    ASSERT_TRUE(tree->cached(id, O_RDWR));
    fs::remove(path_ + "/a");
    tree->drop(id);
    EXPECT_EQ(tree->cached(id, O_RDWR).error().code, ESTALE);
}

TEST_F(TreeTest, TransientIdsAreNeverStored) {
    touch("a");
    auto tree = open();
    struct stat attributes {};
    auto id = tree->lookup(Tree::root_id(0), "a", &attributes, Tree::Unknown::kTransient);
    ASSERT_TRUE(id);
    EXPECT_TRUE(Tree::transient(*id));
    EXPECT_EQ(*tree->lookup(Tree::root_id(0), "a", &attributes, Tree::Unknown::kTransient), *id);
    EXPECT_TRUE(tree->open_by_id(*id, O_RDONLY));
    EXPECT_EQ(lgetxattr((path_ + "/a").c_str(), kIdentityXattr, nullptr, 0), -1);
    tree->drop_transient();
    EXPECT_FALSE(tree->known(*id));
}

TEST_F(TreeTest, IndexAllFindsEverything) {
    fs::create_directories(path_ + "/d/e/f");
    for (int i = 0; i < 50; ++i) touch("d/e/f/" + std::to_string(i));
    auto tree = open();
    FileId d = look(*tree, "d");
    FileId e = look(*tree, "e", d);
    FileId f = look(*tree, "f", e);
    std::vector<FileId> ids;
    for (int i = 0; i < 50; ++i) ids.push_back(look(*tree, std::to_string(i), f));
    tree = open();
    for (FileId id : ids) EXPECT_FALSE(tree->known(id));
    ASSERT_TRUE(tree->index_all());
    for (FileId id : ids) EXPECT_TRUE(tree->known(id));
}

TEST_F(TreeTest, ManyFilesNeedFewDescriptors) {
    auto tree = open();
    rlimit before{};
    getrlimit(RLIMIT_NOFILE, &before);
    for (int i = 0; i < 300; ++i) touch(std::to_string(i));
    rlimit low{64, before.rlim_max};
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &low), 0);
    int opened = 0;
    for (int i = 0; i < 300; ++i)
        if (tree->cached(look(*tree, std::to_string(i)), O_RDWR)) ++opened;
    setrlimit(RLIMIT_NOFILE, &before);
    EXPECT_EQ(opened, 300);
}

TEST_F(TreeTest, HardLinksLookedUpAtOnceGetOneId) {
    auto tree = open();
    for (int round = 0; round < 50; ++round) {
        std::string name = "f" + std::to_string(round);
        touch(name);
        fs::create_hard_link(path_ + "/" + name, path_ + "/" + name + "b");
        FileId one, two;
        std::thread other([&] { one = look(*tree, name); });
        two = look(*tree, name + "b");
        other.join();
        EXPECT_EQ(one, two);
    }
}

// Its space would not be freed.
TEST_F(TreeTest, WhatIsDroppedWhileItIsOpenedIsNotKeptOpen) {
    touch("a");
    auto tree = open();
    const FileId id = look(*tree, "a");
    std::thread opening;
    {
        Lease lease(path_ + "/a");
        opening = std::thread([&] { EXPECT_TRUE(tree->cached(id, O_RDWR)); });
        lease.wait_until_somebody_waits();
        tree->drop(id);
    }
    opening.join();
    Lease nobody_has_it_open(path_ + "/a");
}

TEST_F(TreeTest, AMountPointInsideIsRefusedByName) {
    fs::create_directories(path_ + "/in side");
    ASSERT_EQ(mount("none", (path_ + "/in side").c_str(), "tmpfs", 0, nullptr), 0);
    auto tree = Tree::open({{path_, {}}}, mint());
    umount((path_ + "/in side").c_str());
    ASSERT_FALSE(tree);
    EXPECT_NE(tree.error().text.find("in side"), std::string::npos) << tree.error().text;
}

TEST_F(TreeTest, ExclusionsAreRefused) {
    auto tree = Tree::open({{path_, {"*.tmp"}}}, mint());
    ASSERT_FALSE(tree);
    EXPECT_NE(tree.error().text.find("exclusions are not supported yet"), std::string::npos);
}

}  // namespace
}  // namespace ha::replicatord
