#include "replicatord/applier.h"

#include <filesystem>

#include "lease.h"
#include "temporary_tree.h"

namespace ha::replicatord {
namespace {

using namespace replication;

class ApplierTest : public TemporaryTree {
  protected:
    void SetUp() override {
        TemporaryTree::SetUp();
        if (IsSkipped()) return;
        tree_ = open();
        Applier::Listener listener;
        listener.applied = [](Sequence) {};
        listener.durable = [this](const DurableResult&) { ++durable_; };
        listener.answered = [](const HashAnswer&) {};
        listener.told = [](const TellIn&, std::uint64_t) {};
        listener.failed = [this](const Failure&, std::optional<std::uint64_t>) { ++failed_; };
        applier_ = std::make_unique<Applier>(
            *tree_, [this] { return tree_->sync_all(); }, std::move(listener));
    }
    void enqueue(Body body) {
        Applier::Item item;
        item.sequence = Sequence{++last_};
        item.record = Operation{std::move(body), {}};
        applier_->enqueue(std::move(item));
    }

    std::unique_ptr<Tree> tree_;
    std::atomic<int> durable_ = 0;
    std::atomic<int> failed_ = 0;
    std::uint64_t last_ = 0;
    std::unique_ptr<Applier> applier_;
};

// Its number is that of another record by then, which nobody has made durable.
TEST_F(ApplierTest, ASyncFromBeforeARestartReportsNothing) {
    Create create{};
    create.parent = Tree::root_id(0);
    create.name = "slow";
    create.id = *tree_->mint();
    create.mode = S_IFREG | 0644;
    enqueue(create);
    applier_->settle();
    {
        Lease lease(path_ + "/slow");
        enqueue(Fsync{create.id, false});
        lease.wait_until_somebody_waits();
        applier_->restart();
    }
    applier_.reset();  // when its threads have ended
    EXPECT_EQ(durable_, 0);
    EXPECT_EQ(failed_, 0);
}

TEST_F(ApplierTest, ANewRoleBeginsNothingThatCameUnderAnother) {
    Create create{};
    create.parent = Tree::root_id(0);
    create.mode = S_IFREG | 0644;
    create.name = "slow";
    create.id = *tree_->mint();
    enqueue(create);
    applier_->settle();
    Lease lease(path_ + "/slow");
    enqueue(Write{create.id, 0, {}, false});
    lease.wait_until_somebody_waits();
    create.name = "waiting";
    create.id = *tree_->mint();
    enqueue(create);
    EXPECT_EQ(applier_->begin_role(1), Sequence{2});
    EXPECT_FALSE(applier_->wait_until_idle(std::chrono::milliseconds(20)));
    create.name = "late";
    enqueue(create);
    lease.end();
    EXPECT_TRUE(applier_->wait_until_idle(std::chrono::seconds(10)));
    applier_->settle();
    EXPECT_EQ(applier_->begin_role(2), std::nullopt);
    EXPECT_FALSE(std::filesystem::exists(path_ + "/waiting"));
    EXPECT_FALSE(std::filesystem::exists(path_ + "/late"));
}

}  // namespace
}  // namespace ha::replicatord
