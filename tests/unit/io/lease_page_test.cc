#include "io/lease_page.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "io/clock.h"

namespace ha::io {
namespace {

class LeasePageTest : public testing::Test {
  protected:
    void SetUp() override {
        char name[] = "/tmp/lease-test-XXXXXX";
        ASSERT_NE(mkdtemp(name), nullptr);
        directory_ = name;
    }
    void TearDown() override { std::filesystem::remove_all(directory_); }
    std::shared_ptr<LeasePage> page() {
        auto opened = LeasePage::open("db", directory_);
        EXPECT_TRUE(opened) << opened.error().text;
        return *opened;
    }
    /// Whether a watch has called back before `limit`.
    bool expires_within(Duration limit) {
        while (expired_ == 0 && boot_now() < began_ + limit) {
            EXPECT_GE(sd_event_run(loop_.raw(), 10'000), 0);
        }
        return expired_ > 0;
    }

    Loop loop_;
    std::string directory_;
    Instant began_ = boot_now();
    int expired_ = 0;
};

TEST_F(LeasePageTest, ProcessesShareIt) {
    auto here = page();
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
        auto there = LeasePage::open("db", directory_);
        if (there) (*there)->lease().begin(Instant{5s}, 1s);
        _exit(there ? 0 : 1);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_EQ(status, 0);
    EXPECT_EQ(here->lease().expiry(), Instant{6s});
}

TEST_F(LeasePageTest, AFileThatIsNoLeaseIsReplaced) {
    std::ofstream(directory_ + "/db") << "something else altogether";
    EXPECT_FALSE(page()->lease().bounded());
    page()->lease().begin(Instant{5s}, 1s);
    EXPECT_TRUE(page()->lease().bounded());
}

TEST_F(LeasePageTest, ANameThatIsNoModulesIsRefused) {
    EXPECT_FALSE(LeasePage::open("../db", directory_));
    EXPECT_FALSE(LeasePage::open("", directory_));
}

TEST_F(LeasePageTest, AWatchCallsBackWhenItRunsOutAndNotBefore) {
    LeaseWatch watch(loop_, page(), [this] { ++expired_; });
    EXPECT_FALSE(watch.look());
    watch.lease().begin(boot_now(), 200ms);
    EXPECT_FALSE(watch.look());
    const Instant renewed = boot_now() + 100ms;
    page()->lease().confirm(Lease::By::Mirror, renewed);  // by another one of the processes
    EXPECT_TRUE(expires_within(5s));
    EXPECT_GE(boot_now(), renewed + 200ms);
    EXPECT_TRUE(watch.look());
}

TEST_F(LeasePageTest, AnEndedLeaseDoesNotCallBack) {
    LeaseWatch watch(loop_, page(), [this] { ++expired_; });
    watch.lease().begin(boot_now(), 50ms);
    EXPECT_FALSE(watch.look());
    page()->lease().end();
    EXPECT_FALSE(expires_within(200ms));
}

}  // namespace
}  // namespace ha::io
