#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/id128.h"
#include "base/result.h"
#include "base/strong.h"

// What the two ends of a mirror stream say about the stream itself (docs/protocol.md, "Session").
// The primary connects and says Hello; the secondary answers Hello or Refusal. Then the primary
// sends numbered frames and keep-alives, the secondary acknowledgements, answers and failures.

namespace ha::replication {

inline constexpr std::uint32_t kProtocol = 3;

/// What a node is on this stream. Alone: a primary that waits for nobody; its peer can only be
/// the target of a resync. Primary: the secondary's acceptance is needed for every acknowledgement.
enum class End : std::uint8_t { Alone = 1, Primary = 2, Secondary = 3, Target = 4 };

struct Hello {
    std::uint32_t protocol = kProtocol;
    Id128 module;
    Id128 term;
    Epoch epoch;
    Id128 decision;     // the primary's; none from a secondary
    Id128 incarnation;  // of the process: the numbers below mean nothing to another one
    End end{};
    Sequence last;  // primary: last number taken; secondary: last number received
    auto operator<=>(const Hello&) const = default;
};

enum class RefusalReason : std::uint8_t {
    Protocol = 1,  // another version: refused before any data moves
    Module = 2,    // another module
    Term = 3,      // not the term this node follows
    OldEpoch = 4,  // R2: an older decision than this node has seen
    Sealed = 5,    // R12
    NotFollowing = 6,
    Role = 7,        // member meets target, or alone meets secondary: R5 is needed first
    Restarted = 8,   // the process that held the numbers of this term is gone
    Behind = 9,      // the secondary lacks what was acknowledged and forgotten
    Ahead = 10,      // the secondary has numbers that were never taken
    CopyFailed = 11  // the secondary's copy could not follow
};
const char* name(RefusalReason reason);

struct Refusal {
    RefusalReason reason{};
    std::string text;
    auto operator<=>(const Refusal&) const = default;
};

/// The result of an Fsync, a durable Write or a Barrier at the secondary. 0: on its disk.
struct DurableResult {
    Sequence sequence;
    std::uint32_t error = 0;  // errno
    auto operator<=>(const DurableResult&) const = default;
};

/// Cumulative: every number up to `accepted` was applied in the secondary's kernel, every number
/// up to `durable` is on its disk. `results` are repeated until a KeepAlive says they arrived.
/// `probe`: of the last KeepAlive received on this connection; 0: none yet. `progress`: how far the
/// secondary's copy has come on its disk (replicatord/copy_progress.h).
struct Ack {
    Sequence accepted;
    Sequence durable;
    std::vector<DurableResult> results;
    std::uint64_t probe = 0;
    std::uint64_t progress = 0;
    auto operator<=>(const Ack&) const = default;
};
inline constexpr std::size_t kMaxResults = 65536;

/// `durable`: as in Ack, of the primary's disk. Results of numbers below `settled` need not be
/// repeated. `probe`: cluster::Probes. `progress`: as in Ack, of the primary's copy.
struct KeepAlive {
    Sequence durable;
    Sequence settled;
    std::uint64_t probe = 0;
    std::uint64_t progress = 0;
    auto operator<=>(const KeepAlive&) const = default;
};

struct Failure {
    std::string code;  // stable: disk-full, io-error, mismatch
    std::string text;
    auto operator<=>(const Failure&) const = default;
};

void encode(const Hello& hello, std::vector<std::byte>& out);
void encode(const Refusal& refusal, std::vector<std::byte>& out);
void encode(const Ack& ack, std::vector<std::byte>& out);
void encode(const KeepAlive& keep_alive, std::vector<std::byte>& out);
void encode(const Failure& failure, std::vector<std::byte>& out);

Result<Hello> decode_hello(std::span<const std::byte> in);
Result<Refusal> decode_refusal(std::span<const std::byte> in);
Result<Ack> decode_ack(std::span<const std::byte> in);
Result<KeepAlive> decode_keep_alive(std::span<const std::byte> in);
Result<Failure> decode_failure(std::span<const std::byte> in);

}  // namespace ha::replication
