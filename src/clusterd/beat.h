#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/strong.h"
#include "base/time.h"

// What a heartbeat says (its authentication is io/heartbeat's): when its sender last heard us, and
// for each module the newest decision it knows and whether it was demoted by force.

namespace ha::clusterd {

struct ModuleBeat {
    std::string module;
    Epoch newest;
    bool demoted = false;
};

struct Beat {
    /// How long ago, when this was sent, the sender last had evidence of us; Duration::max():
    /// never.
    Duration heard_age = Duration::max();
    std::vector<ModuleBeat> modules;  // at most 32
};

std::vector<std::byte> encode(const Beat& beat);
Result<Beat> decode_beat(std::span<const std::byte> in);

}  // namespace ha::clusterd
