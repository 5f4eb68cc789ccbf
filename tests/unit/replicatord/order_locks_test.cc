#include "replicatord/order_locks.h"

#include <gtest/gtest.h>

#include <random>
#include <thread>
#include <vector>

namespace ha::replicatord {
namespace {

TEST(OrderLocks, TheSameInodeTwiceIsOneLock) {
    OrderLocks locks;
    OrderLocks::Guard guard(locks, {FileId{7}, FileId{7}, FileId{0}, FileId{7}});
}

// Under TSan this also proves that the guard orders memory.
TEST(OrderLocks, NobodyChangesAnInodeBesideAnother) {
    constexpr std::size_t kFiles = 8;
    constexpr int kRounds = 5000;
    OrderLocks locks;
    std::vector<std::uint64_t> counters(kFiles, 0);
    auto work = [&](unsigned seed) {
        std::mt19937 random(seed);
        for (int i = 0; i < kRounds; ++i) {
            std::uint64_t a = random() % kFiles;
            std::uint64_t b = random() % kFiles;
            std::uint64_t c = random() % kFiles;
            OrderLocks::Guard guard(locks, {FileId{a + 1}, FileId{b + 1}, FileId{c + 1}});
            ++counters[a], ++counters[b], ++counters[c];
        }
    };
    std::vector<std::thread> threads;
    for (unsigned i = 0; i < 4; ++i) threads.emplace_back(work, i);
    for (auto& thread : threads) thread.join();
    std::uint64_t sum = 0;
    for (auto counter : counters) sum += counter;
    EXPECT_EQ(sum, 4U * 3U * kRounds);
}

}  // namespace
}  // namespace ha::replicatord
