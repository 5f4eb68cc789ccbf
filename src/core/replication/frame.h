#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/result.h"
#include "base/strong.h"

// The mirror stream is a sequence of frames in each direction (docs/protocol.md). A frame is a
// header of 24 bytes and a payload; the checksum covers both. A frame that is not exactly right is
// an error that ends the connection: nothing of it reaches a disk.

namespace ha::replication {

enum class FrameType : std::uint8_t {
    Hello = 1,      // both ways, first
    Refusal = 2,    // instead of the second Hello
    Operation = 3,  // numbered, primary to secondary
    Copy = 4,       // numbered, primary to secondary: resync and control records
    Ack = 5,        // secondary to primary; also its keep-alive
    KeepAlive = 6,  // primary to secondary
    Answer = 7,     // secondary to primary: block hashes
    Failure = 8     // secondary to primary: its copy cannot follow
};

inline constexpr std::size_t kFrameHeader = 24;
/// The largest payload: a Create or a directory's end with every extended attribute at its limit.
inline constexpr std::size_t kMaxPayload = 8U << 20;

struct Frame {
    FrameType type{};
    Sequence sequence;                   // 0 in frames that are not numbered
    std::span<const std::byte> payload;  // into the reader's buffer, valid until its next call
};

/// A frame ready to be sent; immutable and shared, because it is kept until it is acknowledged.
using SharedFrame = std::shared_ptr<const std::vector<std::byte>>;

/// A frame whose number is not known yet: room for the header, then the payload. The payload is
/// hashed when it is complete, outside of any lock; the header when the number is taken.
class FrameBuilder {
  public:
    explicit FrameBuilder(FrameType type, std::size_t expected_payload = 256);
    /// The payload is appended here.
    std::vector<std::byte>& out() { return bytes_; }
    /// Call once, after the last byte of the payload.
    void seal();
    SharedFrame finish(Sequence sequence) &&;

  private:
    std::vector<std::byte> bytes_;
    FrameType type_;
    std::uint64_t payload_hash_ = 0;
};

/// Cuts a byte stream into frames.
class FrameReader {
  public:
    /// Room for `count` bytes more; after reading n of them, committed(n).
    std::span<std::byte> space(std::size_t count);
    void committed(std::size_t count);
    /// The next whole frame; nothing: more bytes are needed; an error: the connection must end.
    Result<std::optional<Frame>> next();

  private:
    std::vector<std::byte> buffer_;
    std::size_t begin_ = 0;
    std::size_t end_ = 0;
};

}  // namespace ha::replication
