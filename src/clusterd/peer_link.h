#pragma once

#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>

#include "clusterd/control_protocol.h"
#include "core/cluster/decision.h"
#include "core/config/config.h"
#include "io/loop.h"
#include "io/tls_stream.h"

namespace ha::clusterd {

/// The control connection to the other clusterd, over whichever network works. The first node of
/// cluster.yaml dials every network at once and keeps the first connection that is answered; the
/// second takes what the first chose. A broken connection is dialled again for ever.
class PeerLink {
  public:
    struct Callbacks {
        /// Both hellos were exchanged; the stream is for exporting keys.
        std::function<void(const ControlHello&, io::TlsStream&)> on_up;
        std::function<void(std::string reason)> on_down;
        std::function<void(ControlMessage)> on_message;
    };

    PeerLink(io::Loop& loop, io::TlsContext context, config::ClusterConfig cluster,
             cluster::Node self, io::Fingerprint peer, Id128 boot, Callbacks callbacks);

    /// Begins to dial (first node only).
    void start();
    /// A connection the listener brought whose key is the peer's.
    void accepted(std::unique_ptr<io::TlsStream> stream);
    /// False: not connected.
    bool send(const ControlMessage& message);
    [[nodiscard]] bool up() const { return up_; }

  private:
    struct Attempt {
        std::unique_ptr<io::TlsStream> stream;
    };
    using Attempts = std::list<Attempt>;

    void dial();
    void dial_network(std::size_t network);
    void dialled(Attempts::iterator attempt);
    void attempt_failed(Attempts::iterator attempt, const std::string& reason);
    void use(std::unique_ptr<io::TlsStream> stream);
    void received(std::span<const std::byte> frame);
    void greeted(const ControlHello& hello);
    void broken(const std::string& reason);
    [[nodiscard]] bool dials() const { return self_ == cluster::Node::First; }

    io::Loop& loop_;
    io::TlsContext context_;
    config::ClusterConfig cluster_;
    cluster::Node self_;
    io::Fingerprint peer_;
    Id128 boot_;
    Callbacks callbacks_;
    io::Timer retry_;
    Attempts attempts_;                                  // dialling
    std::list<std::unique_ptr<io::TlsStream>> waiting_;  // accepted, no hello yet
    std::unique_ptr<io::TlsStream> stream_;              // chosen
    bool up_ = false;
};

}  // namespace ha::clusterd
