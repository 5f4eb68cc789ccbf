#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "api/worker.h"
#include "base/id128.h"
#include "base/result.h"
#include "base/strong.h"
#include "base/time.h"

// What a heartbeat says (cluster::Probes), and what it says of each module (its authentication is
// io/heartbeat's): when its sender last had evidence of us, on whatever way, and the newest
// decision it knows; and how much the sender changed alone, for people.

namespace ha::clusterd {

struct ModuleBeat {
    std::string module;
    /// How long ago, when this was sent; Duration::max(): never.
    Duration heard_age = Duration::max();
    Epoch newest;  // its number
    Id128 decision;
    api::ChangedAlone alone;  // by the sender
};

struct Beat {
    /// The sender's own clock. An order that was given to the receiver is sent back with a time on
    /// it until when it may be carried out, so that the two clocks are never compared.
    Instant clock{};
    std::uint64_t probe = 0;  // of this one
    std::uint64_t echo = 0;   // of the newest one of ours that the sender has heard; 0: none
    std::vector<ModuleBeat> modules;  // at most 32
};

std::vector<std::byte> encode(const Beat& beat);
Result<Beat> decode_beat(std::span<const std::byte> in);

}  // namespace ha::clusterd
