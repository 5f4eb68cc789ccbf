#include <sys/mount.h>

#include "mount_fixture.h"

// What a system call that fails leaves behind is on the peer, too.

namespace ha::replicatord {
namespace {

using replication::SetAttributes;

class FullDisk : public MountTest {
  protected:
    void SetUp() override {
        TemporaryTree::SetUp();
        if (IsSkipped()) return;
        ASSERT_EQ(::mount("full", path_.c_str(), "tmpfs", 0, "size=1m,mode=0755"), 0);
        ::alarm(120);
        remount();
    }
    void TearDown() override {
        const std::string path = path_;
        path_.clear();  // removed here, once nothing is mounted on it
        MountTest::TearDown();
        if (path.empty()) return;
        EXPECT_EQ(::umount2(path.c_str(), MNT_DETACH), 0);
        std::filesystem::remove_all(path);
    }
};

TEST_F(FullDisk, AFailedWriteChangesTheTimeOnBothNodes) {
    io::Fd fd = make("a");
    const std::string block(64 << 10, 'x');
    while (::write(fd.get(), block.data(), block.size()) > 0) {
    }
    ASSERT_EQ(errno, ENOSPC);
    journal().take();
    const timespec old[2] = {{1000, 0}, {1000, 0}};
    ASSERT_EQ(::futimens(fd.get(), old), 0);
    ASSERT_EQ(::pwrite(fd.get(), "x", 1, 8 << 20), -1);
    ASSERT_EQ(errno, ENOSPC);
    const struct stat now = status(below("a"));
    ASSERT_GT(now.st_mtim.tv_sec, 1000);  // or there is nothing to be seen here

    auto operations = journal().take();
    ASSERT_EQ(operations.size(), 2U);
    const auto& last = operations[1];
    ASSERT_TRUE(std::holds_alternative<SetAttributes>(last.body));
    EXPECT_EQ(std::get<SetAttributes>(last.body).mask, 0U);  // the size is as it was
    ASSERT_EQ(last.stamps.size(), 1U);
    EXPECT_EQ(last.stamps[0].mtime.seconds, now.st_mtim.tv_sec);
    EXPECT_EQ(last.stamps[0].mtime.nanoseconds, now.st_mtim.tv_nsec);
}

TEST_F(FullDisk, AFailedAllocationIsRecordedAsFarAsItGot) {
    io::Fd fd = make("a");
    ASSERT_EQ(::write(fd.get(), "12345", 5), 5);
    journal().take();
    ASSERT_EQ(::fallocate(fd.get(), 0, 0, 8 << 20), -1);
    ASSERT_EQ(errno, ENOSPC);
    auto set = recorded<SetAttributes>();
    ASSERT_EQ(set.size(), 1U);
    const auto size = static_cast<std::uint64_t>(status(below("a")).st_size);
    EXPECT_EQ(set[0].mask, size == 5 ? 0U : static_cast<unsigned>(SetAttributes::kSize));
    EXPECT_EQ(set[0].size, size);
}

}  // namespace
}  // namespace ha::replicatord
