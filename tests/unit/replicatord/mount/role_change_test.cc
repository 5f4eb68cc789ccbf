#include "replicatord/role_change.h"

#include <sys/mman.h>

#include <atomic>
#include <future>
#include <thread>

#include "mount_fixture.h"

// Role changes while an application goes on. What it waits for keeps pages locked in the kernel,
// and a role change that waited for those pages would never end.

namespace ha::replicatord {
namespace {

/// Nobody is at the other end.
class NoDialer final : public Dialer {
  public:
    Result<std::unique_ptr<Channel>> connect() override { return wait(); }
    Result<std::unique_ptr<Channel>> accept() override { return wait(); }
    void interrupt() noexcept override {
        std::scoped_lock lock(mutex_);
        interrupted_ = true;
        changed_.notify_all();
    }
    void reset() noexcept override {
        std::scoped_lock lock(mutex_);
        interrupted_ = false;
    }

  private:
    tl::unexpected<Error> wait() {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] { return interrupted_; });
        return fail("nobody is there", ECANCELED);
    }

    std::mutex mutex_;
    std::condition_variable changed_;
    bool interrupted_ = false;
};

/// The mirror's, once it is there; counts who came.
class CountingJournal final : public Journal {
  public:
    void become(Journal* journal) { journal_ = journal; }
    int admit() override {
        {
            std::scoped_lock lock(mutex_);
            ++came_;
            changed_.notify_all();
        }
        Journal* journal = journal_.load();  // mounted before the mirror is there
        return journal == nullptr ? EROFS : journal->admit();
    }
    void leave() noexcept override { journal_.load()->leave(); }
    Sequence append(replication::Operation operation) override {
        return journal_.load()->append(std::move(operation));
    }
    void when_accepted(Sequence sequence, Completion done) override {
        {
            std::scoped_lock lock(mutex_);
            ++appended_;
            changed_.notify_all();
        }
        journal_.load()->when_accepted(sequence, std::move(done));
    }
    void when_durable(Sequence sequence, Completion done) override {
        journal_.load()->when_durable(sequence, std::move(done));
    }
    int came() {
        std::scoped_lock lock(mutex_);
        return came_;
    }
    void wait_for_came(int count) {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return came_ >= count; });
    }
    int appended() {
        std::scoped_lock lock(mutex_);
        return appended_;
    }
    void wait_for_appended(int count) {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return appended_ >= count; });
    }

  private:
    std::atomic<Journal*> journal_ = nullptr;
    std::mutex mutex_;
    std::condition_variable changed_;
    int came_ = 0;
    int appended_ = 0;
};

class RoleChange : public MountTest {
  protected:
    void SetUp() override {
        MountTest::SetUp();
        if (IsSkipped()) return;
        mirror_ = std::make_unique<Mirror>(filesystem_->tree(), filesystem_->locks(), dialer_,
                                           Id128{1, 1}, Mirror::Settings{}, [](api::Fact) {});
        counting_.become(mirror_.get());
        serve(1);
    }
    void TearDown() override {
        if (mirror_) mirror_->fail_held();
        if (filesystem_) {
            EXPECT_TRUE(filesystem_->unmount(std::chrono::seconds(10)));
        }
        mirror_.reset();
        MountTest::TearDown();
    }
    Journal& used_journal() override { return counting_; }

    void serve(std::uint64_t term) {
        mirror_->serve(
            {{1, 1}, Epoch{term}, Id128{term, 1}, Id128{term, 2}, api::ServeMirror::Peer::Absent});
        mirror_->allow({Id128{term, 1}});
    }
    void follow(std::uint64_t term) { mirror_->follow({{1, 1}, Epoch{term}, {9, term}, true}); }

    /// A small write at the end of "log", as any logger makes it; errno or 0.
    std::future<int> append() {
        return std::async(std::launch::async, [this] {
            io::Fd fd(::open(at("log").c_str(), O_WRONLY | O_APPEND));
            if (!fd) return errno;
            return ::write(fd.get(), "line\n", 5) == 5 ? 0 : errno;
        });
    }

    /// Whether it came before the change or during it is the scheduler's affair.
    static void expect_refused(std::future<int>& written) {
        const int error = written.get();
        EXPECT_TRUE(error == EIO || error == EROFS) << std::strerror(error);
    }

    NoDialer dialer_;
    CountingJournal counting_;
    std::unique_ptr<Mirror> mirror_;
};

TEST_F(RoleChange, ADemotionAnswersAWriteThatWaitsToBegin) {
    put("log", "first\n");
    mirror_->drain();
    const int before = counting_.came();
    auto written = append();
    counting_.wait_for_came(before + 1);  // the kernel keeps the page locked
    ASSERT_TRUE(begin_role(*mirror_, *filesystem_, Role::kFollowing));
    follow(2);
    expect_refused(written);
    EXPECT_EQ(get(below("log")), "first\n");
}

TEST_F(RoleChange, ADemotionAnswersAWriteThatWaitsForItsAcknowledgement) {
    put("log", "first\n");
    mirror_->make_durable({1, true});  // from here on nothing is acknowledged
    const int before = counting_.appended();
    auto written = append();
    counting_.wait_for_appended(before + 1);
    ASSERT_TRUE(begin_role(*mirror_, *filesystem_, Role::kFollowing));
    follow(2);
    EXPECT_EQ(written.get(), EIO);
}

TEST_F(RoleChange, APromotionAnswersAWriteThatWaitedForARole) {
    put("log", "first\n");
    mirror_->hold();
    const int before = counting_.came();
    auto written = append();
    counting_.wait_for_came(before + 1);
    ASSERT_TRUE(begin_role(*mirror_, *filesystem_, Role::kServing));
    serve(2);
    expect_refused(written);
    EXPECT_EQ(append().get(), 0);
    EXPECT_EQ(get(below("log")), "first\nline\n");
}

// Its system call must not happen when the copy is another's already.
TEST_F(RoleChange, ANewRoleWaitsForWhatHasBegun) {
    ASSERT_EQ(mirror_->admit(), 0);
    auto changed = std::async(std::launch::async, [this] {
        return begin_role(*mirror_, *filesystem_, Role::kFollowing).has_value();
    });
    while (mirror_->admit() == 0) mirror_->leave();  // until it has begun
    EXPECT_EQ(changed.wait_for(100ms), std::future_status::timeout);
    mirror_->leave();
    EXPECT_TRUE(changed.get());
}

// The invalidation itself writes such a page out.
TEST_F(RoleChange, ADemotionIsNotHeldUpByAStoreToAMapping) {
    put("log", std::string(4096, '.'));
    io::Fd fd(::open(at("log").c_str(), O_RDWR));
    void* map = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
    ASSERT_NE(map, MAP_FAILED);
    std::memcpy(map, "store", 5);
    mirror_->drain();
    ASSERT_TRUE(begin_role(*mirror_, *filesystem_, Role::kFollowing));
    follow(2);
    ::munmap(map, 4096);
    EXPECT_EQ(get(below("log")).substr(0, 5), ".....");
}

TEST_F(RoleChange, WhoeverWritesAllTheTimeIsNotInItsWay) {
    put("log", "");
    std::atomic<bool> over = false;
    auto writer = std::async(std::launch::async, [&] {
        while (!over) append().wait();
    });
    for (std::uint64_t term = 2; term < 12; ++term) {
        counting_.wait_for_came(counting_.came() + 3);
        if (term % 2 == 0) mirror_->drain();
        ASSERT_TRUE(begin_role(*mirror_, *filesystem_, Role::kFollowing));
        follow(term);
        ASSERT_TRUE(begin_role(*mirror_, *filesystem_, Role::kServing));
        serve(term);
    }
    over = true;
    writer.get();
}

using Invalidation = MountTest;

// Should a write never be answered all the same, the mount is given up and not the daemon.
TEST_F(Invalidation, AWriteThatIsNeverAnsweredCostsTheMount) {
    put("log", "first\n");
    journal().hold(true);
    auto written = std::async(std::launch::async, [this] {
        io::Fd fd(::open(at("log").c_str(), O_WRONLY | O_APPEND));
        return ::write(fd.get(), "line\n", 5) == 5 ? 0 : errno;
    });
    journal().wait_for_held(1);
    auto invalidated = filesystem_->invalidate_all(50ms);
    ASSERT_FALSE(invalidated);
    EXPECT_EQ(invalidated.error().code, ECONNABORTED);
    EXPECT_EQ(written.get(), ECONNABORTED);
    journal().hold(false);
}

}  // namespace
}  // namespace ha::replicatord
