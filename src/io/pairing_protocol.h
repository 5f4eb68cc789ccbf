#pragma once

#include <array>
#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "core/config/config.h"
#include "io/boot_id.h"
#include "io/identity.h"
#include "io/pairing_token.h"
#include "io/yaml_config.h"

// The two ends of pairing as machines over frames; docs/pairing.md has the order of messages and
// why each is where it is. They touch the files that pairing is about and nothing else: no socket,
// no clock but the token's.

namespace ha::io {

/// Where this node keeps what pairing reads and writes. Tests use others.
struct NodePaths {
    std::string config = kConfigDirectory;
    std::string keys = kKeyDirectory;
    std::string state = kStateDirectory;
    std::string run = kRunDirectory;

    [[nodiscard]] std::string cluster_file() const { return config + "/cluster.yaml"; }
};

inline constexpr std::size_t kMaxPairingFrame = 65536;

/// Both fingerprints and a secret of this very TLS connection, the same on both ends.
struct PairingChannel {
    Fingerprint issuer;
    Fingerprint joiner;
    std::array<std::byte, 32> binding{};
};

/// The node that issued the token (ha-clusterd's side).
class PairingIssuer {
  public:
    struct Step {
        std::vector<std::byte> reply;  // empty: nothing to send
        bool end = false;              // nothing more is expected on this connection
        /// Set once, when everything is recorded.
        std::optional<PeerRecord> paired;
        std::string refused;  // for the log: why the joiner was refused
    };

    PairingIssuer(NodePaths paths, TokenStore tokens, const PairingChannel& channel)
        : paths_(std::move(paths)), tokens_(std::move(tokens)), channel_(channel) {}

    Step on_frame(std::span<const std::byte> frame);

  private:
    Step on_propose(std::span<const std::byte> frame);
    Step on_commit();
    Result<std::string> plan(config::NodeConfig joiner);
    Result<> record();

    NodePaths paths_;
    TokenStore tokens_;
    PairingChannel channel_;
    std::string joiner_name_;
    std::string cluster_text_;  // set: offered, waiting for the commit
    bool again_ = false;        // the joiner is our peer already and only missed our last word
};

/// The node that was given the token (hamirrorctl's side).
class PairingJoiner {
  public:
    struct Step {
        std::vector<std::byte> reply;
        /// Set at the end: the issuer as recorded, or why nothing was.
        std::optional<Result<PeerRecord>> outcome;
    };

    /// `fresh`: the identity is not on disk yet; it is saved when the issuer has agreed.
    PairingJoiner(NodePaths paths, PairingToken token, Identity identity, bool fresh,
                  config::NodeConfig self)
        : paths_(std::move(paths)),
          token_(token),
          identity_(std::move(identity)),
          fresh_(fresh),
          self_(std::move(self)) {}

    /// The first frame. Error: the other side is not the token's issuer; nothing was revealed.
    Result<std::vector<std::byte>> begin(const PairingChannel& channel);
    Step on_frame(std::span<const std::byte> frame);
    /// What the end of the connection means now.
    [[nodiscard]] std::string broken(const std::string& reason) const;

  private:
    Step on_offer(std::string text);
    Step on_done();

    NodePaths paths_;
    PairingToken token_;
    Identity identity_;
    bool fresh_;
    config::NodeConfig self_;
    Fingerprint issuer_;
    std::string issuer_name_;
    std::string cluster_text_;
    bool committed_ = false;
};

}  // namespace ha::io
