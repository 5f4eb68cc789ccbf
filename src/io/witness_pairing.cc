#include "io/witness_pairing.h"

#include "io/clock.h"
#include "io/pairing.h"
#include "io/pairing_wire.h"
#include "io/socket_address.h"

namespace ha::io {
namespace {

/// One attempt at one address, on a loop of its own.
class Attempt {
  public:
    Attempt(const Identity& own, const WitnessEnrolment& enrolment)
        : own_(own), enrolment_(enrolment) {}

    Result<WitnessRecord> make(const std::string& address) {
        auto context = TlsContext::create(own_);
        if (!context) return tl::unexpected(context.error());
        record_ = {{address}, enrolment_.port, {}, {}};
        TlsStream::Target target;
        target.address = address;
        target.port = enrolment_.port;
        target.protocol = kWitnessProtocol;
        TlsStream::Callbacks callbacks;
        callbacks.on_ready = [this] { connected(); };
        callbacks.on_frame = [this](std::span<const std::byte> frame) { received(frame); };
        callbacks.on_closed = [this](const std::string& why) {
            end(fail((sent_ ? "the connection broke before the witness confirmed: repeat this ("
                            : "cannot pair with the witness (") +
                     why + ")"));
        };
        stream_ = TlsStream::connect(loop_, *context, target, std::move(callbacks));
        limit_.arm(boot_now() + kPairingTimeout,
                   [this] { end(fail("the witness did not answer within 10 s; repeat this")); });
        if (auto ran = loop_.run(); !ran) return tl::unexpected(ran.error());
        return *outcome_;
    }
    [[nodiscard]] bool reached() const { return reached_; }

  private:
    void connected() {
        reached_ = true;
        record_.key = stream_->peer();
        if (!enrolment_.token.names(record_.key)) {
            return end(
                fail("the server there is not the one that issued the token; check the "
                     "address, and that nobody is in between"));
        }
        auto channel = pairing::channel_of(*stream_, record_.key, own_.fingerprint());
        if (!channel) return end(tl::unexpected(channel.error()));
        stream_->set_frame_limit(kMaxWitnessFrame);
        sent_ = true;
        stream_->send(encode(WitnessMessage(
            WitnessEnrol{kWitnessVersion, pairing::proof_of(enrolment_.token.secret, *channel),
                         enrolment_.name, enrolment_.peer})));
    }
    void received(std::span<const std::byte> frame) {
        auto message = decode_witness_answer(frame);
        if (!message || message->number != 0) {
            return end(fail("the witness's answer was not understood; both need the same version"));
        }
        const auto& answer = message->answer;
        if (answer.outcome != ports::RegisterOutcome::Shown) {
            return end(fail("the witness refused: " + answer.text));
        }
        record_.store = answer.stamp.store;
        end(record_);
    }
    void end(Result<WitnessRecord> outcome) {
        if (!outcome_) outcome_ = std::move(outcome);
        loop_.stop();
    }

    Loop loop_;
    Timer limit_{loop_};
    const Identity& own_;
    const WitnessEnrolment& enrolment_;
    WitnessRecord record_;
    std::unique_ptr<TlsStream> stream_;
    std::optional<Result<WitnessRecord>> outcome_;
    bool reached_ = false;
    bool sent_ = false;
};

}  // namespace

Result<WitnessRecord> enrol_at_witness(const Identity& own, const WitnessEnrolment& enrolment) {
    auto addresses = resolve(enrolment.host);
    if (!addresses) return tl::unexpected(addresses.error());
    std::erase_if(*addresses, [](const auto& each) { return each.find(':') != std::string::npos; });
    Result<WitnessRecord> outcome =
        fail(enrolment.host + " has no IPv4 address, and others are not supported yet");
    if (addresses->empty()) return outcome;
    for (const auto& address : *addresses) {
        Attempt attempt(own, enrolment);
        outcome = attempt.make(address);
        if (outcome || attempt.reached()) return outcome;
    }
    return fail(outcome.error().text + "; ha-witness.service must run there and TCP port " +
                std::to_string(enrolment.port) + " be open");
}

}  // namespace ha::io
