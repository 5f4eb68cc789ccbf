#pragma once

#include "core/config/config.h"
#include "io/witness_client.h"

namespace ha::io {

/// The same witness as cluster.yaml has it and as io/witness_client uses it.
config::WitnessConfig config_of(const WitnessRecord& record);
/// Of one that check() found nothing wrong with.
WitnessRecord record_of(const config::WitnessConfig& witness);

}  // namespace ha::io
