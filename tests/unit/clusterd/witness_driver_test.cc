#include "clusterd/witness_driver.h"

#include <gtest/gtest.h>

#include <deque>
#include <vector>

#include "core/cluster/registered.h"
#include "io/clock.h"
#include "unit/witness/register_world.h"

namespace ha::clusterd {
namespace {

using cluster::Registered;

/// A module whose register is in memory, and what it is told.
class WitnessDriverTest : public testing::Test {
  protected:
    struct Told {
        bool reached = false;
        std::optional<Registered> value;
        std::string why;
    };

    WitnessDriverTest() { open({}); }
    void open(const ports::RegisterStamp& seen) {
        driver_.reset();
        WitnessDriver::Callbacks callbacks;
        callbacks.shown = [this](const std::string&, const auto& value) {
            told_.push_back({true, value, ""});
        };
        callbacks.lost = [this](const std::string&, const std::string& why) {
            told_.push_back({false, std::nullopt, why});
        };
        callbacks.save = [this](const ports::RegisterStamp& stamp, std::function<void()> done) {
            saved_.push_back(stamp);
            if (disk_works_) return loop_.post(std::move(done));
            waiting_.push_back(std::move(done));
        };
        driver_ = std::make_unique<WitnessDriver>(loop_, world_->open(loop_, 0), seen, callbacks);
    }
    /// The next it is told, within five seconds.
    std::optional<Told> next() {
        if (told_.empty()) run([this] { return !told_.empty(); }, 5s);
        if (told_.empty()) return std::nullopt;
        Told told = told_.front();
        told_.pop_front();
        return told;
    }
    bool silent_for(Duration time) {
        run([this] { return !told_.empty(); }, time);
        return told_.empty();
    }
    void run(const std::function<bool()>& over, Duration patience) {
        const Instant until = io::boot_now() + patience;
        while (!over() && io::boot_now() < until) ASSERT_GE(sd_event_run(loop_.raw(), 10'000), 0);
    }
    static Registered value(std::uint64_t number) {
        cluster::Chain chain;
        for (std::uint64_t i = 1; i <= number; ++i) {
            cluster::Decision decision;
            decision.number = Epoch{i};
            decision.id = {i, 9};
            if (i > 1) decision.parent = {i - 1, 9};
            decision.in_sync = cluster::InSync::only(cluster::Node::First);
            chain.append({decision, false, cluster::Confirmation::Register});
        }
        return cluster::registered({1, 1}, chain, 5);
    }

    io::Loop loop_;
    std::unique_ptr<witness::RegisterWorld> world_ = witness::memory_world();
    std::unique_ptr<WitnessDriver> driver_;
    std::deque<Told> told_;
    std::vector<ports::RegisterStamp> saved_;
    std::vector<std::function<void()>> waiting_;
    bool disk_works_ = true;
};

TEST_F(WitnessDriverTest, ShowsWhatIsThereAndWhatBecameOfAnExchange) {
    driver_->add("db");
    auto first = next();
    ASSERT_TRUE(first && first->reached);
    EXPECT_FALSE(first->value);
    driver_->ask("db", {Id128{}, value(1)});
    auto won = next();
    ASSERT_TRUE(won && won->reached);
    EXPECT_EQ(won->value, value(1));
    driver_->ask("db", {Id128{}, value(2)});  // expects no value: lost
    auto lost = next();
    ASSERT_TRUE(lost && lost->reached);
    EXPECT_EQ(lost->value, value(1));
    EXPECT_EQ(saved_.back().counter, 1U);
    EXPECT_TRUE(silent_for(WitnessDriver::kReadEvery + 500ms)) << "the same again is no news";
}

TEST_F(WitnessDriverTest, NothingIsShownBeforeTheStampIsDurable) {
    disk_works_ = false;
    driver_->add("db");
    EXPECT_TRUE(silent_for(300ms));
    ASSERT_EQ(waiting_.size(), 1U);
    waiting_[0]();
    EXPECT_TRUE(next());
    driver_->ask("db", {Id128{}, value(1)});
    EXPECT_TRUE(silent_for(300ms));
    ASSERT_EQ(waiting_.size(), 2U);
    waiting_[1]();
    auto won = next();
    ASSERT_TRUE(won);
    EXPECT_EQ(won->value, value(1));
}

TEST_F(WitnessDriverTest, AnotherModulesAnswerDoesNotOvertakeTheStamp) {
    driver_->add("db");
    ASSERT_TRUE(next());
    disk_works_ = false;
    driver_->ask("db", {Id128{}, value(1)});
    EXPECT_TRUE(silent_for(300ms));
    driver_->add("web");
    EXPECT_TRUE(silent_for(300ms)) << "its answer has the stamp that is not durable yet";
    for (auto& done : std::exchange(waiting_, {})) done();
    EXPECT_TRUE(next());
    EXPECT_TRUE(next());
}

TEST_F(WitnessDriverTest, AnExchangeWithoutAnAnswerIsLostAndFoundByReading) {
    driver_->add("db");
    ASSERT_TRUE(next());
    world_->freeze();
    driver_->ask("db", {Id128{}, value(1)});
    auto lost = next();
    ASSERT_TRUE(lost);
    EXPECT_FALSE(lost->reached);
    world_->thaw();
    auto shown = next();
    ASSERT_TRUE(shown && shown->reached);
    EXPECT_EQ(shown->value, value(1));
}

TEST_F(WitnessDriverTest, ARefusalIsToldOnceWithItsReason) {
    driver_->add("db");
    ASSERT_TRUE(next());
    world_->damage();
    auto lost = next();
    ASSERT_TRUE(lost);
    EXPECT_FALSE(lost->reached);
    EXPECT_EQ(lost->why, "damaged");
    EXPECT_TRUE(silent_for(1s));
}

/// Restored from a backup: this node saw more, in an earlier life of its process.
TEST_F(WitnessDriverTest, AStoreThatIsOlderThanItWasSeenIsRefused) {
    driver_->add("db");
    ASSERT_TRUE(next());
    world_->back_up();
    driver_->ask("db", {Id128{}, value(1)});
    ASSERT_TRUE(next());
    const auto seen = saved_.back();
    world_->restore();
    open(seen);
    driver_->add("db");
    auto lost = next();
    ASSERT_TRUE(lost);
    EXPECT_FALSE(lost->reached);
    EXPECT_FALSE(lost->why.empty());
}

}  // namespace
}  // namespace ha::clusterd
