#include <gtest/gtest.h>

#include <random>

#include "samples.h"

namespace ha::replication {
namespace {

template <typename Record>
std::vector<std::byte> encoded(const Record& record) {
    std::vector<std::byte> out;
    encode(record, out);
    return out;
}

// Two records are the same if they encode to the same bytes; the samples leave no field at its
// default, so a field that is not read back shows.
TEST(OperationCodec, EveryKindComesBack) {
    for (const auto& operation : samples::operations()) {
        auto raw = encoded(operation);
        auto back = decode(raw);
        ASSERT_TRUE(back) << operation.body.index();
        EXPECT_EQ(back->body.index(), operation.body.index());
        EXPECT_EQ(back->stamps, operation.stamps);
        EXPECT_EQ(encoded(*back), raw);
    }
}

TEST(CopyCodec, EveryKindComesBack) {
    for (const auto& record : samples::copies()) {
        auto raw = encoded(record);
        auto back = decode_copy(raw);
        ASSERT_TRUE(back) << record.body.index();
        EXPECT_TRUE(back->body == record.body);
        EXPECT_EQ(back->stamps, record.stamps);
    }
}

TEST(OperationCodec, TheExampleInTheDocumentIsTrue) {
    Operation operation{Write{FileId{9}, 4096, samples::bytes("hi"), false},
                        {{FileId{9}, {1700000000, 123456789}}}};
    const unsigned char expected[] = {0x01, 9, 0, 0, 0, 0,    0,    0,    0,   0, 0x10, 0,
                                      0,    0, 0, 0, 0, 0,    2,    0,    0,   0, 0x68, 0x69,
                                      1,    9, 0, 0, 0, 0,    0,    0,    0,   0, 0xf1, 0x53,
                                      0x65, 0, 0, 0, 0, 0x15, 0xcd, 0x5b, 0x07};
    auto raw = std::as_bytes(std::span(expected));
    EXPECT_EQ(encoded(operation), std::vector<std::byte>(raw.begin(), raw.end()));
}

TEST(OperationCodec, EveryTruncationAndEveryAdditionIsRefused) {
    for (const auto& operation : samples::operations()) {
        auto raw = encoded(operation);
        for (std::size_t length = 0; length < raw.size(); ++length) {
            EXPECT_FALSE(decode(std::span(raw).first(length))) << operation.body.index();
        }
        raw.push_back(std::byte{0});
        EXPECT_FALSE(decode(raw));
    }
}

TEST(CopyCodec, EveryTruncationIsRefused) {
    for (const auto& record : samples::copies()) {
        auto raw = encoded(record);
        for (std::size_t length = 0; length < raw.size(); ++length) {
            EXPECT_FALSE(decode_copy(std::span(raw).first(length))) << record.body.index();
        }
    }
}

// The checksum of the frame sees a flipped byte; should one pass, the codec must stay within
// bounds and whatever it yields must be a record that encodes to those very bytes.
TEST(OperationCodec, EveryFlippedByteIsRefusedOrReadAsWritten) {
    for (const auto& operation : samples::operations()) {
        const auto raw = encoded(operation);
        for (std::size_t at = 0; at < raw.size(); ++at) {
            for (unsigned mask : {0x01U, 0x80U, 0xffU}) {
                auto damaged = raw;
                damaged[at] ^= static_cast<std::byte>(mask);
                if (auto read = decode(damaged)) {
                    EXPECT_EQ(encoded(*read), damaged);
                }
            }
        }
    }
}

TEST(OperationCodec, NoiseIsReadWithoutHarm) {
    std::mt19937_64 random(1);
    for (int round = 0; round < 20000; ++round) {
        std::vector<std::byte> noise(random() % 200);
        for (auto& byte : noise) byte = static_cast<std::byte>(random());
        if (!noise.empty()) noise[0] = static_cast<std::byte>(random() % 13);
        if (auto read = decode(noise)) {
            EXPECT_EQ(encoded(*read), noise);
        }
        if (auto read = decode_copy(noise)) {
            EXPECT_EQ(encoded(*read), noise);
        }
    }
}

TEST(OperationCodec, NamesThatAreNoEntriesAreRefused) {
    for (const std::string& name : {std::string(), std::string("a/b"), std::string("a\0b", 3),
                                    std::string("."), std::string(".."), std::string(256, 'x')}) {
        EXPECT_FALSE(decode(encoded(Operation{Link{FileId{9}, FileId{1}, name}, {}}))) << name;
        EXPECT_EQ(
            decode_copy(encoded(CopyRecord{CopyDetach{FileId{1}, name, FileId{9}, false}, {}}))
                .has_value(),
            name.empty());
    }
    EXPECT_TRUE(decode(encoded(Operation{Link{FileId{9}, FileId{1}, "...\xff"}, {}})));
}

TEST(OperationCodec, NumbersOutOfRangeAreRefused) {
    EXPECT_FALSE(decode(encoded(Operation{Write{FileId{}, 0, {}, false}, {}})));
    EXPECT_FALSE(decode(encoded(Operation{Write{FileId{9}, INT64_MAX, samples::bytes("x")}, {}})));
    EXPECT_FALSE(decode(
        encoded(Operation{Write{FileId{9}, 0, std::vector<std::byte>(kMaxData + 1), false}, {}})));
    EXPECT_FALSE(decode(encoded(Operation{Allocate{FileId{9}, 0, INT64_MAX, 1}, {}})));
    EXPECT_FALSE(decode(encoded(Operation{
        Release{FileId{9}}, std::vector<TimeStamp>(kMaxStamps + 1, {FileId{1}, FileTime{}})})));
    EXPECT_FALSE(
        decode(encoded(Operation{Release{FileId{9}}, {{FileId{1}, FileTime{0, 1'000'000'000}}}})));
    EXPECT_FALSE(decode_copy(encoded(CopyRecord{CopyHashes{FileId{9}, 5, 0}, {}})));
}

TEST(AnswerCodec, ComesBackAndIsBounded) {
    HashAnswer answer{FileId{9}, kHashZone, 3, 4, std::vector<BlockHash>(128)};
    answer.blocks[5][31] = std::byte{7};
    auto raw = encoded(answer);
    auto back = decode_answer(raw);
    ASSERT_TRUE(back);
    EXPECT_EQ(*back, answer);
    for (std::size_t length = 0; length < raw.size(); length += 7) {
        EXPECT_FALSE(decode_answer(std::span(raw).first(length)));
    }
    answer.blocks.resize(129);
    EXPECT_FALSE(decode_answer(encoded(answer)));
}

}  // namespace
}  // namespace ha::replication
