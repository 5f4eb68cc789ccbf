#include "io/witness_wire.h"

#include <gtest/gtest.h>

namespace ha::io {
namespace {

using Bytes = std::vector<std::byte>;

std::vector<WitnessMessage> messages() {
    WitnessEnrol enrol;
    enrol.proof = Bytes(32, std::byte{7});
    enrol.name = "node1+node2";
    enrol.peer.bytes.fill(std::byte{9});
    const ports::RegisterStamp seen{{5, 6}, 77};
    const ports::RegisterValue value{{1, 2}, Bytes(ports::kMaxRegisterContent, std::byte{3})};
    return {WitnessHello{kWitnessVersion, {5, 6}}, enrol, WitnessAsk{1, {"m", seen, std::nullopt}},
            WitnessAsk{2, {"m", seen, ports::RegisterExchange{{3, 4}, value}}}};
}

TEST(WitnessWire, EveryMessageComesBackAndFits) {
    for (const auto& message : messages()) {
        auto bytes = encode(message);
        EXPECT_LE(bytes.size(), kMaxWitnessFrame);
        auto decoded = decode_witness_message(bytes);
        ASSERT_TRUE(decoded);
        EXPECT_EQ(decoded->index(), message.index());
        EXPECT_EQ(encode(*decoded), bytes);
    }
}

/// The example in docs/witness.md.
TEST(WitnessWire, AnExchangeIsWrittenAsDocumented) {
    const std::string content = "hi";
    ports::RegisterValue value{{0, 2}, {}};
    for (char c : content) value.content.push_back(static_cast<std::byte>(c));
    const WitnessAsk asked{5,
                           {"db", {{0, 10}, 7}, ports::RegisterExchange{{0, 1}, std::move(value)}}};
    std::string hex;
    for (std::byte byte : encode(WitnessMessage(asked))) {
        hex += "0123456789abcdef"[std::to_integer<unsigned>(byte) >> 4];
        hex += "0123456789abcdef"[std::to_integer<unsigned>(byte) & 15];
    }
    EXPECT_EQ(hex,
              "04"
              "0500000000000000"
              "00000000000000000a00000000000000"
              "0700000000000000"
              "020000006462"
              "00000000000000000100000000000000"
              "00000000000000000200000000000000"
              "020000006869");
}

TEST(WitnessWire, NothingButWholeMessagesIsRead) {
    for (const auto& message : messages()) {
        auto bytes = encode(message);
        for (std::size_t size = 0; size < bytes.size(); ++size) {
            auto decoded = decode_witness_message(std::span<const std::byte>(bytes).first(size));
            EXPECT_FALSE(decoded) << size;
        }
        bytes.push_back(std::byte{0});
        EXPECT_FALSE(decode_witness_message(bytes));
    }
    EXPECT_FALSE(decode_witness_message(Bytes(100, std::byte{9})));
    EXPECT_FALSE(decode_witness_message(encode(WitnessMessage(WitnessAsk{0, {"m", {}, {}}}))));
}

TEST(WitnessWire, OfAnotherVersionOnlyTheVersionIsRead) {
    const Bytes later{std::byte{1}, std::byte{2}, std::byte{0}, std::byte{42}};
    auto decoded = decode_witness_message(later);
    ASSERT_TRUE(decoded);
    EXPECT_EQ(std::get<WitnessHello>(*decoded).version, 2);
}

TEST(WitnessWire, AValueOrNameOverItsBoundIsNotRead) {
    const ports::RegisterValue big{{1, 2}, Bytes(ports::kMaxRegisterContent + 1)};
    EXPECT_FALSE(decode_witness_message(
        encode(WitnessMessage(WitnessAsk{2, {"m", {}, ports::RegisterExchange{{}, big}}}))));
    const std::string name(ports::kMaxRegisterName + 1, 'x');
    EXPECT_FALSE(decode_witness_message(encode(WitnessMessage(WitnessAsk{2, {name, {}, {}}}))));
}

TEST(WitnessWire, AnswersComeBackAndOnlyThoseThatCanBe) {
    WitnessAnswer won{4, {}};
    won.answer.outcome = ports::RegisterOutcome::Won;
    won.answer.stamp = {{5, 6}, 8};
    won.answer.current = ports::RegisterValue{{1, 2}, Bytes(ports::kMaxRegisterContent)};
    auto bytes = encode(won);
    EXPECT_LE(bytes.size(), kMaxWitnessFrame);
    auto decoded = decode_witness_answer(bytes);
    ASSERT_TRUE(decoded);
    EXPECT_EQ(decoded->answer, won.answer);
    for (std::size_t size = 0; size < bytes.size(); ++size) {
        auto cut = decode_witness_answer(std::span<const std::byte>(bytes).first(size));
        EXPECT_FALSE(cut) << size;
    }
    for (auto [at, wrong] : {std::pair{8, 5}, std::pair{9, 11}, std::pair{9, 1}}) {
        auto changed = bytes;
        changed[static_cast<std::size_t>(at)] = static_cast<std::byte>(wrong);
        EXPECT_FALSE(decode_witness_answer(changed)) << at << " " << wrong;
    }
    won.answer.text = std::string(10000, 'x');
    EXPECT_LE(encode(won).size(), kMaxWitnessFrame);
}

}  // namespace
}  // namespace ha::io
