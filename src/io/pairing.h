#pragma once

#include <functional>
#include <list>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "io/loop.h"
#include "io/pairing_protocol.h"
#include "io/tls_stream.h"

// Pairing as its users see it: ha-clusterd hands strangers to PairingServer; hamirrorctl calls the
// functions. docs/pairing.md.

namespace ha::io {

/// Strangers at a time; more are closed.
inline constexpr std::size_t kMaxStrangers = 4;
/// All of one pairing conversation.
inline constexpr Duration kPairingTimeout = 10s;

/// ha-clusterd's side. Loop's thread.
class PairingServer {
  public:
    struct Callbacks {
        /// Everything is on disk: reload cluster.yaml, trust this peer from now on.
        std::function<void(const PeerRecord&)> on_paired;
        /// For the log: somebody was refused.
        std::function<void(std::string reason)> on_refused;
    };

    PairingServer(Loop& loop, NodePaths paths, Identity own, Callbacks callbacks);
    ~PairingServer();

    /// A stream of TlsListener whose protocol() is kPairingProtocol, whoever it is. Call from
    /// on_stream.
    void adopt(std::unique_ptr<TlsStream> stream);

  private:
    struct Session;
    using Slot = std::list<std::unique_ptr<Session>>::iterator;
    void on_frame(Slot slot, std::span<const std::byte> frame);
    void remove(Slot slot);

    Loop& loop_;
    NodePaths paths_;
    Identity own_;
    Callbacks callbacks_;
    std::list<std::unique_ptr<Session>> sessions_;
};

struct InitResult {
    std::string token;  // to be shown once, never logged
    Fingerprint fingerprint;
};
/// `hamirrorctl cluster init`: this node's key, a cluster.yaml with this node alone, a token. Again
/// before pairing: the file is replaced, the key stays, the token is new. Error: already paired.
Result<InitResult> init_cluster(const NodePaths& paths, const config::NodeConfig& self,
                                std::uint16_t control_port = 7400);
/// `hamirrorctl cluster token`: another token for a cluster that was initialised.
Result<InitResult> new_token(const NodePaths& paths);

struct PairRequest {
    std::string host;  // a name or a numeric address
    std::uint16_t port = 7400;
    PairingToken token;
    config::NodeConfig self;
};
/// `hamirrorctl cluster pair HOST`. Blocks for at most kPairingTimeout for each address of the
/// host. The other node as recorded, or one sentence why nothing was.
Result<PeerRecord> pair_with(const NodePaths& paths, const PairRequest& request);

/// One line from the terminal without echo, after `prompt`, or from standard input if that is no
/// terminal.
Result<std::string> read_secret_line(const std::string& prompt);

}  // namespace ha::io
