#include "io/clock.h"
#include "io/pairing.h"
#include "io/pairing_wire.h"

namespace ha::io {

struct PairingServer::Session {
    std::unique_ptr<TlsStream> stream;
    PairingIssuer machine;
    Timer limit;
};

PairingServer::PairingServer(Loop& loop, NodePaths paths, Identity own, Callbacks callbacks)
    : loop_(loop),
      paths_(std::move(paths)),
      own_(std::move(own)),
      callbacks_(std::move(callbacks)) {}

PairingServer::~PairingServer() = default;

void PairingServer::adopt(std::unique_ptr<TlsStream> stream) {
    auto channel = pairing::channel_of(*stream, own_.fingerprint(), stream->peer());
    if (!channel || sessions_.size() >= kMaxStrangers) return;
    stream->set_frame_limit(kMaxPairingFrame);
    auto slot = sessions_.insert(
        sessions_.end(),
        std::unique_ptr<Session>(
            new Session{std::move(stream), PairingIssuer(paths_, TokenStore(paths_.run), *channel),
                        Timer(loop_)}));
    auto& session = **slot;
    session.limit.arm(boot_now() + kPairingTimeout, [this, slot] { remove(slot); });
    session.stream->set_callbacks(
        {{},
         [this, slot](std::span<const std::byte> frame) { on_frame(slot, frame); },
         [this, slot](const std::string&) { remove(slot); }});
}

void PairingServer::on_frame(Slot slot, std::span<const std::byte> frame) {
    auto step = (*slot)->machine.on_frame(frame);
    auto& stream = *(*slot)->stream;
    if (!step.reply.empty()) stream.send(step.reply);
    if (step.end) stream.finish();
    if (!step.refused.empty() && callbacks_.on_refused) callbacks_.on_refused(step.refused);
    if (step.paired && callbacks_.on_paired) callbacks_.on_paired(*step.paired);
}

void PairingServer::remove(Slot slot) {
    sessions_.erase(slot);
}

}  // namespace ha::io
