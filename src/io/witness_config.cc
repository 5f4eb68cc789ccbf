#include "io/witness_config.h"

#include "base/assert.h"

namespace ha::io {

config::WitnessConfig config_of(const WitnessRecord& record) {
    return {record.addresses, record.port, record.key.text(), record.store};
}

WitnessRecord record_of(const config::WitnessConfig& witness) {
    const auto key = Fingerprint::parse(witness.key);
    HA_ASSERT(key);
    return {witness.addresses, witness.port, *key, witness.store};
}

}  // namespace ha::io
