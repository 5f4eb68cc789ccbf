#pragma once

#include <atomic>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/assert.h"
#include "base/strong.h"
#include "replicatord/fuse/protocol.h"

namespace ha::replicatord::fuse {

class Session;

/// How far a request has come; a successor of a crashed process finishes from here.
enum class SlotState : std::uint32_t {
    kFree = 0,
    kReading,   // a worker offers it to the kernel
    kReceived,  // read, nothing done yet
    kApplied,   // the local system call is done and its number taken: `sequence`
    kAnswered   // the reply is written, or is being
};

/// The head of a slot in shared memory; the request as the kernel wrote it follows at kHeaderRoom.
struct SlotHead {
    static constexpr std::size_t kReplyRoom = 512;

    std::atomic<SlotState> state;
    std::uint32_t reply_size;
    std::uint64_t unique;
    std::uint64_t sequence;
    std::uint64_t undo_lookup;  // a reference given out in the reply, taken back if it is lost
    std::uint64_t undo_open;    // the same for an open file
    std::array<std::byte, kReplyRoom> reply;
};

/// One request of the kernel, in its slot from read() until the reply is written. Exactly one of
/// the reply functions ends it (no_reply() for those that want none); it must not be touched after.
/// A reply may be written by any thread.
class Request {
  public:
    static constexpr std::size_t kBuffer = kMaxWrite + kHeaderRoom;
    static constexpr std::size_t kSlot = kHeaderRoom + kBuffer;

    [[nodiscard]] const fuse_in_header& header() const {
        return *reinterpret_cast<const fuse_in_header*>(buffer_);
    }
    /// The arguments after the header. The dispatcher has checked that they are all there.
    template <typename T>
    [[nodiscard]] const T& argument() const {
        HA_ASSERT(header().len >= sizeof(fuse_in_header) + sizeof(T));
        return *reinterpret_cast<const T*>(buffer_ + sizeof(fuse_in_header));
    }
    /// What follows the first `skip` bytes of the arguments.
    [[nodiscard]] std::span<const std::byte> rest(std::size_t skip) const;
    /// A string that ends in NUL, `skip` bytes into the arguments; `skip` moves behind it.
    [[nodiscard]] std::optional<std::string> text(std::size_t& skip) const;

    /// Keeps the reply for finish(), in shared memory.
    template <typename T>
    void prepare(const T& reply, std::size_t offset = 0) {
        static_assert(sizeof(T) <= SlotHead::kReplyRoom);
        HA_ASSERT(offset + sizeof(T) <= SlotHead::kReplyRoom);
        std::memcpy(head_->reply.data() + offset, &reply, sizeof(T));
        head_->reply_size = static_cast<std::uint32_t>(offset + sizeof(T));
    }
    void undo_lookup(FileId id) { head_->undo_lookup = id.value; }
    void undo_open(std::uint64_t handle) { head_->undo_open = handle; }
    void applied(Sequence sequence) {
        head_->sequence = sequence.value;
        head_->state.store(SlotState::kApplied, std::memory_order_release);
    }

    /// Replies with what was prepared (perhaps nothing), or with `error`.
    void finish(int error);
    /// Replies with these bytes. false: the caller no longer waits, nobody got the reply.
    bool finish_with(std::span<const std::byte> reply);
    void no_reply();

    /// For replies that wait for two things: call expect_parts() first, then part_done() once for
    /// each. The last one returns the first error of all, or 0; the others return nothing.
    void expect_parts(int count);
    std::optional<int> part_done(int error);

    /// Free for the operation: what it wants to know again when its last part is done.
    std::uint32_t note = 0;
    bool note_data_only = false;

  private:
    friend class Session;

    Session* session_ = nullptr;
    SlotHead* head_ = nullptr;
    std::byte* buffer_ = nullptr;
    std::atomic<int> parts_ = 0;
    std::atomic<int> part_error_ = 0;
};

}  // namespace ha::replicatord::fuse
