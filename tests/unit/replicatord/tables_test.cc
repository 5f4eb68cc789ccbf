#include "replicatord/fuse/tables.h"

#include <gtest/gtest.h>

#include <set>
#include <thread>

namespace ha::replicatord::fuse {
namespace {

TEST(InodeTable, AnEntryLivesAsLongAsItIsReferredToOrOpen) {
    auto table = InodeTable::create(100).value();
    const FileId id{77};
    ASSERT_TRUE(table->refer(id, Place{}));
    ASSERT_TRUE(table->refer(id, Place{}));
    table->visit(id, [](InodeEntry& entry) { ++entry.opens; });
    table->forget(id, 2);
    EXPECT_TRUE(table->visit(id, [](const InodeEntry& entry) { EXPECT_EQ(entry.lookups, 0U); }));
    EXPECT_EQ(table->close(id), 0U);
    EXPECT_FALSE(table->visit(id, [](const InodeEntry&) {}));
    EXPECT_EQ(table->size(), 0U);
}

TEST(InodeTable, AFullTableSaysSoAndGivesBack) {
    auto table = InodeTable::create(10).value();
    for (std::uint64_t i = 1; i <= 10; ++i) EXPECT_TRUE(table->refer(FileId{i}, Place{}));
    EXPECT_FALSE(table->refer(FileId{11}, Place{}));
    table->forget(FileId{3}, 1);
    EXPECT_TRUE(table->refer(FileId{11}, Place{}));
    EXPECT_EQ(table->ids().size(), 10U);
}

TEST(InodeTable, ForgettingSyncsMakesEverythingChanged) {
    auto table = InodeTable::create(10).value();
    ASSERT_TRUE(table->refer(FileId{1}, Place{}));
    table->visit(FileId{1}, [](InodeEntry& entry) { entry.synced = entry.changes; });
    table->forget_syncs();
    table->visit(FileId{1},
                 [](const InodeEntry& entry) { EXPECT_NE(entry.synced, entry.changes); });
}

TEST(InodeTable, ManyThreadsComeAndGo) {
    auto table = InodeTable::create(5000).value();
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t)
        threads.emplace_back([&] {
            for (int round = 0; round < 20; ++round) {
                for (std::uint64_t i = 1; i <= 500; ++i)
                    ASSERT_TRUE(table->refer(FileId{i}, Place{}));
                for (std::uint64_t i = 1; i <= 500; ++i) table->forget(FileId{i}, 1);
            }
        });
    for (auto& thread : threads) thread.join();
    EXPECT_EQ(table->size(), 0U);
}

TEST(OpenTable, HandlesAreNotReusedAtOnce) {
    auto table = OpenTable::create(4).value();
    std::set<std::uint64_t> seen;
    for (int i = 0; i < 100; ++i) {
        const std::uint64_t handle = table->open({FileId{9}, 1, 1});
        EXPECT_TRUE(seen.insert(handle).second);
        EXPECT_EQ(table->find(handle)->id, FileId{9});
        EXPECT_EQ(table->close(handle)->id, FileId{9});
        EXPECT_FALSE(table->close(handle));
    }
    for (int i = 0; i < 4; ++i) EXPECT_NE(table->open({FileId{9}, 1, 1}), 0U);
    EXPECT_EQ(table->open({FileId{9}, 1, 1}), 0U);
}

}  // namespace
}  // namespace ha::replicatord::fuse
