#include "io/heartbeat.h"

#include <gtest/gtest.h>

#include <unistd.h>

#include <algorithm>
#include "io/clock.h"

namespace ha::io {
namespace {

using enum HeartbeatVerdict;
using Key = std::array<std::byte, 32>;

Key key(int fill) {
    Key out;
    out.fill(static_cast<std::byte>(fill));
    return out;
}

const Id128 kBoot{1, 1};
const std::vector<std::byte> kPayload(100, std::byte{5});

class HeartbeatCodec : public testing::Test {
  protected:
    HeartbeatSealer sealer_{kBoot};
    HeartbeatOpener opener_;

    void SetUp() override {
        sealer_.set_key(key(1));
        opener_.set_key(key(1), kBoot);
    }
    std::vector<std::byte> next(std::uint8_t network = 0) {
        return sealer_.seal(network, boot_now(), kPayload).value();
    }
    HeartbeatVerdict verdict(const std::vector<std::byte>& datagram, std::uint8_t network = 0) {
        return opener_.open(network, datagram).verdict;
    }
};

TEST_F(HeartbeatCodec, APayloadArrives) {
    auto datagram = next();
    auto opened = opener_.open(0, datagram);
    EXPECT_EQ(opened.verdict, Good);
    EXPECT_TRUE(
        std::equal(opened.payload.begin(), opened.payload.end(), kPayload.begin(), kPayload.end()));
}

TEST_F(HeartbeatCodec, ReplayedAndReorderedAreRefused) {
    auto first = next(), second = next(), third = next();
    EXPECT_EQ(verdict(first), Good);
    EXPECT_EQ(verdict(first), Replayed);
    EXPECT_EQ(verdict(third), Good);
    EXPECT_EQ(verdict(second), Replayed);
}

TEST_F(HeartbeatCodec, NetworksCountForThemselvesAndDoNotMix) {
    auto on_first = next(0), on_second = next(1);
    EXPECT_EQ(verdict(on_second, 1), Good);
    EXPECT_EQ(verdict(on_first, 0), Good);
    EXPECT_EQ(verdict(next(0), 1), WrongPlace);
}

TEST_F(HeartbeatCodec, EveryTruncationAndEveryFlippedBitIsRefused) {
    auto datagram = next();
    for (std::size_t length = 0; length < datagram.size(); ++length) {
        EXPECT_NE(verdict({datagram.begin(), datagram.begin() + static_cast<long>(length)}), Good);
    }
    for (std::size_t bit = 0; bit < datagram.size() * 8; ++bit) {
        auto flipped = datagram;
        flipped[bit / 8] ^= static_cast<std::byte>(1 << (bit % 8));
        EXPECT_NE(verdict(flipped), Good) << bit;
    }
    auto longer = datagram;
    longer.push_back(std::byte{0});
    EXPECT_NE(verdict(longer), Good);
    EXPECT_EQ(verdict(datagram), Good);
}

TEST_F(HeartbeatCodec, OnlyThePeersKeyAndBootCount) {
    HeartbeatOpener unpaired;
    EXPECT_EQ(unpaired.open(0, next()).verdict, NoKey);
    sealer_.set_key(key(2));
    EXPECT_EQ(verdict(next()), WrongKey);
    HeartbeatSealer rebooted(Id128{2, 2});
    EXPECT_FALSE(rebooted.seal(0, boot_now(), kPayload));
    rebooted.set_key(key(1));
    EXPECT_EQ(verdict(*rebooted.seal(0, boot_now(), kPayload)), OtherBoot);
}

TEST_F(HeartbeatCodec, KeysOverlapByOneSessionOfTheSameBoot) {
    auto old_key = next();
    opener_.set_key(key(2), kBoot);
    EXPECT_EQ(verdict(old_key), Good);
    EXPECT_EQ(verdict(old_key), Replayed);  // also across keys
    opener_.set_key(key(3), kBoot);
    EXPECT_EQ(verdict(next()), WrongKey);
    sealer_.set_key(key(3));
    EXPECT_EQ(verdict(next()), Good);
    opener_.set_key(key(3), Id128{9, 9});
    EXPECT_EQ(verdict(next()), OtherBoot);
}

TEST_F(HeartbeatCodec, ARestartedDaemonGoesOnCounting) {
    EXPECT_EQ(verdict(next()), Good);
    HeartbeatSealer restarted(kBoot);
    restarted.set_key(key(1));
    EXPECT_EQ(verdict(*restarted.seal(0, boot_now(), kPayload)), Good);
}

TEST(Heartbeat, DatagramsCrossBothNetworks) {
    Loop loop;
    std::vector<std::pair<std::size_t, std::size_t>> heard;
    std::uint16_t port = static_cast<std::uint16_t>(20000 + getpid() % 20000);
    auto one = Heartbeat::open(loop, {{"127.0.1.1", "127.0.1.2"}, {"127.0.2.1", "127.0.2.2"}}, port,
                               Id128{1, 1}, {[](auto, auto) {}, {}});
    ASSERT_TRUE(one) << one.error().text;
    auto two = Heartbeat::open(loop, {{"127.0.1.2", "127.0.1.1"}, {"127.0.2.2", "127.0.2.1"}}, port,
                               Id128{2, 2},
                               {[&](std::size_t network, auto payload) {
                                    heard.emplace_back(network, payload.size());
                                    if (heard.size() == 2) loop.stop();
                                },
                                {}});
    ASSERT_TRUE(two) << two.error().text;
    (*one)->set_keys({key(1), key(2)}, Id128{2, 2});
    (*two)->set_keys({key(2), key(1)}, Id128{1, 1});
    (*one)->send(kPayload);
    Timer limit(loop);
    limit.arm(boot_now() + 5s, [&] { loop.stop(); });
    ASSERT_TRUE(loop.run());
    std::sort(heard.begin(), heard.end());
    EXPECT_EQ(heard, (std::vector<std::pair<std::size_t, std::size_t>>{{0, 100}, {1, 100}}));
}

}  // namespace
}  // namespace ha::io
