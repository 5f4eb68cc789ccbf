#pragma once

#include <cstdint>

#include "core/config/config.h"

namespace ha::config {

/// A digest of what both nodes must agree on for their decisions to be safe together: policy,
/// automatic failover, ping targets, timing, mirrored directories, units, port. Equal digests mean
/// equal rules (but for an accident of one in 2^64; this guards against mistakes, not against
/// malice). Never 0.
std::uint64_t rules_digest(const ModuleConfig& module);

}  // namespace ha::config
