#include "clusterd/record_store.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "io/clock.h"
#include "io/fd.h"
#include "io/loop.h"

namespace ha::clusterd {
namespace {

/// A store on a small file system of its own, which can be filled to the last block.
class RecordStoreOnAFullDisk : public ::testing::Test {
  protected:
    void SetUp() override {
        if (::geteuid() != 0) GTEST_SKIP() << "mounting needs root";
        std::string pattern = ::testing::TempDir() + "records.XXXXXX";
        ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
        path_ = pattern;
        if (::mount("full", path_.c_str(), "tmpfs", 0, "size=4m,mode=0700") != 0) {
            GTEST_SKIP() << "mounting is not allowed here";
        }
    }
    void TearDown() override {
        if (path_.empty()) return;
        ::umount2(path_.c_str(), MNT_DETACH);
        std::filesystem::remove_all(path_);
    }
    void fill() {
        io::Fd fd(::open((path_ + "/ballast").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
        ASSERT_TRUE(fd);
        const std::vector<char> block(4096);
        while (::write(fd.get(), block.data(), block.size()) > 0) {
        }
        ASSERT_EQ(errno, ENOSPC);
    }
    void save(RecordStore& store, const cluster::Record& record) {
        bool saved = false;
        store.save("db", record, [&] { saved = true; });
        const Instant until = io::boot_now() + 10s;
        while (!saved && io::boot_now() < until) ASSERT_GE(sd_event_run(loop_.raw(), 10'000), 0);
        ASSERT_TRUE(saved);
    }

    std::string path_;
    io::Loop loop_;
};

TEST_F(RecordStoreOnAFullDisk, RecordsAreSavedAllTheSame) {
    RecordStore store(loop_, path_);
    cluster::Record record;
    record.wanted = true;
    save(store, record);
    fill();
    for (std::uint32_t number = 1; number <= 20; ++number) {
        record.restarts = number;
        record.wanted = number % 2 == 0;
        save(store, record);
        auto loaded = store.load("db");
        ASSERT_TRUE(loaded) << loaded.error().text;
        EXPECT_EQ(*loaded, record);
    }
}

TEST_F(RecordStoreOnAFullDisk, AndAgainWhenTheDiskWasFullTwice) {
    RecordStore store(loop_, path_);
    save(store, {});
    for (int round = 0; round < 2; ++round) {
        fill();
        save(store, {});
        std::filesystem::remove(path_ + "/ballast");
        save(store, {});
    }
}

}  // namespace
}  // namespace ha::clusterd
