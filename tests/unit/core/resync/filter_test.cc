#include "core/resync/filter.h"

#include <gtest/gtest.h>

#include "core/replication/copy.h"

namespace ha::resync {
namespace {

using namespace replication;

const FileId kDir{100}, kPendingDir{101}, kFile{200}, kPending{201}, kUnknown{202};

class FilterTest : public testing::Test {
  protected:
    FilterTest() {
        filter.mirror(kDir);
        filter.mirror(kFile);
        filter.discover(kPendingDir);
        filter.discover(kPending);
    }

    std::vector<Action> pass(Body body) {
        return filter.pass({std::move(body), {{kDir, {1, 1}}, {kPendingDir, {2, 2}}}});
    }
    template <typename Kind>
    static const Kind* only(const std::vector<Action>& actions) {
        return actions.size() == 1 ? std::get_if<Kind>(&actions[0].what) : nullptr;
    }
    template <typename Kind>
    static const Kind* body(const std::vector<Action>& actions) {
        const auto* operation = only<Operation>(actions);
        return operation ? std::get_if<Kind>(&operation->body) : nullptr;
    }
    static Write writing(FileId id, std::uint64_t offset, std::size_t size) {
        return {id, offset, std::vector<std::byte>(size), true};
    }

    static Create creating(FileId parent, const char* name, FileId id) {
        Create create;
        create.parent = parent;
        create.name = name;
        create.id = id;
        create.mode = 0100644;
        return create;
    }

    Filter filter;
};

TEST_F(FilterTest, WhatIsMirroredIsSentAsItIs) {
    auto actions = pass(writing(kFile, 5, 10));
    ASSERT_NE(body<Write>(actions), nullptr);
    EXPECT_TRUE(body<Write>(actions)->durable);
    EXPECT_EQ(only<Operation>(actions)->stamps.size(), 1U) << "times of what is pending come later";
}

TEST_F(FilterTest, WhatIsNotIsLeftToTheCopy) {
    EXPECT_TRUE(pass(writing(kPending, 0, 10)).empty());
    EXPECT_TRUE(pass(writing(kUnknown, 0, 10)).empty());
    EXPECT_TRUE(pass(creating(kPendingDir, "a", FileId{300})).empty());
    EXPECT_FALSE(filter.known(FileId{300}));
    EXPECT_TRUE(pass(Release{kUnknown}).empty());
    EXPECT_FALSE(pass(Release{kPending}).empty());
}

TEST_F(FilterTest, AWriteAcrossTheFrontierIsCut) {
    filter.copy(kPending);
    filter.advance(kPending, kHashBlock);
    auto actions = pass(writing(kPending, kHashBlock - 4, 10));
    ASSERT_NE(body<Write>(actions), nullptr);
    EXPECT_EQ(body<Write>(actions)->data.size(), 4U);
    EXPECT_FALSE(body<Write>(actions)->durable);
    EXPECT_TRUE(pass(writing(kPending, kHashBlock, 10)).empty());
}

TEST_F(FilterTest, ASizeIsSentAndMakesHashesUseless) {
    auto before = filter.copy(kPending).token;
    SetAttributes set{kPending, SetAttributes::kSize | SetAttributes::kMode, 0600, 0, 0, 77, {},
                      {}};
    auto actions = pass(set);
    ASSERT_NE(body<SetAttributes>(actions), nullptr);
    EXPECT_EQ(body<SetAttributes>(actions)->mask, SetAttributes::kSize);
    EXPECT_NE(filter.copy(kPending).token, before);
    set.mask = SetAttributes::kMode;
    EXPECT_TRUE(pass(set).empty());
}

TEST_F(FilterTest, ACollapseSetsTheFrontierBack) {
    filter.copy(kPending);
    filter.advance(kPending, 4 * kHashBlock);
    EXPECT_TRUE(pass(Allocate{kPending, 8, kHashBlock + 4096, 4096}).empty());
    EXPECT_EQ(filter.copy(kPending).frontier, kHashBlock);
    EXPECT_FALSE(pass(Allocate{kPending, 3, 0, 4096}).empty()) << "a punched hole is sent";
}

TEST_F(FilterTest, ANewFileInAMirroredDirectoryIsMirroredAtOnce) {
    ASSERT_NE(body<Create>(pass(creating(kDir, "a", FileId{300}))), nullptr);
    EXPECT_TRUE(filter.mirrored(FileId{300}));
    EXPECT_EQ(filter.pending(), 2U);
    ASSERT_NE(body<Create>(pass(creating(kPendingDir, "", FileId{301}))), nullptr);
    EXPECT_TRUE(filter.mirrored(FileId{301})) << "an orphan has no directory to wait for";
}

TEST_F(FilterTest, ARenameOutOfAMirroredDirectoryIsARemoval) {
    auto actions = pass(Rename{kDir, "a", kPendingDir, "b", kFile, {}, false, 0, {}});
    const auto* gone = only<Detach>(actions);
    ASSERT_NE(gone, nullptr);
    EXPECT_EQ(gone->id, kFile);
    EXPECT_EQ(actions[0].stamps.size(), 1U);
}

TEST_F(FilterTest, ARenameIntoAMirroredDirectoryIsAnAddition) {
    auto actions = pass(Rename{kPendingDir, "a", kDir, "b", kUnknown, {}, false, 0, {}});
    const auto* added = only<Attach>(actions);
    ASSERT_NE(added, nullptr);
    EXPECT_TRUE(added->discovered);
    EXPECT_EQ(filter.pending(), 3U);
    auto replacing = pass(Rename{kPendingDir, "x", kDir, "b", kPending, kUnknown, true, 0, {}});
    ASSERT_EQ(replacing.size(), 2U);
    EXPECT_TRUE(std::get<Detach>(replacing[0].what).kept);
    EXPECT_FALSE(std::get<Attach>(replacing[1].what).discovered);
}

TEST_F(FilterTest, ARenameBetweenPendingDirectoriesIsNothing) {
    EXPECT_TRUE(
        pass(Rename{kPendingDir, "a", kPendingDir, "b", kUnknown, kPending, false, 0, {}}).empty());
    auto kept = pass(Rename{kPendingDir, "a", kPendingDir, "b", kUnknown, kPending, true, 0, {}});
    ASSERT_NE(only<Attach>(kept), nullptr) << "the orphan must be at the target too";
    EXPECT_TRUE(only<Attach>(kept)->name.empty());
}

TEST_F(FilterTest, ARenameWithinMirroredDirectoriesMakesRoomFirst) {
    auto actions = pass(Rename{kDir, "a", kDir, "b", kFile, kPending, false, 0, {}});
    ASSERT_EQ(actions.size(), 2U);
    EXPECT_EQ(std::get<Detach>(actions[0].what).id, kPending);
    const auto& moved = std::get<Rename>(std::get<Operation>(actions[1].what).body);
    EXPECT_EQ(moved.replaced.value, 0U);
    auto same = pass(Rename{kDir, "a", kDir, "b", kFile, kFile, false, 0, {}});
    ASSERT_NE(body<Rename>(same), nullptr);
    EXPECT_TRUE(pass(Rename{kDir, "a", kPendingDir, "b", kFile, kFile, false, 0, {}}).empty());
}

TEST_F(FilterTest, AnExchangeAcrossIsARemovalAndAnAddition) {
    auto actions = pass(Rename{kDir, "a", kPendingDir, "b", kFile, kUnknown, false, 2, {}});
    ASSERT_EQ(actions.size(), 2U);
    EXPECT_EQ(std::get<Detach>(actions[0].what).id, kFile);
    EXPECT_EQ(std::get<Attach>(actions[1].what).id, kUnknown);
    actions = pass(Rename{kPendingDir, "a", kDir, "b", kPending, kFile, false, 2, {}});
    ASSERT_EQ(actions.size(), 2U);
    EXPECT_EQ(std::get<Detach>(actions[0].what).id, kFile);
    EXPECT_EQ(std::get<Attach>(actions[1].what).id, kPending);
}

TEST_F(FilterTest, ALinkIntoAPendingDirectoryEndsAnOrphan) {
    auto actions = pass(Link{kFile, kPendingDir, "a"});
    ASSERT_NE(only<Detach>(actions), nullptr);
    EXPECT_TRUE(only<Detach>(actions)->name.empty());
    EXPECT_TRUE(pass(Link{kUnknown, kPendingDir, "a"}).empty());
    ASSERT_NE(body<Link>(pass(Link{kFile, kDir, "a"})), nullptr);
    EXPECT_TRUE(only<Attach>(pass(Link{kUnknown, kDir, "a"}))->discovered);
}

TEST_F(FilterTest, UnlinkLeavesTheInodeReachable) {
    ASSERT_NE(only<Detach>(pass(Unlink{kDir, "a", kFile, false})), nullptr);
    EXPECT_TRUE(pass(Unlink{kPendingDir, "a", kPending, false}).empty());
    auto kept = pass(Unlink{kPendingDir, "a", kUnknown, true});
    ASSERT_NE(only<Attach>(kept), nullptr);
}

TEST_F(FilterTest, ItIsCompleteWhenNothingIsPending) {
    EXPECT_FALSE(filter.complete());
    filter.mirror(kPending);
    filter.forget(kPendingDir);
    EXPECT_TRUE(filter.complete());
}

}  // namespace
}  // namespace ha::resync
