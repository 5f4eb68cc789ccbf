#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "core/replication/frame.h"
#include "core/replication/session.h"

namespace ha::replication {

/// Whose acceptance an acknowledgement needs besides our own (R1).
/// Absent: nobody's. Joining: nobody's yet, but records are sent (resync). Joiner: the target's, at
/// the end of the resync. Member: the secondary's.
enum class Peer : std::uint8_t { Absent, Joining, Joiner, Member };

/// Called once: 0 or an errno.
using Completion = std::function<void(int error)>;

/// The primary's side of one term, across connections: numbers, the queue of what is not
/// acknowledged, who is required, and who waits for what. Nothing here completes by the passing of
/// time or by the breaking of a connection: only by an acknowledgement or by require(Absent).
///
/// Numbers count what is sent: while the peer is Absent nothing takes one.
/// Pure: the caller's lock protects it; completions are handed back and run without that lock.
class Sender {
  public:
    static constexpr std::size_t kMaxQueuedBytes = 64U << 20;
    static constexpr std::size_t kMaxQueuedRecords = 65536;

    /// Everything of an earlier term is forgotten; HA_ASSERTs that nobody waits for it.
    void begin_term(const Id128& module, const Id128& term, const Id128& incarnation);
    /// A new decision of the same term; it is announced in the next Hello.
    void decide(Epoch epoch, const Id128& decision);
    void require(Peer peer);
    [[nodiscard]] Peer peer() const { return peer_; }
    [[nodiscard]] bool required() const { return peer_ == Peer::Joiner || peer_ == Peer::Member; }

    /// Takes the next number, if the peer is not Absent, and queues. `durable`: a durable result is
    /// expected. Returns the number, or the last one taken.
    Sequence push(FrameBuilder frame, bool durable);
    [[nodiscard]] Sequence last() const { return last_; }
    [[nodiscard]] bool full() const;
    /// Something is queued that a required peer has not accepted.
    [[nodiscard]] bool outstanding() const { return required() && !queue_.empty(); }
    [[nodiscard]] std::size_t queued_bytes() const { return bytes_; }

    [[nodiscard]] Hello hello() const;
    /// The secondary's Hello: resumes after its last number, or says why not.
    std::optional<Refusal> resume(const Hello& theirs);
    /// What is to be sent next on this connection, in order; at least one frame if there is any.
    std::vector<SharedFrame> take(std::size_t max_bytes);
    [[nodiscard]] bool anything_to_send() const { return sent_ < queue_.size(); }
    KeepAlive keep_alive(Sequence durable_here) const;

    /// An error: the acknowledgement cannot be true, the connection must end.
    Result<> acknowledge(const Ack& ack);
    [[nodiscard]] Sequence accepted() const { return accepted_; }
    [[nodiscard]] Sequence durable_there() const { return durable_; }
    /// The peer is known to have `sequence` on its disk.
    [[nodiscard]] bool durable(Sequence sequence) const;

    void when_accepted(Sequence sequence, Completion done);
    void when_durable(Sequence sequence, Completion done);
    /// Those whose condition holds now, in the order of their numbers.
    std::vector<Completion> take_ready();
    /// Everyone who waits (forced demotion).
    std::vector<Completion> take_all();
    [[nodiscard]] bool anyone_waits() const;
    [[nodiscard]] bool awaits_durable() const { return !waiting_durable_.empty(); }

  private:
    struct Record {
        Sequence sequence;
        SharedFrame frame;
    };

    void drop_queue();
    void settle();

    Id128 module_;
    Id128 term_;
    Id128 incarnation_;
    Id128 peer_incarnation_;
    Epoch epoch_;
    Id128 decision_;
    Peer peer_ = Peer::Absent;

    Sequence last_;
    Sequence accepted_;
    Sequence durable_;
    std::deque<Record> queue_;  // accepted_ + 1 .. last_
    std::size_t sent_ = 0;      // how many of queue_ went out on this connection
    std::size_t bytes_ = 0;

    std::set<Sequence> expected_;  // durable results due
    std::set<Sequence> arrived_;   // durable results of 0 that nobody asked for yet
    std::multimap<Sequence, Completion> waiting_accepted_;
    std::multimap<Sequence, Completion> waiting_durable_;
};

}  // namespace ha::replication
