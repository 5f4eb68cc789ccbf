#include "core/replication/frame.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "core/replication/session.h"

namespace ha::replication {
namespace {

std::vector<std::byte> frame(std::size_t payload, Sequence sequence) {
    FrameBuilder builder(FrameType::Operation);
    for (std::size_t i = 0; i < payload; ++i) builder.out().push_back(static_cast<std::byte>(i));
    builder.seal();
    return *std::move(builder).finish(sequence);
}

void feed(FrameReader& reader, std::span<const std::byte> bytes) {
    auto space = reader.space(bytes.size());
    std::copy(bytes.begin(), bytes.end(), space.begin());
    reader.committed(bytes.size());
}

TEST(Frame, ComesBackHoweverTheStreamIsCut) {
    std::vector<std::byte> stream;
    for (std::uint64_t i = 1; i <= 40; ++i) {
        auto one = frame(i * 3, Sequence{i});
        stream.insert(stream.end(), one.begin(), one.end());
    }
    for (std::size_t step : {std::size_t{1}, std::size_t{23}, std::size_t{1000}}) {
        FrameReader reader;
        std::uint64_t seen = 0;
        for (std::size_t at = 0; at < stream.size(); at += step) {
            feed(reader, std::span(stream).subspan(at, std::min(step, stream.size() - at)));
            for (auto next = reader.next(); next && *next; next = reader.next()) {
                EXPECT_EQ((*next)->sequence.value, ++seen);
                EXPECT_EQ((*next)->payload.size(), seen * 3);
            }
        }
        EXPECT_EQ(seen, 40U);
    }
}

TEST(Frame, EveryFlippedByteIsRefused) {
    const auto good = frame(50, Sequence{7});
    for (std::size_t at = 0; at < good.size(); ++at) {
        auto damaged = good;
        damaged[at] ^= std::byte{0x10};
        FrameReader reader;
        feed(reader, damaged);
        auto next = reader.next();
        // A longer length is only known to be wrong when that much has arrived.
        if (next && !*next) {
            EXPECT_LT(at, 4U);
            feed(reader, std::vector<std::byte>(kMaxPayload));
            next = reader.next();
        }
        EXPECT_FALSE(next) << at;
    }
}

TEST(Frame, AHostileLengthIsRefusedAtOnce) {
    auto hostile = frame(0, Sequence{1});
    hostile[3] = std::byte{0xff};
    FrameReader reader;
    feed(reader, hostile);
    EXPECT_FALSE(reader.next());
}

TEST(Session, MessagesComeBack) {
    std::vector<std::byte> raw;
    Hello hello{kProtocol, {1, 2}, {3, 4}, Epoch{5}, {6, 7}, {8, 9}, End::Target, Sequence{10}};
    encode(hello, raw);
    ASSERT_TRUE(decode_hello(raw));
    EXPECT_EQ(*decode_hello(raw), hello);
    for (std::size_t length = 0; length < raw.size(); ++length) {
        EXPECT_FALSE(decode_hello(std::span(raw).first(length)));
    }
    raw.clear();
    Ack ack{Sequence{9}, Sequence{8}, {{Sequence{7}, 0}, {Sequence{9}, 5}}, 3, 4};
    encode(ack, raw);
    EXPECT_EQ(*decode_ack(raw), ack);
    raw.pop_back();
    EXPECT_FALSE(decode_ack(raw));
    raw.clear();
    encode(Ack{Sequence{1}, Sequence{2}, {}}, raw);
    EXPECT_FALSE(decode_ack(raw)) << "durable beyond accepted";
    raw.clear();
    KeepAlive keep_alive{Sequence{1}, Sequence{2}, 3, 4};
    encode(keep_alive, raw);
    EXPECT_EQ(*decode_keep_alive(raw), keep_alive);
    raw.clear();
    encode(Refusal{RefusalReason::Behind, "why"}, raw);
    EXPECT_EQ(decode_refusal(raw)->reason, RefusalReason::Behind);
    raw[0] = std::byte{99};
    EXPECT_FALSE(decode_refusal(raw));
}

TEST(Session, AnotherVersionIsReadFarEnoughToBeRefused) {
    std::vector<std::byte> raw(4, std::byte{9});
    raw.resize(200);
    auto hello = decode_hello(raw);
    ASSERT_TRUE(hello);
    EXPECT_NE(hello->protocol, kProtocol);
}

}  // namespace
}  // namespace ha::replication
