#include "replicatord/store.h"

#include <sys/xattr.h>

#include <fstream>
#include <set>

#include "replicatord/marker.h"
#include "temporary_tree.h"

namespace ha::replicatord {
namespace {

class StoreTest : public ::testing::Test {
  protected:
    void SetUp() override {
        std::string pattern = ::testing::TempDir() + "store.XXXXXX";
        ASSERT_NE(mkdtemp(pattern.data()), nullptr);
        path_ = pattern;
    }
    void TearDown() override { std::filesystem::remove_all(path_); }
    std::unique_ptr<Store> open() {
        auto store = Store::open(path_ + "/M");
        EXPECT_TRUE(store) << store.error().text;
        return store ? std::move(*store) : nullptr;
    }
    std::string path_;
};

TEST_F(StoreTest, NoIdIsMintedTwiceAcrossCrashes) {
    std::set<FileId> seen;
    for (int round = 0; round < 5; ++round) {
        auto store = open();  // the previous one went without a word: a crash
        store->set_minting(Epoch{1}, 1);
        for (int i = 0; i < 100; ++i) EXPECT_TRUE(seen.insert(store->mint()).second);
        EXPECT_GT(store->id_bound(), seen.rbegin()->value & Store::kMaxCounter);
    }
}

TEST_F(StoreTest, TheBoundIsDurableBeforeAnIdAboveItIsUsed) {
    auto store = open();
    store->set_minting(Epoch{3}, 0);
    for (std::uint64_t i = 0; i < Store::kBlock + 10; ++i) {
        FileId id = store->mint();
        if (i % 4096 != 0) continue;
        EXPECT_LT(id.value & Store::kMaxCounter, open()->id_bound());
    }
}

TEST_F(StoreTest, IdsSayWhoMintedThem) {
    auto store = open();
    EXPECT_EQ(store->mint().value, 0U);
    store->set_minting(Epoch{5}, 1);
    FileId id = store->mint();
    EXPECT_EQ(id.value >> 41U, 5U);
    EXPECT_EQ(id.value >> 40U & 1U, 1U);
    EXPECT_FALSE(Tree::transient(id));
}

TEST_F(StoreTest, StampsAndSealSurvive) {
    {
        auto store = open();
        EXPECT_EQ(store->prepare_stamp().value(), 1U);
        EXPECT_EQ(store->prepare_stamp().value(), 1U);
    }
    {
        auto store = open();
        EXPECT_EQ(store->stamps().current, 0U);
        EXPECT_EQ(store->stamps().next, 1U);
        ASSERT_TRUE(store->commit_stamp());
        ASSERT_TRUE(store->seal(Epoch{9}));
        ASSERT_TRUE(store->seal(Epoch{4}));
    }
    EXPECT_EQ(open()->stamps().current, 1U);
    EXPECT_EQ(open()->stamps().next, 0U);
    EXPECT_EQ(open()->sealed_floor(), Epoch{9});
}

TEST_F(StoreTest, EveryFlippedByteIsAnError) {
    ASSERT_TRUE(open()->seal(Epoch{1}));
    const std::string path = path_ + "/M/state";
    for (std::uintmax_t at = 0; at < std::filesystem::file_size(path); ++at) {
        std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
        file.seekg(static_cast<std::streamoff>(at));
        const char byte = static_cast<char>(file.get());
        file.seekp(static_cast<std::streamoff>(at));
        file.put(static_cast<char>(byte ^ 1)).flush();
        EXPECT_FALSE(Store::open(path_ + "/M")) << at;
        file.seekp(static_cast<std::streamoff>(at));
        file.put(byte);
    }
    EXPECT_EQ(open()->sealed_floor(), Epoch{1});
}

class MarkerTest : public TemporaryTree {};

TEST_F(MarkerTest, CurrentAndNextStampAreValidAndNoOther) {
    auto tree = open();
    const Id128 module{7, 8};
    EXPECT_FALSE(read_marker(*tree, 0).value());
    EXPECT_FALSE(marker_valid(std::nullopt, module, 1, {0, 0}));
    ASSERT_TRUE(write_marker(*tree, 0, {module, 1, 5}));
    auto marker = read_marker(*tree, 0).value();
    ASSERT_TRUE(marker);
    EXPECT_EQ(*marker, (Marker{module, 1, 5}));
    EXPECT_TRUE(marker_valid(marker, module, 1, {5, 0}));
    EXPECT_TRUE(marker_valid(marker, module, 1, {4, 5}));
    EXPECT_FALSE(marker_valid(marker, module, 1, {6, 7}));
    EXPECT_FALSE(marker_valid(marker, module, 0, {5, 0}));
    EXPECT_FALSE(marker_valid(marker, {7, 9}, 1, {5, 0}));
}

TEST_F(MarkerTest, ACopiedMarkerDoesNotCount) {
    auto tree = open();
    ASSERT_TRUE(write_marker(*tree, 0, {{7, 8}, 1, 5}));
    char raw[64];
    ssize_t size = getxattr(path_.c_str(), "trusted.hamirror.marker", raw, sizeof(raw));
    ASSERT_GT(size, 0);
    const std::string copy = path_ + "/copy";
    std::filesystem::create_directory(copy);
    ASSERT_EQ(
        setxattr(copy.c_str(), "trusted.hamirror.marker", raw, static_cast<std::size_t>(size), 0),
        0);
    auto other = Tree::open({{copy, {}}}, mint());
    ASSERT_TRUE(other);
    EXPECT_FALSE(read_marker(**other, 0).value());
}

TEST_F(MarkerTest, RestampingLeavesAValidMarker) {
    auto tree = open();
    auto store = Store::open(path_ + "/.hamirror/store");
    ASSERT_TRUE(store);
    for (std::uint64_t i = 1; i < 4; ++i) {
        ASSERT_TRUE(restamp(*tree, **store, {7, 8}, 0));
        EXPECT_EQ((*store)->stamps().current, i);
        EXPECT_TRUE(marker_valid(read_marker(*tree, 0).value(), {7, 8}, 0, (*store)->stamps()));
    }
}

}  // namespace
}  // namespace ha::replicatord
