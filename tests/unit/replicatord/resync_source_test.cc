#include "replicatord/resync_source.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdio.h>

#include <algorithm>
#include <fstream>
#include <optional>

#include "replicatord/file_handle.h"
#include "replicatord/inode_calls.h"
#include "temporary_tree.h"

namespace ha::replicatord {
namespace {

using namespace replication;

CopyRecord decoded(FrameBuilder frame) {
    auto whole = std::move(frame).finish(Sequence{1});
    return *decode_copy(std::span(*whole).subspan(kFrameHeader));
}

/// The mirror's side of a pass, one step at a time: the pass waits for room until it is let on.
class Steps final : public ResyncSource::Sink {
  public:
    Sequence send(FrameBuilder frame) override {
        std::scoped_lock lock(mutex_);
        sent_.push_back(decoded(std::move(frame)));
        changed_.notify_all();
        return Sequence{sent_.size()};
    }
    bool wait_for_room() override {
        std::unique_lock lock(mutex_);
        waiting_ = true;
        changed_.notify_all();
        changed_.wait(lock, [&] { return over_ || let_on_; });
        return !over_;
    }
    bool wait_accepted(Sequence) override { return true; }
    void progress(const ResyncSource::Counters&) override {}
    void complete(const ResyncSource::Counters&) override {}
    void failed(const Error& error) override { ADD_FAILURE() << error.text; }

    void wait_until_waiting() {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return waiting_; });
    }
    void let_on() {
        std::scoped_lock lock(mutex_);
        let_on_ = true;
        changed_.notify_all();
    }
    void end() {
        std::scoped_lock lock(mutex_);
        over_ = true;
        changed_.notify_all();
    }
    bool finished(FileId id, Duration patience) {
        std::unique_lock lock(mutex_);
        return changed_.wait_for(lock, patience, [&] {
            return std::ranges::any_of(sent_, [&](const CopyRecord& record) {
                const auto* final = std::get_if<CopyFinal>(&record.body);
                return final != nullptr && final->id == id;
            });
        });
    }

  private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<CopyRecord> sent_;
    bool waiting_ = false;
    bool let_on_ = false;
    bool over_ = false;
};

using ResyncSourceTest = TemporaryTree;

// Its final record came before the record that makes it: the target failed with "no file with this
// id". Nobody holds the order lock of an inode that the operation itself has made.
TEST_F(ResyncSourceTest, AWhiteoutIsFinishedAfterItIsMade) {
    std::filesystem::create_directory(path_ + "/later");
    std::ofstream(path_ + "/moved") << "text";
    auto tree = open();
    OrderLocks locks;
    Steps steps;
    ResyncSource source(*tree, locks, steps);
    source.start(Sequence{1});
    steps.wait_until_waiting();  // the root is mirrored, "later" is not

    const FileId root = Tree::root_id(0);
    struct stat attributes {};
    const FileId later = *tree->lookup(root, "later", &attributes);
    const FileId moved = *tree->lookup(root, "moved", &attributes);
    Rename rename{root, "moved", later, "moved", moved, {}, false, RENAME_WHITEOUT, {}};
    {
        OrderLocks::Guard guard(locks, {root, later, moved});
        ASSERT_EQ(::renameat2(AT_FDCWD, (path_ + "/moved").c_str(), AT_FDCWD,
                              (path_ + "/later/moved").c_str(), RENAME_WHITEOUT),
                  0);
        rename.whiteout = *tree->lookup(root, "moved", &attributes);
        auto frames = source.translate({rename, {}});
        EXPECT_EQ(frames.size(), 2U);
        steps.let_on();
        EXPECT_FALSE(steps.finished(rename.whiteout, 100ms));
    }
    EXPECT_TRUE(steps.finished(rename.whiteout, 10s));
    source.stop();
    steps.end();
    source.join();
}

}  // namespace
}  // namespace ha::replicatord
