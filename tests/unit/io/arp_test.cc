// What is read from the network.
#include "io/arp.h"

#include <gtest/gtest.h>

namespace ha::io {
namespace {

using Packet = std::vector<std::uint8_t>;

constexpr std::uint32_t kAddress = 0xc000020a;  // 192.0.2.10
constexpr Mac kMac{0x02, 0, 0, 0, 0, 0x17};

/// A reply of kMac, who has kAddress.
Packet reply() {
    return {0,   1, 8, 0,  6,    4, 0, 2, 0x02, 0,    0, 0, 0, 0x17,
            192, 0, 2, 10, 0x02, 0, 0, 0, 0,    0x42, 0, 0, 0, 0};
}
/// A probe of kMac for kAddress.
Packet probe() {
    return {0, 1, 8, 0, 6, 4, 0, 1, 0x02, 0, 0,   0, 0, 0x17,
            0, 0, 0, 0, 0, 0, 0, 0, 0,    0, 192, 0, 2, 10};
}
std::optional<ArpClaim> read(Packet packet, std::size_t at = 0, std::uint8_t value = 0) {
    if (at != 0) packet.at(at) = value;
    return read_arp(packet);
}

TEST(Arp, WhoHasAnAddressSaysSo) {
    EXPECT_EQ(read(reply()), (ArpClaim{kAddress, kMac, false}));
    EXPECT_EQ(read(reply(), 7, 1), (ArpClaim{kAddress, kMac, false})) << "by asking for another";
}

TEST(Arp, AProbeIsToldFromAClaim) {
    EXPECT_EQ(read(probe()), (ArpClaim{kAddress, kMac, true}));
    EXPECT_FALSE(read(probe(), 7, 2)) << "nobody replies with no address";
}

TEST(Arp, PaddingIsNotLookedAt) {
    Packet padded = reply();
    padded.resize(46, 0xff);
    EXPECT_EQ(read(padded), (ArpClaim{kAddress, kMac, false}));
}

TEST(Arp, WhatIsCutShortIsNothing) {
    for (std::size_t length = 0; length < reply().size(); ++length) {
        Packet cut = reply();
        cut.resize(length);
        cut.shrink_to_fit();
        EXPECT_FALSE(read_arp(cut)) << length;
    }
}

TEST(Arp, WhatIsNotIpv4OverEthernetIsNothing) {
    EXPECT_TRUE(read(reply(), 1, 6)) << "IEEE 802 is Ethernet, too";
    EXPECT_FALSE(read(reply(), 1, 32));
    EXPECT_FALSE(read(reply(), 2, 0x86));
    EXPECT_FALSE(read(reply(), 4, 20));
    EXPECT_FALSE(read(reply(), 5, 16));
    EXPECT_FALSE(read(reply(), 7, 3)) << "RARP";
    EXPECT_FALSE(read(reply(), 6, 1));
}

TEST(Arp, NobodyIsAGroupOrHasNoNumber) {
    EXPECT_FALSE(read(reply(), 8, 0x03));
    Packet none = reply();
    std::fill_n(none.begin() + 8, 6, std::uint8_t{0});
    EXPECT_FALSE(read(none));
}

TEST(Arp, AnEmptyProbeIsNothing) {
    Packet empty = probe();
    std::fill_n(empty.begin() + 24, 4, std::uint8_t{0});
    EXPECT_FALSE(read(empty));
}

/// Any bytes at all: it reads none beyond them (under ASan), and what it returns makes sense.
TEST(Arp, AnythingMayCome) {
    std::uint64_t random = 88172645463325252ULL;
    for (int i = 0; i < 100'000; ++i) {
        Packet packet = i % 2 == 0 ? reply() : probe();
        for (int changes = 0; changes < 3; ++changes) {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            packet.at(random % packet.size()) = static_cast<std::uint8_t>(random >> 32);
        }
        const auto claim = read_arp(packet);
        if (claim) {
            EXPECT_NE(claim->address, 0U);
            EXPECT_NE(claim->mac, Mac{});
        }
    }
}

}  // namespace
}  // namespace ha::io
