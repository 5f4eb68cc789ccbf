#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/id128.h"

namespace ha {

/// Appends little-endian numbers and length-prefixed byte strings to a buffer.
class ByteWriter {
  public:
    explicit ByteWriter(std::vector<std::byte>& out) : out_(out) {}

    void u8(std::uint8_t value);
    void u16(std::uint16_t value);
    void u32(std::uint32_t value);
    void u64(std::uint64_t value);
    void i64(std::int64_t value) { u64(static_cast<std::uint64_t>(value)); }
    void id(const Id128& value);
    /// u32 length, then the bytes.
    void bytes(std::span<const std::byte> value);
    void text(std::string_view value);

  private:
    std::vector<std::byte>& out_;
};

/// Reads what ByteWriter wrote, from bytes that nobody has checked. After the first read beyond the
/// end every further read gives zero or an empty span and ok() is false: read all, then ask once.
class ByteReader {
  public:
    explicit ByteReader(std::span<const std::byte> in) : in_(in) {}

    std::uint8_t u8();
    std::uint16_t u16();
    std::uint32_t u32();
    std::uint64_t u64();
    std::int64_t i64() { return static_cast<std::int64_t>(u64()); }
    Id128 id();
    /// A view into the input; not ok() if longer than `limit`.
    std::span<const std::byte> bytes(std::size_t limit);
    std::string text(std::size_t limit);

    [[nodiscard]] bool ok() const { return ok_; }
    /// ok() and nothing left over.
    [[nodiscard]] bool done() const { return ok_ && in_.empty(); }
    [[nodiscard]] std::size_t remaining() const { return in_.size(); }

  private:
    std::span<const std::byte> take(std::size_t count);
    std::uint64_t number(std::size_t width);

    std::span<const std::byte> in_;
    bool ok_ = true;
};

}  // namespace ha
