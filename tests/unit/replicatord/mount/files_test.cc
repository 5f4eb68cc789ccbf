#include <linux/falloc.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/xattr.h>

#include <thread>

#include "mount_fixture.h"

namespace ha::replicatord {
namespace {

using namespace replication;

class Files : public MountTest {};

TEST_F(Files, WritesAreRecordedAsTheyCame) {
    io::Fd fd = make("a");
    ASSERT_EQ(::pwrite(fd.get(), "hello", 5, 3), 5);
    auto writes = recorded<Write>();
    ASSERT_EQ(writes.size(), 1U);
    EXPECT_EQ(writes[0].offset, 3U);
    EXPECT_EQ(writes[0].data.size(), 5U);
    EXPECT_FALSE(writes[0].durable);
    EXPECT_EQ(get(below("a")), std::string("\0\0\0hello", 8));
}

TEST_F(Files, AppendersDoNotOverwriteEachOther) {
    constexpr int kEach = 200;
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t)
        threads.emplace_back([&, t] {
            io::Fd fd(::open(at("log").c_str(), O_WRONLY | O_APPEND | O_CREAT, 0644));
            const std::string line = std::to_string(t) + std::string(98, '.') + "\n";
            for (int i = 0; i < kEach; ++i) EXPECT_EQ(::write(fd.get(), line.data(), 100), 100);
        });
    for (auto& thread : threads) thread.join();
    EXPECT_EQ(status(at("log")).st_size, 4 * kEach * 100);
    io::Fd lower(::open(below("log").c_str(), O_RDONLY));
    std::string all(4 * kEach * 100, '\0');
    ASSERT_EQ(::read(lower.get(), all.data(), all.size()), static_cast<ssize_t>(all.size()));
    for (std::size_t i = 0; i < all.size(); i += 100) EXPECT_EQ(all[i + 99], '\n') << i;
}

TEST_F(Files, MappedStoresArriveAtMsync) {
    io::Fd fd = make("a");
    ASSERT_EQ(::ftruncate(fd.get(), 8192), 0);
    void* map = ::mmap(nullptr, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
    ASSERT_NE(map, MAP_FAILED);
    std::memcpy(static_cast<char*>(map) + 4096, "mapped", 6);
    journal().take();
    ASSERT_EQ(::msync(map, 8192, MS_SYNC), 0);
    auto operations = journal().take();
    ASSERT_GE(operations.size(), 2U);
    EXPECT_TRUE(std::holds_alternative<Write>(operations.front().body));
    EXPECT_TRUE(std::holds_alternative<Fsync>(operations.back().body));
    ::munmap(map, 8192);
    EXPECT_EQ(get(below("a")).substr(4096, 6), "mapped");
}

TEST_F(Files, DirectWritesOfAnyAlignmentWork) {
    io::Fd fd = make("a", O_RDWR | O_DIRECT);
    alignas(4096) static char buffer[8192];
    std::memset(buffer, 'd', sizeof(buffer));
    ASSERT_EQ(::pwrite(fd.get(), buffer, 4096, 4096), 4096);
    ASSERT_EQ(::pwrite(fd.get(), buffer + 7, 100, 13), 100);
    ASSERT_EQ(::pread(fd.get(), buffer, 8192, 0), 8192);
    EXPECT_EQ(buffer[12], '\0');
    EXPECT_EQ(buffer[13], 'd');
    EXPECT_EQ(buffer[8191], 'd');
}

TEST_F(Files, HolesStayHoles) {
    io::Fd fd = make("a");
    ASSERT_EQ(::pwrite(fd.get(), "x", 1, 64 << 20), 1);
    EXPECT_LT(status(at("a")).st_blocks, 100);
    EXPECT_EQ(::lseek(fd.get(), 0, SEEK_DATA), 64 << 20);
    EXPECT_EQ(::lseek(fd.get(), 0, SEEK_HOLE), 0);
    ASSERT_EQ(::fallocate(fd.get(), 0, 0, 1 << 20), 0);
    ASSERT_EQ(::fallocate(fd.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 64 << 20, 4096), 0);
    ASSERT_EQ(::fallocate(fd.get(), FALLOC_FL_ZERO_RANGE, 0, 8192), 0);
    auto allocated = recorded<Allocate>();
    ASSERT_EQ(allocated.size(), 3U);
    EXPECT_EQ(allocated[1].mode, static_cast<unsigned>(FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE));
    char byte = 1;
    EXPECT_EQ(::pread(fd.get(), &byte, 1, 64 << 20), 1);
    EXPECT_EQ(byte, 0);
}

TEST_F(Files, TruncationAndTimesAreRecordedAsTheyCameOut) {
    put("a", "0123456789");
    ASSERT_EQ(::truncate(at("a").c_str(), 4), 0);
    const timespec times[2] = {{1000, 111}, {2000, 222}};
    ASSERT_EQ(::utimensat(AT_FDCWD, at("a").c_str(), times, 0), 0);
    ASSERT_EQ(::utimensat(AT_FDCWD, at("a").c_str(), nullptr, 0), 0);
    io::Fd truncated(::open(at("a").c_str(), O_WRONLY | O_TRUNC));
    auto set = recorded<SetAttributes>();
    ASSERT_EQ(set.size(), 4U);
    EXPECT_EQ(set[0].size, 4U);
    EXPECT_EQ(set[1].atime, (FileTime{1000, 111}));
    EXPECT_EQ(set[1].mtime, (FileTime{2000, 222}));
    EXPECT_EQ(set[1].mask, static_cast<unsigned>(SetAttributes::kAtime | SetAttributes::kMtime));
    EXPECT_GT(set[2].mtime.seconds, 1000000);
    EXPECT_EQ(set[3].size, 0U);
    EXPECT_TRUE((set[3].mask & SetAttributes::kSize) != 0);
}

TEST_F(Files, OwnerAndModeAreRecordedAsTheyCameOut) {
    put("a", "", 0644);
    ASSERT_EQ(::chmod(at("a").c_str(), 06755), 0);
    ASSERT_EQ(::chown(at("a").c_str(), 1234, 5678), 0);
    auto set = recorded<SetAttributes>();
    ASSERT_EQ(set.size(), 2U);
    EXPECT_EQ(set[0].mode, 06755U);
    EXPECT_EQ(set[1].uid, 1234U);
    EXPECT_EQ(set[1].gid, 5678U);
    // chown(2) takes set-uid and set-gid away, even from root.
    EXPECT_EQ(set[1].mode, 0755U);
    EXPECT_EQ(status(at("a")).st_mode & 07777U, 0755U);
    ASSERT_EQ(::symlink("x", at("l").c_str()), 0);
    ASSERT_EQ(::lchown(at("l").c_str(), 7, 8), 0);
    EXPECT_EQ(status(at("l")).st_uid, 7U);
}

TEST_F(Files, AWriteByAnOrdinaryUserClearsSetId) {
    for (const char* name : {"write", "truncate", "allocate"}) {
        put(name, "#!/bin/sh", 0777);
        ASSERT_EQ(::chmod(at(name).c_str(), 06777), 0);
        status(at(name));  // the kernel caches the mode
    }
    journal().take();
    EXPECT_EQ(as_user(65534,
                      [&] {
                          io::Fd fd(::open(at("write").c_str(), O_WRONLY));
                          return ::write(fd.get(), "x", 1) == 1 ? 0 : 1;
                      }),
              0);
    EXPECT_EQ(as_user(65534, [&] { return ::truncate(at("truncate").c_str(), 1) == 0 ? 0 : 1; }),
              0);
    EXPECT_EQ(as_user(65534,
                      [&] {
                          io::Fd fd(::open(at("allocate").c_str(), O_WRONLY));
                          return ::fallocate(fd.get(), 0, 0, 100) == 0 ? 0 : 1;
                      }),
              0);
    for (const char* name : {"write", "truncate", "allocate"}) {
        EXPECT_EQ(status(below(name)).st_mode & 07777U, 0777U) << name;
        EXPECT_EQ(status(at(name)).st_mode & 07777U, 0777U) << name;
    }
    auto set = recorded<SetAttributes>();
    ASSERT_EQ(set.size(), 3U);
    for (const auto& one : set) {
        EXPECT_TRUE((one.mask & SetAttributes::kMode) != 0);
        EXPECT_EQ(one.mode, 0777U);
    }
}

TEST_F(Files, RootsWriteKeepsSetId) {
    put("a", "x", 0755);
    ASSERT_EQ(::chmod(at("a").c_str(), 04755), 0);
    io::Fd fd(::open(at("a").c_str(), O_WRONLY));
    ASSERT_EQ(::write(fd.get(), "y", 1), 1);
    EXPECT_EQ(status(at("a")).st_mode & 07777U, 04755U);
}

TEST_F(Files, SyncsReachTheJournalOnce) {
    io::Fd fd = make("a");
    ASSERT_EQ(::write(fd.get(), "x", 1), 1);
    ASSERT_EQ(::fsync(fd.get()), 0);
    ASSERT_EQ(::fsync(fd.get()), 0);
    ASSERT_EQ(::fdatasync(fd.get()), 0);
    EXPECT_EQ(recorded<Fsync>().size(), 1U);
    ASSERT_EQ(::write(fd.get(), "x", 1), 1);
    ASSERT_EQ(::fdatasync(fd.get()), 0);
    ASSERT_EQ(::fsync(fd.get()), 0);
    auto synced = recorded<Fsync>();
    ASSERT_EQ(synced.size(), 2U);
    EXPECT_TRUE(synced[0].data_only);
    EXPECT_FALSE(synced[1].data_only);
    io::Fd directory(::open(path_.c_str(), O_RDONLY | O_DIRECTORY));
    ASSERT_EQ(::fsync(directory.get()), 0);
    ASSERT_EQ(::fsync(directory.get()), 0);
    synced = recorded<Fsync>();
    ASSERT_EQ(synced.size(), 1U);
    EXPECT_EQ(synced[0].id, Tree::root_id(0));
}

TEST_F(Files, SynchronousWritesAreDurable) {
    io::Fd fd = make("a", O_RDWR | O_DSYNC);
    ASSERT_EQ(::write(fd.get(), "x", 1), 1);
    auto operations = journal().take();
    ASSERT_EQ(operations.size(), 2U);  // the kernel's fdatasync after it finds nothing new
    EXPECT_TRUE(std::get<Write>(operations[1].body).durable);
}

TEST_F(Files, ThePeersFailureReachesTheApplication) {
    io::Fd fd = make("a");
    journal().fail_with(EIO);
    EXPECT_EQ(::write(fd.get(), "x", 1), -1);
    EXPECT_EQ(errno, EIO);
    EXPECT_EQ(::fsync(fd.get()), -1);
    journal().fail_with(0);
    EXPECT_EQ(::fsync(fd.get()), 0);
}

TEST_F(Files, NoMoreExtendedAttributesThanAResyncCarries) {
    put("a", "");
    const auto set = [&](int number) {
        const std::string name = "user." + std::to_string(number);
        return ::setxattr(at("a").c_str(), name.c_str(), "v", 1, 0);
    };
    for (int i = 0; i < 64; ++i) ASSERT_EQ(set(i), 0) << i << std::strerror(errno);
    EXPECT_EQ(set(64), -1);
    EXPECT_EQ(errno, ENOSPC);
    EXPECT_EQ(set(63), 0);  // it is there already
    ASSERT_EQ(::removexattr(at("a").c_str(), "user.0"), 0);
    EXPECT_EQ(set(64), 0);
}

TEST_F(Files, OnlyAdministratorsListTrustedAttributes) {
    put("a", "");
    ASSERT_EQ(::setxattr(at("a").c_str(), "user.x", "v", 1, 0), 0);
    ASSERT_EQ(::setxattr(at("a").c_str(), "trusted.x", "v", 1, 0), 0);
    const auto size = [&] {
        char names[100];
        return static_cast<int>(::listxattr(at("a").c_str(), names, sizeof(names)));
    };
    EXPECT_EQ(size(), 17);
    EXPECT_EQ(as_user(1234, size), 7);
}

TEST_F(Files, ASecondaryRefusesAndCachesNothing) {
    put("a", "old");
    journal().refuse(EROFS);
    filesystem_->set_role(Role::kFollowing);
    EXPECT_TRUE(filesystem_->invalidate_all(10s));
    EXPECT_EQ(::open(at("b").c_str(), O_CREAT | O_RDWR, 0600), -1);
    EXPECT_EQ(errno, EROFS);
    EXPECT_EQ(::unlink(at("a").c_str()), -1);
    EXPECT_EQ(errno, EROFS);
    EXPECT_EQ(get(at("a")), "old");
    {
        io::Fd lower(::open(below("a").c_str(), O_WRONLY | O_TRUNC));
        ASSERT_EQ(::write(lower.get(), "changed", 7), 7);
        io::Fd fresh(::open(below("fresh").c_str(), O_CREAT | O_WRONLY, 0644));
    }
    EXPECT_EQ(get(at("a")), "changed");
    EXPECT_EQ(status(at("a")).st_size, 7);
    const std::uint64_t transient = status(at("fresh")).st_ino;
    EXPECT_TRUE(Tree::transient(FileId{transient}));
    journal().refuse(0);
    filesystem_->set_role(Role::kServing);
    EXPECT_TRUE(filesystem_->invalidate_all(10s));
    EXPECT_FALSE(Tree::transient(id_at("fresh")));
    ASSERT_EQ(::unlink(at("fresh").c_str()), 0);
}

class OtherRole : public MountTest {
  protected:
    /// This node is the secondary for a while; the primary makes "a" longer.
    void while_another_writes(const std::string& more) {
        take(Role::kFollowing);
        {
            io::Fd lower(::open(below("a").c_str(), O_WRONLY | O_APPEND));
            const auto size = static_cast<ssize_t>(more.size());
            ASSERT_EQ(::write(lower.get(), more.data(), more.size()), size);
        }
        take(Role::kServing);
    }
    void take(Role role) {
        journal().refuse(role == Role::kServing ? 0 : EROFS);
        filesystem_->set_role(role);
        ASSERT_TRUE(filesystem_->invalidate_all(10s));
    }
};

TEST_F(OtherRole, AnAppenderFromBeforeOverwritesNothing) {
    put("a", "one ");
    io::Fd before(::open(at("a").c_str(), O_RDWR | O_APPEND));
    while_another_writes("two ");
    EXPECT_EQ(::write(before.get(), "three", 5), -1);
    EXPECT_EQ(errno, EIO);
    EXPECT_EQ(get(below("a")), "one two ");
    io::Fd now(::open(at("a").c_str(), O_WRONLY | O_APPEND));
    EXPECT_EQ(::write(now.get(), "three", 5), 5);
    EXPECT_EQ(get(below("a")), "one two three");
}

TEST_F(OtherRole, AStoreToAMappingOfNowIsWrittenOut) {
    put("a", "one");
    io::Fd before(::open(at("a").c_str(), O_RDWR));
    while_another_writes("two");
    io::Fd now(::open(at("a").c_str(), O_RDWR));
    void* map = ::mmap(nullptr, 6, PROT_READ | PROT_WRITE, MAP_SHARED, now.get(), 0);
    ASSERT_NE(map, MAP_FAILED);
    std::memcpy(map, "ONE", 3);
    EXPECT_EQ(::msync(map, 6, MS_SYNC), 0);
    ::munmap(map, 6);
    EXPECT_EQ(get(below("a")), "ONEtwo");
}

TEST_F(OtherRole, ASecondaryOpensForReadingOnly) {
    put("a", "old");
    take(Role::kFollowing);
    for (int flags : {O_WRONLY, O_RDWR, O_WRONLY | O_APPEND, O_WRONLY | O_TRUNC}) {
        EXPECT_EQ(::open(at("a").c_str(), flags), -1);
        EXPECT_EQ(errno, EROFS);
    }
    EXPECT_EQ(get(at("a")), "old");
    take(Role::kServing);
}

TEST_F(OtherRole, NothingOldIsReadThroughAFileThatWasOpenBefore) {
    put("a", "old");
    io::Fd before(::open(at("a").c_str(), O_RDONLY));
    take(Role::kFollowing);
    char byte = 0;
    EXPECT_EQ(::pread(before.get(), &byte, 1, 0), -1);
    EXPECT_EQ(errno, EIO);
    io::Fd reader(::open(at("a").c_str(), O_RDONLY));
    EXPECT_EQ(::pread(reader.get(), &byte, 1, 0), 1);
    take(Role::kServing);
    EXPECT_EQ(::pread(reader.get(), &byte, 1, 0), 1);  // never cached, so never old
    EXPECT_EQ(::pread(before.get(), &byte, 1, 0), 1);  // again told of all that changes
}

TEST_F(Files, HeldWritersDoNotKeepReadersOut) {
    put("a", "readable");
    journal().hold(true);
    std::vector<std::thread> writers;
    for (int i = 0; i < 20; ++i)
        writers.emplace_back([&, i] {
            io::Fd fd(::open(at("w" + std::to_string(i)).c_str(), O_CREAT | O_RDWR, 0600));
            EXPECT_TRUE(fd);
        });
    std::filesystem::path self = at("a");
    EXPECT_EQ(get(self), "readable");
    EXPECT_EQ(status(path_).st_ino, 1U);
    journal().hold(false);
    for (auto& writer : writers) writer.join();
    EXPECT_EQ(journal().inside(), 0);
}

TEST_F(Files, ExtendedAttributesGoThrough) {
    put("a", "");
    const std::string path = at("a");
    ASSERT_EQ(::setxattr(path.c_str(), "user.x", "value", 5, XATTR_CREATE), 0);
    EXPECT_EQ(::setxattr(path.c_str(), "user.x", "value", 5, XATTR_CREATE), -1);
    EXPECT_EQ(errno, EEXIST);
    EXPECT_EQ(::getxattr(path.c_str(), "user.x", nullptr, 0), 5);
    char value[16];
    EXPECT_EQ(::getxattr(path.c_str(), "user.x", value, 2), -1);
    EXPECT_EQ(errno, ERANGE);
    EXPECT_EQ(::getxattr(path.c_str(), "user.x", value, sizeof(value)), 5);
    EXPECT_EQ(::getxattr(path.c_str(), "trusted.hamirror.id", value, sizeof(value)), -1);
    EXPECT_EQ(errno, ENODATA);
    EXPECT_EQ(::setxattr(path.c_str(), "trusted.hamirror.id", "x", 1, 0), -1);
    EXPECT_EQ(errno, EPERM);
    char list[256];
    const ssize_t size = ::listxattr(path.c_str(), list, sizeof(list));
    EXPECT_EQ(std::string(list, static_cast<std::size_t>(size)), std::string("user.x\0", 7));
    EXPECT_EQ(::listxattr(path.c_str(), nullptr, 0), 7);
    ASSERT_EQ(::setxattr(path.c_str(), "trusted.t", "t", 1, 0), 0);
    ASSERT_EQ(::removexattr(path.c_str(), "user.x"), 0);
    const auto operations = journal().take();
    EXPECT_EQ(std::get<SetXattr>(operations.at(1).body).xattr.name, "user.x");
    EXPECT_EQ(std::get<RemoveXattr>(operations.back().body).name, "user.x");
}

// The value of system.posix_acl_*: version 2, then (tag, permissions, id) each.
std::string acl(std::initializer_list<std::array<std::uint32_t, 3>> entries) {
    std::string out("\2\0\0\0", 4);
    for (const auto& entry : entries) {
        const auto tag = static_cast<std::uint16_t>(entry[0]);
        const auto permissions = static_cast<std::uint16_t>(entry[1]);
        out.append(reinterpret_cast<const char*>(&tag), 2);
        out.append(reinterpret_cast<const char*>(&permissions), 2);
        out.append(reinterpret_cast<const char*>(&entry[2]), 4);
    }
    return out;
}
constexpr std::uint32_t kNobody = 0xffffffff;

TEST_F(Files, AccessListsAreKeptAndObeyed) {
    put("a", "secret", 0600);
    const std::string value =
        acl({{1, 6, kNobody}, {2, 4, 4321}, {4, 0, kNobody}, {16, 4, kNobody}, {32, 0, kNobody}});
    ASSERT_EQ(::setxattr(at("a").c_str(), "system.posix_acl_access", value.data(), value.size(), 0),
              0)
        << std::strerror(errno);
    EXPECT_EQ(as_user(4321, [&] { return get(at("a")) == "secret" ? 0 : 1; }), 0);
    EXPECT_EQ(as_user(4322, [&] { return get(at("a")) == "secret" ? 0 : 1; }), 1);
    EXPECT_EQ(status(at("a")).st_mode & 0777U, 0640U);
}

TEST_F(Files, NewFilesInheritDefaultAccessLists) {
    ASSERT_EQ(::mkdir(at("d").c_str(), 0755), 0);
    const std::string value =
        acl({{1, 7, kNobody}, {2, 6, 4321}, {4, 5, kNobody}, {16, 7, kNobody}, {32, 0, kNobody}});
    ASSERT_EQ(
        ::setxattr(at("d").c_str(), "system.posix_acl_default", value.data(), value.size(), 0), 0);
    journal().take();
    const mode_t old = ::umask(077);  // a default ACL overrules it
    put("d/a", "", 0666);
    put("plain", "", 0666);
    ::umask(old);
    auto made = recorded<Create>();
    ASSERT_EQ(made.size(), 2U);
    ASSERT_EQ(made[0].xattrs.size(), 1U);
    EXPECT_EQ(made[0].xattrs[0].name, "system.posix_acl_access");
    EXPECT_EQ(made[0].mode & 0777U, 0660U);
    EXPECT_EQ(made[1].mode & 0777U, 0600U);
    EXPECT_TRUE(made[1].xattrs.empty());
}

TEST_F(Files, NewFilesBelongToTheirMakers) {
    ASSERT_EQ(::chmod(path_.c_str(), 0777), 0);
    ASSERT_EQ(::mkdir(at("shared").c_str(), 0777), 0);
    ASSERT_EQ(::chown(at("shared").c_str(), 0, 777), 0);
    ASSERT_EQ(::chmod(at("shared").c_str(), 02777), 0);
    journal().take();
    EXPECT_EQ(as_user(4321,
                      [&] {
                          io::Fd a(::open(at("a").c_str(), O_CREAT | O_RDWR, 0644));
                          io::Fd b(::open(at("shared/b").c_str(), O_CREAT | O_RDWR, 0644));
                          return a && b && ::mkdir(at("shared/d").c_str(), 0755) == 0 ? 0 : 1;
                      }),
              0);
    auto made = recorded<Create>();
    ASSERT_EQ(made.size(), 3U);
    EXPECT_EQ(made[0].uid, 4321U);
    EXPECT_EQ(made[0].gid, 4321U);
    EXPECT_EQ(made[1].gid, 777U);
    EXPECT_EQ(made[2].mode, S_IFDIR | 02755U);
}

/// A shell that opens a file and keeps it open until its input ends.
struct Opener {
    explicit Opener(const std::string& path) {
        EXPECT_EQ(::pipe2(input, O_CLOEXEC), 0);
        EXPECT_EQ(::pipe2(output, O_CLOEXEC), 0);
        pid = ::fork();
        if (pid == 0) {
            ::dup2(input[0], 0);
            ::dup2(output[1], 1);
            ::execl("/bin/sh", "sh", "-c", "exec 3>>\"$0\"; echo; read nothing", path.c_str(),
                    nullptr);
            ::_exit(127);
        }
        char opened = 0;
        EXPECT_EQ(::read(output[0], &opened, 1), 1);
    }
    ~Opener() {
        for (int fd : {input[0], input[1], output[0], output[1]}) ::close(fd);
        ::waitpid(pid, nullptr, 0);
    }
    int input[2];
    int output[2];
    pid_t pid;
};

TEST_F(Files, WhoOpenedAFileBelowTheMountIsFoundBehindIt) {
    ASSERT_TRUE(filesystem_->unmount(std::chrono::seconds(5)));
    const dev_t device = status(path_).st_dev;
    Opener before(at("a"));
    remount();
    Opener after(at("b"));
    auto holders = fuse::find_holders(path_, device);
    ASSERT_EQ(holders.size(), 1U);
    EXPECT_EQ(holders[0].pid, before.pid);
    EXPECT_EQ(holders[0].what, "fd");
}

TEST_F(Files, AnEndEndsNoOtherConnectionOfTheSameNumber) {
    const unsigned number = filesystem_->session(0)->connection();
    guard_.reset();
    ASSERT_EQ(::umount2(path_.c_str(), UMOUNT_NOFOLLOW), 0);  // behind its back
    auto old = std::move(filesystem_);
    // The lowest free number is given; another mount of this machine may have it for a while.
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    for (remount(); filesystem_->session(0)->connection() != number; remount()) {
        ASSERT_LT(std::chrono::steady_clock::now(), end) << "never got number " << number;
        ASSERT_TRUE(filesystem_->unmount(std::chrono::seconds(5)));
    }
    ASSERT_TRUE(old->unmount(std::chrono::seconds(5)));
    put("a", "still served");
    EXPECT_EQ(get(at("a")), "still served");
}

TEST_F(Files, AnAbortNeedsNoControlFileSystem) {
    ASSERT_TRUE(filesystem_->unmount(std::chrono::seconds(5)));
    guard_.reset();
    filesystem_.reset();
    // As in a container. A thread may have mounts of its own.
    std::thread container([this] {
        ASSERT_EQ(::unshare(CLONE_NEWNS), 0);
        ASSERT_EQ(::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr), 0);
        ASSERT_EQ(::mount("none", "/sys/fs/fuse", "tmpfs", MS_RDONLY, nullptr), 0);
        mount_unguarded();
        put("a", "a");
        ASSERT_TRUE(filesystem_->abort());
        EXPECT_EQ(::open(at("b").c_str(), O_CREAT | O_RDWR, 0600), -1);
        EXPECT_EQ(errno, ENOTCONN);  // the mount is there, and dead
        ASSERT_TRUE(filesystem_->unmount(std::chrono::seconds(5)));
        EXPECT_EQ(get(at("a")), "a");
        filesystem_.reset();
    });
    container.join();
}

TEST_F(Files, ABusyUnmountNamesTheHolderAndIsBounded) {
    put("a", "x");
    io::Fd held(::open(at("a").c_str(), O_RDONLY));
    auto holders = filesystem_->unmount(std::chrono::seconds(2));
    ASSERT_TRUE(holders) << holders.error().text;
    ASSERT_EQ(holders->size(), 1U);
    EXPECT_EQ((*holders)[0].pid, ::getpid());
    char byte;
    EXPECT_EQ(::pread(held.get(), &byte, 1, 0), -1);
    EXPECT_EQ(get(path_ + "/a"), "x");  // the lower directory again
}

TEST_F(Files, AMountThatIsLeftGivesErrorsAndNeverTheDirectoryBelow) {
    put("a", "x");
    ASSERT_TRUE(filesystem_->leave());
    filesystem_.reset();
    EXPECT_EQ(::open(at("b").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644), -1);
    EXPECT_EQ(errno, ENOTCONN);
    EXPECT_EQ(::access(at("a").c_str(), F_OK), -1);
    EXPECT_EQ(errno, ENOTCONN);
    remount();
    EXPECT_EQ(get(at("a")), "x");
    EXPECT_EQ(::access(at("b").c_str(), F_OK), -1);
    EXPECT_EQ(errno, ENOENT);
}

TEST_F(Files, WhatIsMountedBelowOursIsNotUnmountedInItsPlace) {
    ASSERT_EQ(::umount2(path_.c_str(), UMOUNT_NOFOLLOW), 0);  // an administrator did
    ASSERT_EQ(::mount("other", path_.c_str(), "tmpfs", 0, nullptr), 0);
    EXPECT_TRUE(filesystem_->unmount(std::chrono::seconds(2)));
    EXPECT_EQ(::umount2(path_.c_str(), UMOUNT_NOFOLLOW), 0);  // it is there still
    EXPECT_NE(::umount2(path_.c_str(), UMOUNT_NOFOLLOW), 0);
}

TEST_F(Files, AnEarlierMountIsClearedAway) {
    put("a", "x");
    // A process that mounts and dies without a word.
    ASSERT_TRUE(filesystem_->unmount(std::chrono::seconds(5)));
    filesystem_.reset();
    const pid_t child = ::fork();
    if (child == 0) {
        mount_unguarded();
        ::_exit(0);
    }
    ::waitpid(child, nullptr, 0);
    EXPECT_EQ(::access(at("a").c_str(), F_OK), -1);
    EXPECT_EQ(errno, ENOTCONN);
    remount();
    EXPECT_EQ(get(at("a")), "x");
}

}  // namespace
}  // namespace ha::replicatord
