#include "clusterd/control_protocol.h"

#include "base/bytes.h"

namespace ha::clusterd {
namespace {

constexpr std::size_t kMaxName = 256;
constexpr std::size_t kMaxReport = 256U << 10;

struct Encoder {
    ByteWriter out;

    void operator()(const ControlHello& m) {
        out.u16(m.version);
        out.text(m.node);
        out.id(m.boot);
    }
    void operator()(const ModuleReport& m) {
        out.text(m.module);
        out.bytes(m.report);
    }
    void operator()(const ControlRequest& m) {
        out.u64(m.id);
        out.u8(static_cast<std::uint8_t>(m.verb));
        out.text(m.name);
        out.text(m.text);
        out.i64(m.before.time_since_epoch().count());
    }
    void operator()(const ControlReply& m) {
        out.u64(m.id);
        out.u8(m.done ? 1 : 0);
        out.text(m.code);
        out.text(m.text);
    }
};

ControlMessage read_hello(ByteReader& in) {
    ControlHello m;
    m.version = in.u16();
    m.node = in.text(kMaxName);
    m.boot = in.id();
    return m;
}

ControlMessage read_report(ByteReader& in) {
    ModuleReport m;
    m.module = in.text(kMaxName);
    auto bytes = in.bytes(kMaxReport);
    m.report.assign(bytes.begin(), bytes.end());
    return m;
}

Result<ControlMessage> read_request(ByteReader& in) {
    ControlRequest m;
    m.id = in.u64();
    std::uint8_t verb = in.u8();
    if (verb > static_cast<std::uint8_t>(ControlRequest::Verb::Restart)) {
        return fail("a request of unknown kind " + std::to_string(verb));
    }
    m.verb = static_cast<ControlRequest::Verb>(verb);
    m.name = in.text(kMaxName);
    m.text = in.text(kMaxControlText);
    m.before = Instant(Duration(in.i64()));
    return m;
}

ControlMessage read_reply(ByteReader& in) {
    ControlReply m;
    m.id = in.u64();
    m.done = in.u8() != 0;
    m.code = in.text(kMaxName);
    m.text = in.text(kMaxControlText);
    return m;
}

Result<ControlMessage> read_body(std::uint8_t type, ByteReader& in) {
    switch (type) {
        case 0:
            return read_hello(in);
        case 1:
            return read_report(in);
        case 2:
            return read_request(in);
        case 3:
            return read_reply(in);
    }
    return fail("a message of unknown type " + std::to_string(type));
}

}  // namespace

std::vector<std::byte> encode(const ControlMessage& message) {
    std::vector<std::byte> bytes;
    ByteWriter out(bytes);
    out.u8(static_cast<std::uint8_t>(message.index()));
    std::visit(Encoder{out}, message);
    return bytes;
}

Result<ControlMessage> decode_control(std::span<const std::byte> bytes) {
    ByteReader in(bytes);
    std::uint8_t type = in.u8();
    auto message = read_body(type, in);
    if (message && !in.done()) return fail("a control message is cut short or too long");
    return message;
}

}  // namespace ha::clusterd
