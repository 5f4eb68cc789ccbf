#include <linux/fs.h>
#include <stdio.h>
#include <sys/xattr.h>

#include <set>
#include <thread>

#include "mount_fixture.h"
#include "replicatord/orphans.h"

namespace ha::replicatord {
namespace {

using namespace replication;

class Names : public MountTest {};

TEST_F(Names, EveryKindOfInodeIsMadeAndRecorded) {
    put("file", "content");
    ASSERT_EQ(::mkdir(at("directory").c_str(), 0750), 0);
    ASSERT_EQ(::symlink("some/target", at("link").c_str()), 0);
    ASSERT_EQ(::mkfifo(at("fifo").c_str(), 0600), 0);
    ASSERT_EQ(::mknod(at("device").c_str(), S_IFCHR | 0640, 0x105), 0);
    ASSERT_EQ(::mknod(at("socket").c_str(), S_IFSOCK | 0600, 0), 0);
    auto made = recorded<Create>();
    ASSERT_EQ(made.size(), 6U);
    const std::vector<std::uint32_t> modes{S_IFREG | 0644, S_IFDIR | 0750, S_IFLNK | 0777,
                                           S_IFIFO | 0600, S_IFCHR | 0640, S_IFSOCK | 0600};
    for (std::size_t i = 0; i < made.size(); ++i) {
        EXPECT_EQ(made[i].mode, modes[i]) << made[i].name;
        EXPECT_EQ(made[i].parent, Tree::root_id(0));
        EXPECT_EQ(made[i].id, id_at(made[i].name));
    }
    EXPECT_EQ(made[2].target, "some/target");
    EXPECT_EQ(made[4].device, 0x105U);
    char target[64];
    EXPECT_EQ(::readlink(at("link").c_str(), target, sizeof(target)), 11);
    EXPECT_EQ(status(at("device")).st_rdev, 0x105U);
    EXPECT_EQ(get(below("file")), "content");
}

TEST_F(Names, AnyByteMayBeInAName) {
    std::set<std::string> names;
    for (int byte = 1; byte < 256; ++byte) {
        std::string name = std::string("n") + static_cast<char>(byte);
        if (byte == '/') continue;
        put(name, name);
        names.insert(name);
    }
    put(std::string(255, 'x'), "long");
    names.insert(std::string(255, 'x'));
    EXPECT_EQ(::open(at(std::string(256, 'x')).c_str(), O_CREAT | O_RDWR, 0600), -1);
    EXPECT_EQ(errno, ENAMETOOLONG);
    std::set<std::string> seen;
    for (const auto& entry : std::filesystem::directory_iterator(path_))
        seen.insert(entry.path().filename());
    EXPECT_EQ(seen, names);
}

TEST_F(Names, HardLinksShareOneInode) {
    put("a", "1");
    ASSERT_EQ(::link(at("a").c_str(), at("b").c_str()), 0);
    EXPECT_EQ(status(at("a")).st_ino, status(at("b")).st_ino);
    EXPECT_EQ(status(at("a")).st_nlink, 2U);
    ASSERT_EQ(::unlink(at("a").c_str()), 0);
    EXPECT_EQ(status(at("b")).st_nlink, 1U);
    EXPECT_EQ(get(at("b")), "1");
    auto links = recorded<Link>();
    ASSERT_EQ(links.size(), 1U);
    EXPECT_EQ(links[0].id, id_at("b"));
}

TEST_F(Names, ASymbolicLinkMayHaveHardLinks) {
    ASSERT_EQ(::symlink("x", at("a").c_str()), 0);
    ASSERT_EQ(::linkat(AT_FDCWD, at("a").c_str(), AT_FDCWD, at("b").c_str(), 0), 0);
    EXPECT_EQ(status(at("b")).st_nlink, 2U);
}

TEST_F(Names, AnOpenFileOutlivesItsLastName) {
    io::Fd fd = make("a");
    ASSERT_EQ(::write(fd.get(), "abc", 3), 3);
    const FileId id = id_at("a");
    ASSERT_EQ(::unlink(at("a").c_str()), 0);
    auto unlinked = recorded<Unlink>();
    ASSERT_EQ(unlinked.size(), 1U);
    EXPECT_TRUE(unlinked[0].kept);
    struct stat now {};
    ASSERT_EQ(::fstat(fd.get(), &now), 0);
    EXPECT_EQ(now.st_nlink, 0U);
    EXPECT_EQ(::pwrite(fd.get(), "def", 3, 3), 3);
    char back[6];
    EXPECT_EQ(::pread(fd.get(), back, 6, 0), 6);
    ASSERT_EQ(::ftruncate(fd.get(), 2), 0);
    ASSERT_EQ(::fchmod(fd.get(), 0600), 0);
    EXPECT_EQ(::access(below(".hamirror/" + Tree::orphan_name(id)).c_str(), F_OK), 0);
    EXPECT_TRUE(recorded<Release>().empty());
    fd.reset();
    ASSERT_TRUE(journal().wait_for<Release>());  // the kernel does not wait for it
    ASSERT_TRUE(filesystem_->unmount(std::chrono::seconds(5)));
    EXPECT_NE(::access((path_ + "/.hamirror/" + Tree::orphan_name(id)).c_str(), F_OK), 0);
    auto released = recorded<Release>();
    ASSERT_EQ(released.size(), 1U);
    EXPECT_EQ(released[0].id, id);
}

TEST_F(Names, RenameOverAnOpenFileKeepsIt) {
    put("new", "new");
    io::Fd old = make("old");
    ASSERT_EQ(::write(old.get(), "old", 3), 3);
    const FileId old_id = id_at("old");
    const FileId new_id = id_at("new");
    ASSERT_EQ(::rename(at("new").c_str(), at("old").c_str()), 0);
    auto renamed = recorded<Rename>();
    ASSERT_EQ(renamed.size(), 1U);
    EXPECT_EQ(renamed[0].id, new_id);
    EXPECT_EQ(renamed[0].replaced, old_id);
    EXPECT_TRUE(renamed[0].kept);
    char back[4] = {};
    EXPECT_EQ(::pread(old.get(), back, 3, 0), 3);
    EXPECT_STREQ(back, "old");
    EXPECT_EQ(get(at("old")), "new");
    struct stat now {};
    ASSERT_EQ(::fstat(old.get(), &now), 0);
    EXPECT_EQ(now.st_nlink, 0U);
}

TEST_F(Names, RenameFlagsMeanWhatTheySay) {
    put("a", "a"), put("b", "b");
    EXPECT_EQ(::renameat2(AT_FDCWD, at("a").c_str(), AT_FDCWD, at("b").c_str(), RENAME_NOREPLACE),
              -1);
    EXPECT_EQ(errno, EEXIST);
    const FileId a = id_at("a");
    const FileId b = id_at("b");
    journal().take();
    ASSERT_EQ(::renameat2(AT_FDCWD, at("a").c_str(), AT_FDCWD, at("b").c_str(), RENAME_EXCHANGE),
              0);
    EXPECT_EQ(get(at("a")), "b");
    EXPECT_EQ(get(at("b")), "a");
    ASSERT_EQ(::renameat2(AT_FDCWD, at("a").c_str(), AT_FDCWD, at("c").c_str(), RENAME_WHITEOUT),
              0);
    auto renamed = recorded<Rename>();
    ASSERT_EQ(renamed.size(), 2U);
    EXPECT_EQ(renamed[0].id, a);
    EXPECT_EQ(renamed[0].replaced, b);
    EXPECT_EQ(renamed[0].flags, static_cast<unsigned>(RENAME_EXCHANGE));
    EXPECT_EQ(renamed[1].id, b);
    EXPECT_EQ(renamed[1].whiteout, FileId{status(at("a")).st_ino});
    EXPECT_TRUE(S_ISCHR(status(at("a")).st_mode));
}

TEST_F(Names, ARemovedDirectoryInUseCanStillBeAsked) {
    ASSERT_EQ(::mkdir(at("d").c_str(), 0700), 0);
    io::Fd fd(::open(at("d").c_str(), O_RDONLY | O_DIRECTORY));
    ASSERT_EQ(::rmdir(at("d").c_str()), 0);
    struct stat now {};
    ASSERT_EQ(::fstat(fd.get(), &now), 0) << std::strerror(errno);
    EXPECT_EQ(now.st_nlink, 0U);
    EXPECT_EQ(::openat(fd.get(), "x", O_CREAT | O_RDWR, 0600), -1);
    EXPECT_EQ(errno, ENOENT);
}

TEST_F(Names, ARemovedDirectoryInUseCanStillBeChanged) {
    ASSERT_EQ(::mkdir(at("d").c_str(), 0755), 0);
    io::Fd fd(::open(at("d").c_str(), O_RDONLY | O_DIRECTORY));
    ASSERT_EQ(::rmdir(at("d").c_str()), 0);
    journal().take();
    EXPECT_EQ(::fchmod(fd.get(), 0700), 0) << std::strerror(errno);
    EXPECT_EQ(::fchown(fd.get(), 12, 34), 0) << std::strerror(errno);
    const timespec times[2] = {{1000, 1}, {2000, 2}};
    EXPECT_EQ(::futimens(fd.get(), times), 0) << std::strerror(errno);
    struct stat now {};
    ASSERT_EQ(::fstat(fd.get(), &now), 0);
    EXPECT_EQ(now.st_mode, S_IFDIR | 0700U);
    EXPECT_EQ(now.st_uid, 12U);
    EXPECT_EQ(now.st_mtim.tv_sec, 2000);
    EXPECT_EQ(now.st_nlink, 0U);
    char value[10];
    EXPECT_EQ(::fgetxattr(fd.get(), "user.x", value, sizeof(value)), -1);
    EXPECT_EQ(errno, ENODATA);
    EXPECT_EQ(::flistxattr(fd.get(), value, sizeof(value)), 0);
    EXPECT_TRUE(journal().take().empty());
}

TEST_F(Names, ASyncOfARemovedDirectoryIsNotSent) {
    ASSERT_EQ(::mkdir(at("d").c_str(), 0755), 0);
    io::Fd fd(::open(at("d").c_str(), O_RDONLY | O_DIRECTORY));
    ASSERT_EQ(::rmdir(at("d").c_str()), 0);
    journal().take();
    EXPECT_EQ(::fsync(fd.get()), 0) << std::strerror(errno);
    EXPECT_TRUE(journal().take().empty());
}

TEST_F(Names, TemporaryFilesGetANameByLink) {
    ASSERT_EQ(::mkdir(at("d").c_str(), 0755), 0);
    io::Fd fd(::open(at("d").c_str(), O_TMPFILE | O_RDWR, 0640));
    ASSERT_TRUE(fd) << std::strerror(errno);
    ASSERT_EQ(::write(fd.get(), "tmp", 3), 3);
    struct stat now {};
    ASSERT_EQ(::fstat(fd.get(), &now), 0);
    EXPECT_EQ(now.st_nlink, 0U);
    const std::string self = "/proc/self/fd/" + std::to_string(fd.get());
    ASSERT_EQ(::linkat(AT_FDCWD, self.c_str(), AT_FDCWD, at("d/named").c_str(), AT_SYMLINK_FOLLOW),
              0)
        << std::strerror(errno);
    EXPECT_EQ(get(at("d/named")), "tmp");
    EXPECT_EQ(status(at("d/named")).st_nlink, 1U);
    const auto operations = journal().take();
    const auto& made = std::get<Create>(operations.at(1).body);
    EXPECT_TRUE(made.name.empty());
    EXPECT_EQ(made.parent, id_at("d"));
    EXPECT_EQ(std::get<Link>(operations.at(3).body).id, made.id);
    io::Fd exclusive(::open(at("d").c_str(), O_TMPFILE | O_EXCL | O_RDWR, 0640));
    const std::string other = "/proc/self/fd/" + std::to_string(exclusive.get());
    EXPECT_EQ(::linkat(AT_FDCWD, other.c_str(), AT_FDCWD, at("no").c_str(), AT_SYMLINK_FOLLOW), -1);
}

TEST_F(Names, ASweepRemovesWhatNobodyHasOpen) {
    put("kept", "k");
    put("left", "l");
    const FileId kept = id_at("kept");
    const FileId left = id_at("left");
    io::Fd open(::open(at("kept").c_str(), O_RDWR));
    ASSERT_TRUE(open);
    ASSERT_EQ(::unlink(at("kept").c_str()), 0);
    // As a crash leaves it: in the orphan directory, and nobody has it open.
    ASSERT_EQ(
        ::rename(below("left").c_str(), below(".hamirror/" + Tree::orphan_name(left)).c_str()), 0);
    journal().take();
    auto swept = filesystem_->sweep_orphans();
    ASSERT_TRUE(swept) << swept.error().text;
    auto released = recorded<Release>();
    ASSERT_EQ(released.size(), 1U);
    EXPECT_EQ(released[0].id, left);
    EXPECT_EQ(::access(below(".hamirror/" + Tree::orphan_name(kept)).c_str(), F_OK), 0);
    open.reset();
    ASSERT_TRUE(journal().wait_for<Release>());
    ASSERT_TRUE(filesystem_->unmount(std::chrono::seconds(5)));
    released = recorded<Release>();
    ASSERT_EQ(released.size(), 1U);
    EXPECT_EQ(released[0].id, kept);
}

// On a copy that is half rebuilt such a file may be the only one there is.
TEST_F(Names, ASweepLeavesWhatAResyncHadMovedAside) {
    put("moved", "precious");
    ASSERT_EQ(::mkdir(at("d").c_str(), 0755), 0);
    const FileId file = id_at("moved");
    const FileId directory = id_at("d");
    Tree& tree = filesystem_->tree();
    Orphans orphans(tree);
    ASSERT_TRUE(orphans.begin_pass());
    ASSERT_TRUE(orphans.displace(Tree::root_id(0), "moved", file));
    ASSERT_TRUE(orphans.displace(Tree::root_id(0), "d", directory));
    // No end: the source is lost, and this node serves by force.
    auto aside = set_displaced_aside(tree);
    ASSERT_TRUE(aside) << aside.error().text;
    EXPECT_EQ(*aside, 2U);
    ASSERT_TRUE(filesystem_->sweep_orphans());
    const std::string kept = std::string(".hamirror/") + kSetAside;
    EXPECT_EQ(get(below(kept + Tree::orphan_name(file))), "precious");
    EXPECT_TRUE(S_ISDIR(status(below(kept + Tree::orphan_name(directory))).st_mode));
    EXPECT_EQ(set_displaced_aside(tree).value(), 0U);
    // The next pass frees it.
    ASSERT_TRUE(orphans.begin_pass());
    ASSERT_TRUE(orphans.end_pass());
    EXPECT_TRUE(std::filesystem::is_empty(below(".hamirror")));
    EXPECT_EQ(set_displaced_aside(tree).value(), 0U);
}

TEST_F(Names, TheOrphanDirectoryIsNobodysBusiness) {
    EXPECT_EQ(::access(at(".hamirror").c_str(), F_OK), -1);
    EXPECT_EQ(errno, ENOENT);
    EXPECT_EQ(::mkdir(at(".hamirror").c_str(), 0700), -1);
    EXPECT_EQ(errno, EPERM);
    EXPECT_EQ(::open(at(".hamirror").c_str(), O_CREAT | O_RDWR, 0600), -1);
    put("a", "a");
    EXPECT_EQ(::rename(at("a").c_str(), at(".hamirror").c_str()), -1);
    EXPECT_EQ(errno, EPERM);
    for (const auto& entry : std::filesystem::directory_iterator(path_))
        EXPECT_NE(entry.path().filename(), ".hamirror");
    EXPECT_EQ(status(path_).st_nlink, 2U);
}

TEST_F(Names, OutcomesAreRecordedWithTheirTimes) {
    put("a", "a");
    auto operations = journal().take();
    const auto& stamps = operations.at(0).stamps;
    ASSERT_EQ(stamps.size(), 2U);
    const struct stat parent = status(path_);
    EXPECT_EQ(stamps[1].id, Tree::root_id(0));
    EXPECT_EQ(stamps[1].mtime.seconds, parent.st_mtim.tv_sec);
    EXPECT_EQ(stamps[1].mtime.nanoseconds, parent.st_mtim.tv_nsec);
    const struct stat file = status(at("a"));
    EXPECT_EQ(operations.at(1).stamps.at(0).mtime.nanoseconds, file.st_mtim.tv_nsec);
}

TEST_F(Names, ALargeDirectoryIsReadWholeWhileItChanges) {
    constexpr int kCount = 10000;
    for (int i = 0; i < kCount; ++i) make("f" + std::to_string(i));
    std::atomic<bool> stop = false;
    std::thread changing([&] {
        for (int i = 0; !stop; i = (i + 1) % 100) {
            make("t" + std::to_string(i));
            ::unlink(at("t" + std::to_string(i)).c_str());
        }
    });
    for (int round = 0; round < 3; ++round) {
        std::multiset<std::string> seen;
        for (const auto& entry : std::filesystem::directory_iterator(path_))
            if (entry.path().filename().string()[0] == 'f') seen.insert(entry.path().filename());
        EXPECT_EQ(seen.size(), static_cast<std::size_t>(kCount));
        EXPECT_EQ(std::set<std::string>(seen.begin(), seen.end()).size(), seen.size());
    }
    stop = true;
    changing.join();
}

TEST_F(Names, InodeNumbersSurviveARemount) {
    put("a", "a");
    ASSERT_EQ(::mkdir(at("d").c_str(), 0755), 0);
    const FileId a = id_at("a");
    const FileId d = id_at("d");
    ASSERT_TRUE(filesystem_->unmount(std::chrono::seconds(5)));
    remount();
    EXPECT_EQ(id_at("a"), a);
    EXPECT_EQ(id_at("d"), d);
    EXPECT_EQ(status(path_).st_ino, 1U);
    for (const auto& entry : std::filesystem::directory_iterator(path_))
        EXPECT_EQ(status(entry.path()).st_ino, entry.path().filename() == "a" ? a.value : d.value);
}

}  // namespace
}  // namespace ha::replicatord
