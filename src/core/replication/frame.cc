#include "core/replication/frame.h"

#include "base/assert.h"
#include "base/bytes.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#define XXH_INLINE_ALL
#include <xxhash.h>
#pragma GCC diagnostic pop

#include <algorithm>
#include <cstring>

namespace ha::replication {
namespace {

constexpr std::size_t kChecked = 16;  // bytes of the header before the checksum

bool known(std::uint8_t type) {
    return type >= static_cast<std::uint8_t>(FrameType::Hello) &&
           type <= static_cast<std::uint8_t>(FrameType::Failure);
}

std::uint64_t payload_hash(std::span<const std::byte> payload) {
    return XXH3_64bits(payload.data(), payload.size());
}

std::uint64_t checksum(std::span<const std::byte> header, std::uint64_t hash_of_payload) {
    return XXH3_64bits_withSeed(header.data(), kChecked, hash_of_payload);
}

}  // namespace

FrameBuilder::FrameBuilder(FrameType type, std::size_t expected_payload) : type_(type) {
    bytes_.reserve(kFrameHeader + expected_payload);
    bytes_.resize(kFrameHeader);
}

void FrameBuilder::seal() {
    payload_hash_ = payload_hash(std::span<const std::byte>(bytes_).subspan(kFrameHeader));
}

SharedFrame FrameBuilder::finish(Sequence sequence) && {
    std::size_t length = bytes_.size() - kFrameHeader;
    HA_ASSERT(length <= kMaxPayload);
    std::vector<std::byte> header;
    ByteWriter writer(header);
    writer.u32(static_cast<std::uint32_t>(length));
    writer.u32(static_cast<std::uint32_t>(type_));
    writer.u64(sequence.value);
    writer.u64(checksum(header, payload_hash_));
    std::copy(header.begin(), header.end(), bytes_.begin());
    return std::make_shared<const std::vector<std::byte>>(std::move(bytes_));
}

std::span<std::byte> FrameReader::space(std::size_t count) {
    if (begin_ > 0 && buffer_.size() - end_ < count) {
        std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
        end_ -= begin_;
        begin_ = 0;
    }
    if (buffer_.size() - end_ < count) buffer_.resize(end_ + count);
    return std::span<std::byte>(buffer_).subspan(end_, count);
}

void FrameReader::committed(std::size_t count) {
    end_ += count;
    HA_ASSERT(end_ <= buffer_.size());
}

Result<std::optional<Frame>> FrameReader::next() {
    auto unread = std::span<const std::byte>(buffer_).subspan(begin_, end_ - begin_);
    if (unread.size() < kFrameHeader) return std::nullopt;
    ByteReader header(unread.first(kFrameHeader));
    std::size_t length = header.u32();
    std::uint32_t type = header.u32();
    Sequence sequence{header.u64()};
    std::uint64_t expected = header.u64();
    if (length > kMaxPayload || type > 255 || !known(static_cast<std::uint8_t>(type))) {
        return fail("The peer sent a frame that cannot be read (length or type).");
    }
    if (unread.size() < kFrameHeader + length) return std::nullopt;
    auto payload = unread.subspan(kFrameHeader, length);
    if (checksum(unread, payload_hash(payload)) != expected) {
        return fail("A frame from the peer was damaged on its way (checksum).");
    }
    begin_ += kFrameHeader + length;
    return Frame{static_cast<FrameType>(type), sequence, payload};
}

}  // namespace ha::replication
