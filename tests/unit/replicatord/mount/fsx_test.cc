#include <linux/falloc.h>
#include <sys/mman.h>

#include <cstdlib>
#include <random>

#include "mount_fixture.h"

// Random operations on a file of the mount, and the same ones on a plain file beside it: whatever
// the plain one says, result or content, the mounted one must say, too. HAMIRROR_SEED repeats a
// run.

namespace ha::replicatord {
namespace {

constexpr off_t kMaxSize = 256 << 10;

class Fsx : public MountTest {
  protected:
    struct Pair {
        io::Fd mounted;
        io::Fd plain;
    };

    Pair open_both(int flags) {
        Pair pair{io::Fd(::open(at("x").c_str(), O_RDWR | O_CREAT | flags, 0644)),
                  io::Fd(::open((plain_ + "/x").c_str(), O_RDWR | O_CREAT | flags, 0644))};
        EXPECT_TRUE(pair.mounted && pair.plain);
        return pair;
    }
    off_t offset() { return static_cast<off_t>(random_() % kMaxSize); }
    std::string bytes() {
        std::string out(1 + random_() % 20000, static_cast<char>('a' + random_() % 26));
        return out;
    }
    static std::pair<ssize_t, int> outcome(ssize_t result) {
        return {result, result < 0 ? errno : 0};
    }

    void write(Pair& pair) {
        const std::string data = bytes();
        const off_t where = offset();
        EXPECT_EQ(outcome(::pwrite(pair.mounted.get(), data.data(), data.size(), where)),
                  outcome(::pwrite(pair.plain.get(), data.data(), data.size(), where)));
    }
    void read(Pair& pair) {
        std::string one(1 + random_() % 30000, '\0');
        std::string two = one;
        const off_t where = offset();
        EXPECT_EQ(outcome(::pread(pair.mounted.get(), one.data(), one.size(), where)),
                  outcome(::pread(pair.plain.get(), two.data(), two.size(), where)));
        EXPECT_TRUE(one == two);
    }
    void truncate(Pair& pair) {
        const off_t size = offset();
        EXPECT_EQ(outcome(::ftruncate(pair.mounted.get(), size)),
                  outcome(::ftruncate(pair.plain.get(), size)));
    }
    void allocate(Pair& pair) {
        // Collapsing and inserting ranges do not get through FUSE.
        constexpr int kModes[] = {0, FALLOC_FL_KEEP_SIZE,
                                  FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, FALLOC_FL_ZERO_RANGE};
        const int mode = kModes[random_() % std::size(kModes)];
        const off_t where = offset();
        const auto length = static_cast<off_t>(1 + random_() % 30000);
        EXPECT_EQ(outcome(::fallocate(pair.mounted.get(), mode, where, length)),
                  outcome(::fallocate(pair.plain.get(), mode, where, length)))
            << mode << " " << where << " " << length;
    }
    void store_by_map(Pair& pair) {
        struct stat now {};
        ASSERT_EQ(::fstat(pair.mounted.get(), &now), 0);
        if (now.st_size == 0) return;
        const std::string data = bytes();
        const auto size = static_cast<std::size_t>(now.st_size);
        const std::size_t where = random_() % size;
        const std::size_t count = std::min(data.size(), size - where);
        const int how = random_() % 2 == 0 ? MS_SYNC : MS_ASYNC;
        // In a process of its own: munmap(2) writes back with the lock of the address space held,
        // which the workers of this process need.
        const int failed = as_user(0, [&] {
            for (int fd : {pair.mounted.get(), pair.plain.get()}) {
                void* map = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
                if (map == MAP_FAILED) return 1;
                std::memcpy(static_cast<char*>(map) + where, data.data(), count);
                if (::msync(map, size, how) != 0 || ::munmap(map, size) != 0) return 2;
            }
            return 0;
        });
        EXPECT_EQ(failed, 0);
    }
    void seek(Pair& pair) {
        const off_t where = offset();
        struct stat now {};
        ASSERT_EQ(::fstat(pair.mounted.get(), &now), 0);
        // What is beyond the end; holes themselves may differ by what is still unwritten.
        if (where < now.st_size) return;
        EXPECT_EQ(outcome(::lseek(pair.mounted.get(), where, SEEK_DATA)),
                  outcome(::lseek(pair.plain.get(), where, SEEK_DATA)));
    }
    void sync(Pair& pair) {
        EXPECT_EQ(
            random_() % 2 == 0 ? ::fsync(pair.mounted.get()) : ::fdatasync(pair.mounted.get()), 0);
    }
    void compare() {
        std::string mounted = whole(at("x"));
        EXPECT_TRUE(mounted == whole(plain_ + "/x"));
        EXPECT_TRUE(mounted == whole(below("x")));
    }
    static std::string whole(const std::string& path) {
        io::Fd fd(::open(path.c_str(), O_RDONLY));
        std::string out(4 << 20, '\0');
        ssize_t size = ::pread(fd.get(), out.data(), out.size(), 0);
        out.resize(size < 0 ? 0 : static_cast<std::size_t>(size));
        return out;
    }
    void run(unsigned seed, int steps) {
        random_.seed(seed);
        Pair pair = open_both(0);
        for (int i = 0; i < steps && !HasFailure(); ++i) {
            SCOPED_TRACE("step " + std::to_string(i));
            switch (random_() % 12) {
                case 0:
                case 1:
                case 2:
                    write(pair);
                    break;
                case 3:
                case 4:
                    read(pair);
                    break;
                case 5:
                    truncate(pair);
                    break;
                case 6:
                    allocate(pair);
                    break;
                case 7:
                    store_by_map(pair);
                    break;
                case 8:
                    seek(pair);
                    break;
                case 9:
                    sync(pair);
                    break;
                case 10:
                    pair = open_both(random_() % 16 == 0 ? O_TRUNC : 0);
                    break;
                case 11:
                    EXPECT_TRUE(filesystem_->invalidate_all(10s));
                    break;
            }
            if (i % 50 == 0) compare();
        }
        compare();
    }
    void SetUp() override {
        MountTest::SetUp();
        if (IsSkipped()) return;
        plain_ = path_ + ".plain";
        std::filesystem::create_directory(plain_);
    }
    void TearDown() override {
        MountTest::TearDown();
        if (!plain_.empty()) std::filesystem::remove_all(plain_);
    }

    std::mt19937 random_;
    std::string plain_;
};

TEST_F(Fsx, TheMountAnswersAsAPlainFileDoes) {
    const char* given = std::getenv("HAMIRROR_SEED");
    const unsigned seed =
        given != nullptr ? static_cast<unsigned>(std::atoi(given)) : std::random_device{}();
    std::printf("HAMIRROR_SEED=%u\n", seed);
    run(seed, 500);
}

}  // namespace
}  // namespace ha::replicatord
