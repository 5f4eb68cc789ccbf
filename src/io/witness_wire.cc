#include "io/witness_wire.h"

#include <algorithm>

#include "base/bytes.h"
#include "base/overloaded.h"

namespace ha::io {
namespace {

enum class Type : std::uint8_t { Hello = 1, Enrol = 2, Read = 3, Exchange = 4 };

constexpr std::size_t kMaxText = 512;
constexpr std::size_t kMaxName = 128;
constexpr std::size_t kProof = 32;

void put(ByteWriter& out, const ports::RegisterValue& value) {
    out.id(value.id);
    out.bytes(value.content);
}

void put(ByteWriter& out, const ports::RegisterStamp& stamp) {
    out.id(stamp.store);
    out.u64(stamp.counter);
}

ports::RegisterValue value(ByteReader& in) {
    ports::RegisterValue out{in.id(), {}};
    auto content = in.bytes(ports::kMaxRegisterContent);
    out.content.assign(content.begin(), content.end());
    return out;
}

ports::RegisterStamp stamp(ByteReader& in) {
    ports::RegisterStamp out;
    out.store = in.id();
    out.counter = in.u64();
    return out;
}

WitnessAsk ask(ByteReader& in, Type type) {
    WitnessAsk out;
    out.number = in.u64();
    out.request.seen = stamp(in);
    out.request.module = in.text(ports::kMaxRegisterName);
    if (type == Type::Exchange) {
        const Id128 expected = in.id();
        out.request.exchange = ports::RegisterExchange{expected, value(in)};
    }
    return out;
}

WitnessEnrol enrol(ByteReader& in, std::uint16_t version, bool& valid) {
    WitnessEnrol out;
    out.version = version;
    auto proof = in.bytes(kProof);
    out.proof.assign(proof.begin(), proof.end());
    out.name = in.text(kMaxName);
    auto peer = in.bytes(out.peer.bytes.size());
    valid = proof.size() == kProof && peer.size() == out.peer.bytes.size();
    if (valid) std::copy(peer.begin(), peer.end(), out.peer.bytes.begin());
    return out;
}

}  // namespace

std::vector<std::byte> encode(const WitnessMessage& message) {
    std::vector<std::byte> bytes;
    ByteWriter out(bytes);
    const auto begin = [&](Type type) { out.u8(static_cast<std::uint8_t>(type)); };
    std::visit(Overloaded{[&](const WitnessHello& hello) {
                              begin(Type::Hello);
                              out.u16(hello.version);
                              out.id(hello.store);
                          },
                          [&](const WitnessEnrol& enrolment) {
                              begin(Type::Enrol);
                              out.u16(enrolment.version);
                              out.bytes(enrolment.proof);
                              out.text(enrolment.name);
                              out.bytes(enrolment.peer.bytes);
                          },
                          [&](const WitnessAsk& asked) {
                              begin(asked.request.exchange ? Type::Exchange : Type::Read);
                              out.u64(asked.number);
                              put(out, asked.request.seen);
                              out.text(asked.request.module);
                              if (!asked.request.exchange) return;
                              out.id(asked.request.exchange->expected);
                              put(out, asked.request.exchange->value);
                          }},
               message);
    return bytes;
}

std::optional<WitnessMessage> decode_witness_message(std::span<const std::byte> frame) {
    ByteReader in(frame);
    const auto type = static_cast<Type>(in.u8());
    if (type == Type::Read || type == Type::Exchange) {
        auto out = ask(in, type);
        if (!in.done() || out.number == 0) return std::nullopt;
        return out;
    }
    if (type != Type::Hello && type != Type::Enrol) return std::nullopt;
    const std::uint16_t version = in.u16();
    if (in.ok() && version != kWitnessVersion) return WitnessHello{version, {}};
    if (type == Type::Hello) {
        WitnessHello out{version, in.id()};
        if (!in.done()) return std::nullopt;
        return out;
    }
    bool valid = false;
    auto out = enrol(in, version, valid);
    if (!valid || !in.done()) return std::nullopt;
    return out;
}

std::vector<std::byte> encode(const WitnessAnswer& message) {
    std::vector<std::byte> bytes;
    ByteWriter out(bytes);
    const auto& answer = message.answer;
    out.u64(message.number);
    out.u8(static_cast<std::uint8_t>(answer.outcome));
    out.u8(static_cast<std::uint8_t>(answer.refusal));
    put(out, answer.stamp);
    out.u8(answer.current ? 1 : 0);
    if (answer.current) put(out, *answer.current);
    out.text(answer.text.substr(0, kMaxText));
    return bytes;
}

std::optional<WitnessAnswer> decode_witness_answer(std::span<const std::byte> frame) {
    ByteReader in(frame);
    WitnessAnswer out;
    out.number = in.u64();
    const std::uint8_t outcome = in.u8();
    const std::uint8_t refusal = in.u8();
    out.answer.outcome = static_cast<ports::RegisterOutcome>(outcome);
    out.answer.refusal = static_cast<ports::RegisterRefusal>(refusal);
    out.answer.stamp = stamp(in);
    const std::uint8_t present = in.u8();
    if (present == 1) out.answer.current = value(in);
    out.answer.text = in.text(kMaxText);
    const bool known = outcome <= static_cast<std::uint8_t>(ports::RegisterOutcome::Uncertain) &&
                       refusal <= static_cast<std::uint8_t>(ports::RegisterRefusal::Version);
    const bool refused = out.answer.outcome == ports::RegisterOutcome::Refused;
    const bool excused = out.answer.refusal != ports::RegisterRefusal::None;
    if (!in.done() || !known || present > 1 || refused != excused) return std::nullopt;
    return out;
}

}  // namespace ha::io
