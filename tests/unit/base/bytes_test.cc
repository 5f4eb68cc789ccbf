#include "base/bytes.h"

#include <gtest/gtest.h>

namespace ha {
namespace {

std::vector<std::byte> sample() {
    std::vector<std::byte> out;
    ByteWriter writer(out);
    writer.u8(7);
    writer.u16(0x1234);
    writer.u32(0xdeadbeef);
    writer.u64(1ULL << 63);
    writer.id(Id128{1, 2});
    writer.text("name");
    return out;
}

TEST(Bytes, ReadsBackWhatWasWritten) {
    auto raw = sample();
    ByteReader reader(raw);
    EXPECT_EQ(reader.u8(), 7);
    EXPECT_EQ(reader.u16(), 0x1234);
    EXPECT_EQ(reader.u32(), 0xdeadbeefU);
    EXPECT_EQ(reader.u64(), 1ULL << 63);
    EXPECT_EQ(reader.id(), (Id128{1, 2}));
    EXPECT_EQ(reader.text(4), "name");
    EXPECT_TRUE(reader.done());
}

TEST(Bytes, EveryTruncationIsSeen) {
    auto raw = sample();
    for (std::size_t length = 0; length < raw.size(); ++length) {
        ByteReader reader(std::span<const std::byte>(raw).first(length));
        reader.u8(), reader.u16(), reader.u32(), reader.u64(), reader.id(), reader.text(4);
        EXPECT_FALSE(reader.ok()) << length;
    }
}

TEST(Bytes, ALengthBeyondTheLimitIsRefused) {
    auto raw = sample();
    ByteReader reader(raw);
    reader.u8(), reader.u16(), reader.u32(), reader.u64(), reader.id();
    EXPECT_EQ(reader.text(3), "");
    EXPECT_FALSE(reader.ok());
}

TEST(Id128, TextAndBack) {
    Id128 id{0x0123456789abcdefULL, 42};
    EXPECT_EQ(Id128::parse(id.text()), id);
    EXPECT_FALSE(Id128::parse("0123"));
    EXPECT_FALSE(Id128::parse(std::string(31, '0') + "G"));
}

}  // namespace
}  // namespace ha
