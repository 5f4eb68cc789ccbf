#include "io/witness_client.h"

#include <algorithm>

#include "io/boot_id.h"
#include "io/clock.h"

namespace ha::io {
namespace {

using ports::RegisterAnswer;
using ports::RegisterOutcome;
using ports::RegisterRefusal;

constexpr Duration kFirstRetry = 100ms;
constexpr Duration kLastRetry = 3s;

RegisterAnswer uncertain(const std::string& why) {
    RegisterAnswer out;
    out.outcome = RegisterOutcome::Uncertain;
    out.text = why;
    return out;
}

RegisterAnswer refused(RegisterRefusal refusal, const std::string& why) {
    RegisterAnswer out;
    out.outcome = RegisterOutcome::Refused;
    out.refusal = refusal;
    out.text = why;
    return out;
}

/// What would be cut off, or refused by whoever reads it.
bool in_bounds(const ports::RegisterRequest& request) {
    return !request.module.empty() && request.module.size() <= ports::kMaxRegisterName &&
           (!request.exchange ||
            (!request.exchange->value.id.none() &&
             request.exchange->value.content.size() <= ports::kMaxRegisterContent));
}

/// Between one and two times `pause`, so that hundreds do not come back in step.
Duration spread(Duration pause) {
    return pause + Duration(static_cast<std::int64_t>(random_id().low %
                                                      static_cast<std::uint64_t>(pause.count())));
}

}  // namespace

WitnessClient::WitnessClient(Loop& loop, TlsContext context, WitnessRecord witness,
                             OnState on_state)
    : loop_(loop),
      context_(std::move(context)),
      witness_(std::move(witness)),
      on_state_(std::move(on_state)),
      retry_(loop),
      limit_(loop),
      deadline_(loop),
      backoff_(kFirstRetry) {}

WitnessClient::~WitnessClient() = default;

void WitnessClient::start() {
    dial();
}

// ---- the connection

void WitnessClient::dial() {
    for (const auto& address : witness_.addresses) {
        TlsStream::Target target;
        target.address = address;
        target.port = witness_.port;
        target.expected = witness_.key;
        target.protocol = kWitnessProtocol;
        auto attempt = attempts_.emplace(attempts_.end());
        TlsStream::Callbacks callbacks;
        callbacks.on_ready = [this, attempt] { dialled(attempt); };
        callbacks.on_closed = [this, attempt](const std::string& why) { failed(attempt, why); };
        *attempt = TlsStream::connect(loop_, context_, target, std::move(callbacks));
    }
}

void WitnessClient::dialled(Attempts::iterator attempt) {
    stream_ = std::move(*attempt);
    attempts_.clear();
    stream_->set_frame_limit(kMaxWitnessFrame);
    TlsStream::Callbacks callbacks;
    callbacks.on_frame = [this](std::span<const std::byte> frame) { received(frame); };
    callbacks.on_closed = [this](const std::string& why) { broken(why); };
    stream_->set_callbacks(std::move(callbacks));
    limit_.arm(boot_now() + kHandshakeTimeout,
               [this] { broken("the witness did not answer within 3 s"); });
    stream_->send(encode(WitnessMessage(WitnessHello{kWitnessVersion, witness_.store})));
}

void WitnessClient::failed(Attempts::iterator attempt, const std::string& reason) {
    attempts_.erase(attempt);
    if (!attempts_.empty()) return;
    retry_later();
    tell(reason);
}

void WitnessClient::received(std::span<const std::byte> frame) {
    auto message = decode_witness_answer(frame);
    if (!message) return broken("the witness sent what is no answer");
    if (message->answer.outcome != RegisterOutcome::Refused &&
        message->answer.outcome != RegisterOutcome::Uncertain &&
        message->answer.stamp.store != witness_.store) {
        return broken("the witness answered from another store");
    }
    if (!up_) return message->number == 0 ? greeted(message->answer) : broken("a stray answer");
    answered(*message);
}

void WitnessClient::greeted(const RegisterAnswer& answer) {
    if (answer.outcome != RegisterOutcome::Shown) {
        // Nobody has to wait for the next connection to learn what a person must mend first.
        for (auto& [number, open] : pending_) deliver(std::move(open.handler), answer);
        pending_.clear();
        return broken(answer.text);
    }
    limit_.cancel();
    backoff_ = kFirstRetry;
    up_ = true;
    send_waiting();
    tell("");
}

void WitnessClient::answered(const WitnessAnswer& message) {
    auto found = pending_.find(message.number);
    if (found == pending_.end() || !found->second.sent) return broken("a stray answer");
    auto handler = std::move(found->second.handler);
    pending_.erase(found);
    watch_deadlines();
    if (message.answer.stamp.store == witness_.store) {
        counter_ = std::max(counter_, message.answer.stamp.counter);
    }
    deliver(std::move(handler), message.answer);
}

void WitnessClient::broken(const std::string& reason) {
    stream_.reset();
    limit_.cancel();
    up_ = false;
    for (auto each = pending_.begin(); each != pending_.end();) {
        if (each->second.sent) {
            deliver(std::move(each->second.handler), uncertain(reason));
            each = pending_.erase(each);
        } else {
            ++each;
        }
    }
    watch_deadlines();
    retry_later();
    tell(reason);
}

void WitnessClient::retry_later() {
    retry_.arm(boot_now() + spread(backoff_), [this] { dial(); });
    backoff_ = std::min(backoff_ * 2, kLastRetry);
}

/// Later, because it may destroy us.
void WitnessClient::tell(const std::string& why) {
    if (!up_ && why == trouble_) return;
    trouble_ = why;
    if (!on_state_) return;
    loop_.post([alive = std::weak_ptr<bool>(alive_), call = on_state_, up = up_, why] {
        if (!alive.expired()) call(up, why);
    });
}

// ---- requests

void WitnessClient::ask(ports::RegisterRequest request, Instant deadline, Handler handler) {
    if (!in_bounds(request)) {
        return deliver(std::move(handler),
                       refused(RegisterRefusal::Invalid, "a name or value is out of bounds"));
    }
    if (pending_.size() >= kMaxWitnessRequests) {
        return deliver(std::move(handler), refused(RegisterRefusal::Unreachable,
                                                   "too many requests wait for the witness"));
    }
    if (request.seen.store == witness_.store) counter_ = std::max(counter_, request.seen.counter);
    pending_.emplace(++last_, Pending{std::move(request), deadline, std::move(handler)});
    if (up_) send_waiting();
    watch_deadlines();
}

void WitnessClient::send_waiting() {
    for (auto& [number, open] : pending_) {
        if (open.sent) continue;
        open.request.seen = {witness_.store, counter_};
        open.sent = true;  // also if sending fails: part of it may be on its way
        if (!stream_->send(encode(WitnessMessage(WitnessAsk{number, open.request})))) return;
    }
}

void WitnessClient::watch_deadlines() {
    if (pending_.empty()) return deadline_.cancel();
    auto next = std::min_element(
        pending_.begin(), pending_.end(),
        [](const auto& a, const auto& b) { return a.second.deadline < b.second.deadline; });
    deadline_.arm(next->second.deadline, [this] { deadlines(); });
}

void WitnessClient::deadlines() {
    const Instant now = boot_now();
    bool unanswered = false;
    for (auto each = pending_.begin(); each != pending_.end();) {
        if (each->second.deadline > now) {
            ++each;
        } else if (each->second.sent) {
            unanswered = true;
            ++each;
        } else {
            deliver(std::move(each->second.handler),
                    refused(RegisterRefusal::Unreachable,
                            "the witness cannot be reached" +
                                (trouble_.empty() ? "" : ": " + trouble_)));
            each = pending_.erase(each);
        }
    }
    if (unanswered) return broken("the witness did not answer in time");
    watch_deadlines();
}

void WitnessClient::deliver(Handler handler, RegisterAnswer answer) {
    loop_.post([alive = std::weak_ptr<bool>(alive_), handler = std::move(handler),
                answer = std::move(answer)] {
        if (!alive.expired()) handler(answer);
    });
}

}  // namespace ha::io
