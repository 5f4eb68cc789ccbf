#include "replicatord/copy_target.h"

#include <fcntl.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <sys/ioctl.h>

#include <array>

#include "replicatord/block_hash.h"
#include "replicatord/inode_calls.h"
#include "temporary_tree.h"

namespace ha::replicatord {
namespace {

using namespace replication;

constexpr std::size_t kSize = kHashBlock;

/// Where the file's first byte is on its file system's device; 0: nowhere.
std::uint64_t physical_of(int fd) {
    alignas(fiemap) std::array<char, sizeof(fiemap) + sizeof(fiemap_extent)> raw{};
    auto* map = reinterpret_cast<fiemap*>(raw.data());
    map->fm_length = kSize;
    map->fm_flags = FIEMAP_FLAG_SYNC;
    map->fm_extent_count = 1;
    if (::ioctl(fd, FS_IOC_FIEMAP, map) != 0 || map->fm_mapped_extents != 1) return 0;
    const auto* extent = reinterpret_cast<const fiemap_extent*>(raw.data() + sizeof(fiemap));
    return extent->fe_length >= kSize ? extent->fe_physical : 0;
}

class CopyTargetTest : public TemporaryTree {
  protected:
    /// A file system in a file, whose blocks can be changed behind the kernel's page cache.
    bool make_file_system() {
        const std::string make = "truncate -s 16M " + path_ + "/image && mkfs.ext4 -q " + path_ +
                                 "/image && mkdir " + path_ + "/on && mount -o loop " + path_ +
                                 "/image " + path_ + "/on";
        mounted_ = std::system(make.c_str()) == 0;
        return mounted_;
    }
    void TearDown() override {
        tree_.reset();
        if (mounted_) std::system(("umount " + path_ + "/on").c_str());
        TemporaryTree::TearDown();
    }

    std::unique_ptr<Tree> tree_;
    bool mounted_ = false;
};

// After an error of writing back the kernel calls the page clean and keeps it: what it answers to a
// read is not on the disk, and a copy that is compared by that is in sync only until the power
// goes.
TEST_F(CopyTargetTest, WhatIsComparedIsWhatTheDiskHolds) {
    if (IsSkipped()) return;
    if (!make_file_system()) GTEST_SKIP() << "NEEDS mkfs.ext4 and loop devices";
    auto opened = Tree::open({{path_ + "/on", {}}}, mint(), {1, 1});
    ASSERT_TRUE(opened) << opened.error().text;
    tree_ = std::move(*opened);
    const std::vector<std::byte> cached(kSize, std::byte{'c'});
    const std::vector<std::byte> lost(kSize, std::byte{'d'});
    const io::Fd file(::open((path_ + "/on/f").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    ASSERT_TRUE(write_all(file.get(), cached, 0));
    ASSERT_EQ(::fsync(file.get()), 0);
    const std::uint64_t at = physical_of(file.get());
    ASSERT_NE(at, 0U);
    const io::Fd image(::open((path_ + "/image").c_str(), O_RDWR | O_CLOEXEC));
    ASSERT_TRUE(write_all(image.get(), lost, at));
    ASSERT_TRUE(read_block(file.get(), 0, kSize)->content == cached);

    struct stat attributes {};
    const auto id = tree_->lookup(Tree::root_id(0), "f", &attributes);
    ASSERT_TRUE(id);
    Orphans orphans(*tree_);
    Apply apply(*tree_, orphans);
    CopyTarget target(*tree_, orphans, apply);
    HashAnswer answer;
    ASSERT_TRUE(target.apply({CopyHashes{*id, 0, 1}, {}}, [&](HashAnswer it) { answer = it; }));

    ASSERT_EQ(answer.blocks.size(), 1U);
    const auto now = read_block(file.get(), 0, kSize);
    EXPECT_TRUE(now->content == lost);
    EXPECT_EQ(answer.blocks.front(), now->hash);
}

}  // namespace
}  // namespace ha::replicatord
