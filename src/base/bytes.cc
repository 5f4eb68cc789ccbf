#include "base/bytes.h"

namespace ha {
namespace {

void append(std::vector<std::byte>& out, std::uint64_t value, std::size_t width) {
    for (std::size_t i = 0; i < width; ++i) {
        out.push_back(static_cast<std::byte>((value >> (8 * i)) & 0xff));
    }
}

}  // namespace

void ByteWriter::u8(std::uint8_t value) {
    append(out_, value, 1);
}
void ByteWriter::u16(std::uint16_t value) {
    append(out_, value, 2);
}
void ByteWriter::u32(std::uint32_t value) {
    append(out_, value, 4);
}
void ByteWriter::u64(std::uint64_t value) {
    append(out_, value, 8);
}

void ByteWriter::id(const Id128& value) {
    u64(value.high);
    u64(value.low);
}

void ByteWriter::bytes(std::span<const std::byte> value) {
    u32(static_cast<std::uint32_t>(value.size()));
    out_.insert(out_.end(), value.begin(), value.end());
}

void ByteWriter::text(std::string_view value) {
    bytes(std::as_bytes(std::span<const char>(value.data(), value.size())));
}

std::span<const std::byte> ByteReader::take(std::size_t count) {
    if (count > in_.size()) ok_ = false;
    if (!ok_) return {};
    auto taken = in_.first(count);
    in_ = in_.subspan(count);
    return taken;
}

std::uint64_t ByteReader::number(std::size_t width) {
    std::uint64_t value = 0;
    auto raw = take(width);
    for (std::size_t i = 0; i < raw.size(); ++i) {
        value |= static_cast<std::uint64_t>(raw[i]) << (8 * i);
    }
    return value;
}

std::uint8_t ByteReader::u8() {
    return static_cast<std::uint8_t>(number(1));
}
std::uint16_t ByteReader::u16() {
    return static_cast<std::uint16_t>(number(2));
}
std::uint32_t ByteReader::u32() {
    return static_cast<std::uint32_t>(number(4));
}
std::uint64_t ByteReader::u64() {
    return number(8);
}

Id128 ByteReader::id() {
    Id128 value;
    value.high = u64();
    value.low = u64();
    return value;
}

std::span<const std::byte> ByteReader::bytes(std::size_t limit) {
    std::size_t length = u32();
    if (length > limit) ok_ = false;
    return take(length);
}

std::string ByteReader::text(std::size_t limit) {
    auto raw = bytes(limit);
    return std::string(reinterpret_cast<const char*>(raw.data()), raw.size());
}

}  // namespace ha
