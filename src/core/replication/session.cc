#include "core/replication/session.h"

#include "base/bytes.h"

namespace ha::replication {
namespace {

constexpr std::size_t kMaxText = 4096;

tl::unexpected<Error> unreadable(const char* what) {
    return fail(std::string("The peer sent a frame that cannot be read (") + what + ").");
}

bool known_reason(std::uint8_t reason) {
    return reason >= static_cast<std::uint8_t>(RefusalReason::Protocol) &&
           reason <= static_cast<std::uint8_t>(RefusalReason::CopyFailed);
}

bool known_end(std::uint8_t end) {
    return end >= static_cast<std::uint8_t>(End::Alone) &&
           end <= static_cast<std::uint8_t>(End::Target);
}

}  // namespace

const char* name(RefusalReason reason) {
    switch (reason) {
        case RefusalReason::Protocol:
            return "protocol-version";
        case RefusalReason::Module:
            return "foreign-module";
        case RefusalReason::Term:
            return "other-term";
        case RefusalReason::OldEpoch:
            return "old-epoch";
        case RefusalReason::Sealed:
            return "sealed";
        case RefusalReason::NotFollowing:
            return "not-following";
        case RefusalReason::Role:
            return "resync-needed";
        case RefusalReason::Restarted:
            return "restarted";
        case RefusalReason::Behind:
            return "behind";
        case RefusalReason::Ahead:
            return "ahead";
        case RefusalReason::CopyFailed:
            return "copy-failed";
    }
    return "unknown";
}

void encode(const Hello& hello, std::vector<std::byte>& out) {
    ByteWriter to(out);
    to.u32(hello.protocol);
    to.id(hello.module);
    to.id(hello.term);
    to.u64(hello.epoch.value);
    to.id(hello.decision);
    to.id(hello.incarnation);
    to.u8(static_cast<std::uint8_t>(hello.end));
    to.u64(hello.last.value);
}

// The version comes first and stands alone: what follows may differ in another version, which is
// then refused by its number and not by a parse error.
Result<Hello> decode_hello(std::span<const std::byte> in) {
    ByteReader from(in);
    Hello hello;
    hello.protocol = from.u32();
    if (from.ok() && hello.protocol != kProtocol) return hello;
    hello.module = from.id();
    hello.term = from.id();
    hello.epoch = Epoch{from.u64()};
    hello.decision = from.id();
    hello.incarnation = from.id();
    auto end = from.u8();
    hello.end = static_cast<End>(end);
    hello.last = Sequence{from.u64()};
    if (!from.done() || !known_end(end)) return unreadable("hello");
    return hello;
}

void encode(const Refusal& refusal, std::vector<std::byte>& out) {
    ByteWriter to(out);
    to.u8(static_cast<std::uint8_t>(refusal.reason));
    to.text(std::string_view(refusal.text).substr(0, kMaxText));
}

Result<Refusal> decode_refusal(std::span<const std::byte> in) {
    ByteReader from(in);
    auto reason = from.u8();
    Refusal refusal{static_cast<RefusalReason>(reason), from.text(kMaxText)};
    if (!from.done() || !known_reason(reason)) return unreadable("refusal");
    return refusal;
}

void encode(const Ack& ack, std::vector<std::byte>& out) {
    ByteWriter to(out);
    to.u64(ack.accepted.value);
    to.u64(ack.durable.value);
    to.u64(ack.probe);
    to.u64(ack.progress);
    to.u32(static_cast<std::uint32_t>(ack.results.size()));
    for (const auto& result : ack.results) {
        to.u64(result.sequence.value);
        to.u32(result.error);
    }
}

Result<Ack> decode_ack(std::span<const std::byte> in) {
    ByteReader from(in);
    Ack ack;
    ack.accepted = Sequence{from.u64()};
    ack.durable = Sequence{from.u64()};
    ack.probe = from.u64();
    ack.progress = from.u64();
    std::size_t count = from.u32();
    if (count > kMaxResults) return unreadable("acknowledgement");
    for (std::size_t i = 0; i < count && from.ok(); ++i) {
        Sequence sequence{from.u64()};
        ack.results.push_back({sequence, from.u32()});
    }
    if (!from.done() || ack.durable > ack.accepted) return unreadable("acknowledgement");
    return ack;
}

void encode(const KeepAlive& keep_alive, std::vector<std::byte>& out) {
    ByteWriter to(out);
    to.u64(keep_alive.durable.value);
    to.u64(keep_alive.settled.value);
    to.u64(keep_alive.probe);
    to.u64(keep_alive.progress);
}

Result<KeepAlive> decode_keep_alive(std::span<const std::byte> in) {
    ByteReader from(in);
    KeepAlive keep_alive;
    keep_alive.durable = Sequence{from.u64()};
    keep_alive.settled = Sequence{from.u64()};
    keep_alive.probe = from.u64();
    keep_alive.progress = from.u64();
    if (!from.done()) return unreadable("keep-alive");
    return keep_alive;
}

void encode(const Failure& failure, std::vector<std::byte>& out) {
    ByteWriter to(out);
    to.text(std::string_view(failure.code).substr(0, kMaxText));
    to.text(std::string_view(failure.text).substr(0, kMaxText));
}

Result<Failure> decode_failure(std::span<const std::byte> in) {
    ByteReader from(in);
    Failure failure;
    failure.code = from.text(kMaxText);
    failure.text = from.text(kMaxText);
    if (!from.done()) return unreadable("failure");
    return failure;
}

}  // namespace ha::replication
