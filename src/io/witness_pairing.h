#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "io/pairing_token.h"
#include "io/witness_client.h"

namespace ha::io {

struct WitnessEnrolment {
    std::string host;  // a name or a numeric address
    std::uint16_t port = kWitnessPort;
    PairingToken token;  // `hamirror-witness token` printed it there
    std::string name;    // of the pair, for the witness's administrator: "node1+node2"
    Fingerprint peer;    // the other node's key, which the witness will know as it knows ours
};

/// Makes both nodes of this pair known to the witness on a host: the part of `hamirrorctl witness
/// add HOST` that speaks to it. Blocks for at most 10 s for each IPv4 address of the host. What
/// both nodes are to record, with the address that answered; or one sentence why nothing was done.
/// May be repeated by either node: the witness answers a pair it knows whatever the token's state.
Result<WitnessRecord> enrol_at_witness(const Identity& own, const WitnessEnrolment& enrolment);

}  // namespace ha::io
