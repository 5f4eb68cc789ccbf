#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "base/id128.h"
#include "base/result.h"
#include "base/time.h"

// What two clusterds say to each other over the control connection (TLS 1.3, both keys pinned), one
// message a frame. The grammar is in docs/control-protocol.md. A message that cannot be read ends
// the connection.

namespace ha::clusterd {

inline constexpr std::uint16_t kControlVersion = 1;
inline constexpr std::size_t kMaxControlText = 256U << 10;

/// First on each connection, from both sides. Another version ends it before anything is acted
/// upon.
struct ControlHello {
    std::uint16_t version = kControlVersion;
    std::string node;
    Id128 boot;
};

/// The sender's view of one module (core/cluster/record.h, Report), encoded.
struct ModuleReport {
    std::string module;
    std::vector<std::byte> report;
};

/// Carry this out and answer with ControlReply under the same id.
struct ControlRequest {
    enum class Verb : std::uint8_t {
        CheckModule,    // text: the module's YAML, name: its file; nothing is changed
        InstallModule,  // the same, checked again and installed
        Stop,           // name: the module; stop it here too (stop --all)
        SetWitness,     // text: the YAML of the witness, empty for none; recorded
        Swap,           // name: the module, text: the node that shall be primary, or empty
        Restart         // name: the module, which the receiver serves
    };
    std::uint64_t id = 0;
    Verb verb = Verb::CheckModule;
    std::string name;
    std::string text;
    /// Not to be carried out from then on, by the receiver's clock as it said it (Beat::clock); the
    /// epoch: whenever it arrives.
    Instant before{};
};

struct ControlReply {
    std::uint64_t id = 0;
    bool done = false;
    std::string code;  // when not done: see CommandError
    std::string text;
};

using ControlMessage = std::variant<ControlHello, ModuleReport, ControlRequest, ControlReply>;

std::vector<std::byte> encode(const ControlMessage& message);
Result<ControlMessage> decode_control(std::span<const std::byte> in);

}  // namespace ha::clusterd
