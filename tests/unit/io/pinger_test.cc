// Against the kernel of this machine, which answers on loopback. Needs CAP_NET_RAW.
#include "io/pinger.h"

#include <gtest/gtest.h>
#include <sched.h>

#include <thread>

#include "io/clock.h"

namespace ha::io {
namespace {

/// Answers that came until `enough` of `target` have, or the time is over.
std::vector<Instant> answers(const std::vector<std::string>& targets, std::size_t target,
                             std::size_t enough, Duration patience = 5s) {
    Loop loop;
    std::vector<Instant> out;
    auto pinger = Pinger::open(loop, targets, [&](std::size_t at, Instant sent) {
        if (at == target) out.push_back(sent);
        if (out.size() >= enough) loop.stop();
    });
    EXPECT_TRUE(pinger.has_value()) << pinger.error().text;
    if (!pinger) return out;
    Timer end(loop);
    end.arm(boot_now() + patience, [&] { loop.stop(); });
    (*pinger)->every(10ms);
    EXPECT_TRUE(loop.run());
    return out;
}

TEST(Pinger, EachProbeIsAnsweredOnce) {
    const Instant before = boot_now();
    const auto sent = answers({"127.0.0.1", "127.0.0.2"}, 1, 5);
    ASSERT_EQ(sent.size(), 5U);
    EXPECT_GE(sent.front(), before);
    for (std::size_t i = 1; i < sent.size(); ++i) EXPECT_GT(sent[i], sent[i - 1]);
}

TEST(Pinger, TheOthersProbesAreNotOurs) {
    Loop loop;
    int foreign = 0;
    auto deaf = Pinger::open(loop, {"127.0.0.1"}, [&](std::size_t, Instant) { ++foreign; });
    int own = 0;
    auto pinger = Pinger::open(loop, {"127.0.0.1"}, [&](std::size_t, Instant) {
        if (++own == 5) loop.stop();
    });
    ASSERT_TRUE(deaf.has_value() && pinger.has_value());
    (*pinger)->every(5ms);
    EXPECT_TRUE(loop.run());
    EXPECT_EQ(foreign, 0);
}

TEST(Pinger, NobodyAnswersForAMachineThatIsNotThere) {
    // A network of this thread's own, with nothing in it.
    std::thread([] {
        ASSERT_EQ(unshare(CLONE_NEWNET), 0);
        EXPECT_TRUE(answers({"192.0.2.1"}, 0, 1, 200ms).empty());
    }).join();
}

TEST(Pinger, ANameIsNoTarget) {
    Loop loop;
    EXPECT_FALSE(Pinger::open(loop, {"router"}, [](std::size_t, Instant) {}).has_value());
}

}  // namespace
}  // namespace ha::io
