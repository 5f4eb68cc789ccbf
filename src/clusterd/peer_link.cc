#include "clusterd/peer_link.h"

#include "io/clock.h"
#include "io/log.h"

namespace ha::clusterd {
namespace {

constexpr Duration kRetry = 300ms;
constexpr std::size_t kMaxWaiting = 8;

}  // namespace

PeerLink::PeerLink(io::Loop& loop, io::TlsContext context, config::ClusterConfig cluster,
                   cluster::Node self, io::Fingerprint peer, Id128 boot, Callbacks callbacks)
    : loop_(loop),
      context_(std::move(context)),
      cluster_(std::move(cluster)),
      self_(self),
      peer_(peer),
      boot_(boot),
      callbacks_(std::move(callbacks)),
      retry_(loop) {}

void PeerLink::start() {
    if (dials()) dial();
}

// ---- the first node: dial
// -------------------------------------------------------------------------

void PeerLink::dial() {
    if (stream_ || !attempts_.empty()) return;
    std::size_t networks = cluster_.nodes[0].addresses.size();
    for (std::size_t i = 0; i < networks; ++i) dial_network(i);
}

void PeerLink::dial_network(std::size_t network) {
    io::TlsStream::Target target;
    target.address = cluster_.nodes[1].addresses[network];
    target.local_address = cluster_.nodes[0].addresses[network];
    target.port = cluster_.control_port;
    target.expected = peer_;
    auto attempt = attempts_.emplace(attempts_.end());
    io::TlsStream::Callbacks callbacks;
    callbacks.on_ready = [this, attempt] { dialled(attempt); };
    callbacks.on_closed = [this, attempt](std::string reason) { attempt_failed(attempt, reason); };
    attempt->stream = io::TlsStream::connect(loop_, context_, target, std::move(callbacks));
}

/// The first network that answers wins; nothing was sent on the others.
void PeerLink::dialled(Attempts::iterator attempt) {
    auto stream = std::move(attempt->stream);
    attempts_.clear();
    use(std::move(stream));
    if (stream_)
        stream_->send(encode(ControlHello{kControlVersion, cluster_.nodes[0].name, boot_}));
}

void PeerLink::attempt_failed(Attempts::iterator attempt, const std::string& reason) {
    io::log(io::Level::Debug, "control connection: " + reason);
    attempts_.erase(attempt);
    if (attempts_.empty()) retry_.arm(io::boot_now() + kRetry, [this] { dial(); });
}

// ---- the second node: accept
// ----------------------------------------------------------------------

void PeerLink::accepted(std::unique_ptr<io::TlsStream> stream) {
    if (dials()) return;  // ours is the one we dialled
    if (waiting_.size() >= kMaxWaiting) waiting_.pop_front();
    auto place = waiting_.insert(waiting_.end(), std::move(stream));
    io::TlsStream::Callbacks callbacks;
    callbacks.on_frame = [this, place](std::span<const std::byte> frame) {
        auto message = decode_control(frame);
        const auto* hello = message ? std::get_if<ControlHello>(&*message) : nullptr;
        auto chosen = std::move(*place);
        waiting_.erase(place);
        if (hello == nullptr) return;
        if (stream_) broken("the other node connected again");
        ControlHello theirs = *hello;
        use(std::move(chosen));
        stream_->send(encode(ControlHello{kControlVersion, cluster_.nodes[1].name, boot_}));
        greeted(theirs);
    };
    callbacks.on_closed = [this, place](const std::string&) { waiting_.erase(place); };
    (*place)->set_callbacks(std::move(callbacks));
}

// ---- the chosen connection
// ------------------------------------------------------------------------

void PeerLink::use(std::unique_ptr<io::TlsStream> stream) {
    stream_ = std::move(stream);
    io::TlsStream::Callbacks callbacks;
    callbacks.on_frame = [this](std::span<const std::byte> frame) { received(frame); };
    callbacks.on_closed = [this](const std::string& reason) { broken(reason); };
    stream_->set_callbacks(std::move(callbacks));
}

bool PeerLink::send(const ControlMessage& message) {
    return up_ && stream_->send(encode(message));
}

void PeerLink::received(std::span<const std::byte> frame) {
    auto message = decode_control(frame);
    if (!message) return broken(message.error().text);
    if (const auto* hello = std::get_if<ControlHello>(&*message)) return greeted(*hello);
    if (!up_) return broken("a message before the greeting");
    callbacks_.on_message(std::move(*message));
}

void PeerLink::greeted(const ControlHello& hello) {
    if (up_) return broken("a second greeting");
    if (hello.version != kControlVersion) {
        return broken("the other node speaks version " + std::to_string(hello.version) +
                      " of the control protocol, this one version " +
                      std::to_string(kControlVersion) + "; install the same release on both");
    }
    up_ = true;
    callbacks_.on_up(hello, *stream_);
}

void PeerLink::broken(const std::string& reason) {
    bool was_up = up_;
    up_ = false;
    stream_.reset();
    if (was_up) callbacks_.on_down(reason);
    if (dials()) retry_.arm(io::boot_now() + kRetry, [this] { dial(); });
}

}  // namespace ha::clusterd
