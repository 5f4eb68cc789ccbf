#include "io/loop.h"

#include <gtest/gtest.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <csignal>
#include <future>
#include <optional>
#include <thread>

#include "io/clock.h"

namespace ha::io {
namespace {

TEST(Loop, PostsFromThreadsRunInOrder) {
    Loop loop;
    std::vector<int> seen;
    std::thread other([&] {
        for (int i = 0; i < 100; ++i) loop.post([&seen, i] { seen.push_back(i); });
        loop.post([&] { loop.stop(); });
    });
    ASSERT_TRUE(loop.run());
    other.join();
    ASSERT_EQ(seen.size(), 100U);
    EXPECT_EQ(seen.front(), 0);
    EXPECT_EQ(seen.back(), 99);
}

TEST(Timer, FiresNotEarlyAndCanArmItself) {
    Loop loop;
    Timer timer(loop);
    auto begin = boot_now();
    int fired = 0;
    std::function<void()> again = [&] {
        if (++fired == 3) return loop.stop();
        timer.arm(boot_now() + 5ms, again);
    };
    timer.arm(begin + 5ms, again);
    EXPECT_TRUE(timer.armed());
    ASSERT_TRUE(loop.run());
    EXPECT_FALSE(timer.armed());
    EXPECT_GE(boot_now() - begin, 15ms);
}

TEST(Timer, CancelledOrReplacedDoesNotFire) {
    Loop loop;
    Timer cancelled(loop), replaced(loop), end(loop);
    bool wrong = false, right = false;
    cancelled.arm(boot_now() + 1ms, [&] { wrong = true; });
    cancelled.cancel();
    replaced.arm(boot_now() + 1ms, [&] { wrong = true; });
    replaced.arm(boot_now() - 1s, [&] { right = true; });
    end.arm(boot_now() + 10ms, [&] { loop.stop(); });
    ASSERT_TRUE(loop.run());
    EXPECT_FALSE(wrong);
    EXPECT_TRUE(right);
}

TEST(Timer, MayBeDestroyedByItsOwnCallback) {
    Loop loop;
    auto timer = std::make_unique<Timer>(loop);
    timer->arm(boot_now(), [&] {
        timer.reset();
        loop.stop();
    });
    ASSERT_TRUE(loop.run());
}

TEST(Watch, ReportsADescriptorAndMayBeDestroyedByItsCallback) {
    Loop loop;
    int ends[2];
    ASSERT_EQ(pipe(ends), 0);
    std::optional<Watch> watch(std::in_place, loop);
    ASSERT_TRUE(watch->start(ends[0], EPOLLIN, [&](std::uint32_t events) {
        EXPECT_TRUE(events & EPOLLIN);
        watch.reset();
        loop.stop();
    }));
    ASSERT_EQ(write(ends[1], "x", 1), 1);
    ASSERT_TRUE(loop.run());
    close(ends[0]), close(ends[1]);
}

TEST(Watch, RefusesWhatCannotBeWaitedFor) {
    Loop loop;
    Watch watch(loop);
    EXPECT_FALSE(watch.start(-1, EPOLLIN, [](std::uint32_t) {}));
}

TEST(Loop, SigtermReachesTheCallbackWhateverThreadsThereAre) {
    Loop::hold_termination();
    Loop loop;
    std::promise<void> over;
    std::thread another([wait = over.get_future()] { wait.wait(); });
    loop.on_terminate([&] { loop.stop(); });
    loop.post([] { kill(getpid(), SIGTERM); });
    ASSERT_TRUE(loop.run());
    over.set_value();
    another.join();
}

}  // namespace
}  // namespace ha::io
