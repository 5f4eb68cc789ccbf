#include "io/etcd_register.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "io/clock.h"
#include "io/etcd_config.h"

namespace ha::io {
namespace {

using ports::RegisterAnswer;
using ports::RegisterOutcome;
using ports::RegisterRefusal;

// What one endpoint is given to answer in: doubled with each round, because a cluster that is slow
// and not dead would else never be heard out.
constexpr Duration kFirstPatience = 500ms;
constexpr Duration kLastPatience = 8s;
constexpr Duration kFirstPause = 50ms;
constexpr Duration kLastPause = 1s;
constexpr int kOk = 200;

Duration doubled(Duration first, std::size_t times, Duration last) {
    while (times-- > 0 && first < last) first *= 2;
    return std::min(first, last);
}

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

bool in_bounds(const ports::RegisterRequest& request) {
    return !request.module.empty() && request.module.size() <= ports::kMaxRegisterName &&
           (!request.exchange ||
            (!request.exchange->value.id.none() &&
             request.exchange->value.content.size() <= ports::kMaxRegisterContent));
}

}  // namespace

struct EtcdRegister::Open {
    explicit Open(Loop& loop) : limit(loop), pause(loop) {}

    Deed deed = Deed::Ask;
    ports::RegisterRequest request;
    Handler handler;
    Timer limit;
    Timer pause;
    HttpClient::Ticket ticket = 0;  // of the sending under way; 0: none
    bool wants_token = false;       // waits for the authentication under way
    std::size_t endpoint = 0;
    std::size_t tries = 0;
    std::uint64_t seen = 0;  // as it was sent: only what was done before must show in the answer
    std::string token;       // as it was sent
    bool renewed = false;    // a token was fetched for it
    bool left_open = false;  // nobody knows what became of one of the sendings
    std::string trouble;
};

EtcdRegister::EtcdRegister(Loop& loop, EtcdRecord record)
    : loop_(loop),
      record_(std::move(record)),
      http_(loop, record_.files, kMaxEtcdReply, record_.known) {
    HA_ASSERT(!record_.endpoints.empty());
}

EtcdRegister::~EtcdRegister() = default;

void EtcdRegister::ask(ports::RegisterRequest request, Instant deadline, Handler handler) {
    if (!in_bounds(request)) {
        return deliver(std::move(handler),
                       refused(RegisterRefusal::Invalid, "a name or value is out of bounds"));
    }
    if (request.seen.store == record_.store.id) {
        counter_ = std::max(counter_, request.seen.counter);
    }
    begin(Deed::Ask, std::move(request), deadline, std::move(handler));
}

void EtcdRegister::set_up(Instant deadline, Handler handler) {
    begin(Deed::SetUp, {}, deadline, std::move(handler));
}

void EtcdRegister::begin(Deed deed, ports::RegisterRequest request, Instant deadline,
                         Handler handler) {
    if (open_.size() >= kMaxEtcdRequests) {
        return deliver(std::move(handler),
                       refused(RegisterRefusal::Unreachable, "too many requests wait for etcd"));
    }
    const Number number = ++last_;
    auto open = std::make_unique<Open>(loop_);
    open->deed = deed;
    open->request = std::move(request);
    open->handler = std::move(handler);
    open->endpoint = preferred_;
    open->limit.arm(deadline, [this, number] { expire(number); });
    open_.emplace(number, std::move(open));
    attempt(number);
}

// ---- one sending

HttpPost EtcdRegister::post_to(std::size_t endpoint, const char* path, std::string body) const {
    return {record_.endpoints[endpoint] + path, std::move(body), token_, kFirstPatience};
}

void EtcdRegister::attempt(Number number) {
    Open& open = *open_.at(number);
    if (!record_.user.empty() && token_.empty()) {
        open.wants_token = true;
        return authenticate(open.endpoint);
    }
    open.wants_token = false;
    open.seen = counter_;
    open.token = token_;
    std::string body;
    const auto& exchange = open.request.exchange;
    switch (open.deed) {
        case Deed::Ask:
            // A value that replaces itself is no change: what is shown says whether it is there.
            body = exchange && exchange->expected != exchange->value.id
                       ? etcd_exchange(record_.store, open.request.module, open.seen, *exchange)
                       : etcd_read(record_.store, open.request.module);
            break;
        case Deed::MarkBehind:
            body = etcd_mark_behind(record_.store, open.request.module, open.seen);
            break;
        case Deed::SetUp:
            body = etcd_set_up(record_.store);
            break;
    }
    auto post = post_to(open.endpoint, "/v3/kv/txn", std::move(body));
    post.patience = doubled(kFirstPatience, open.tries / record_.endpoints.size(), kLastPatience);
    open.ticket =
        http_.post(post, [this, number](const HttpReply& reply) { replied(number, reply); });
}

void EtcdRegister::replied(Number number, const HttpReply& reply) {
    Open& open = *open_.at(number);
    open.ticket = 0;
    if (reply.status == kOk) {
        auto view = decode_etcd_view(reply.body, record_.store, open.request.module);
        if (!view) {
            return faulted(number, {EtcdFault::Unknown, RegisterRefusal::None, view.error().text});
        }
        if (record_.cluster == 0) record_.cluster = view->cluster;
        if (record_.cluster != view->cluster) {
            // What was done there was not done in ours.
            return faulted(number, {EtcdFault::Later, RegisterRefusal::None,
                                    record_.endpoints[open.endpoint] + " belongs to another etcd"});
        }
        preferred_ = open.endpoint;
        return shown(number, *view);
    }
    if (reply.status != 0) return faulted(number, decode_etcd_error(reply.status, reply.body));
    // etcd's tokens name an index of its log, and it is silent to one from beyond its end: so it is
    // after a restore, and the token may be all that is wrong.
    if (reply.sent && reply.timed_out && open.token == token_) token_.clear();
    faulted(number, {reply.sent ? EtcdFault::Unknown : EtcdFault::Later, RegisterRefusal::None,
                     reply.trouble});
}

void EtcdRegister::shown(Number number, const EtcdView& view) {
    Open& open = *open_.at(number);
    auto answer = answer_of(view, record_.store, open.request, open.seen);
    if (!answer) {
        open.deed = Deed::MarkBehind;
        return attempt(number);
    }
    if (open.deed == Deed::MarkBehind && answer->outcome != RegisterOutcome::Refused) {
        open.deed = Deed::Ask;  // the newer store was put back meanwhile
        return attempt(number);
    }
    if (answer->outcome != RegisterOutcome::Refused) {
        counter_ = std::max(counter_, answer->stamp.counter);
    }
    settle(number, std::move(*answer));
}

void EtcdRegister::faulted(Number number, const EtcdError& error) {
    Open& open = *open_.at(number);
    switch (error.fault) {
        case EtcdFault::Refused:
            return settle(number, refused(error.refusal, error.text));
        case EtcdFault::Token:
            if (open.token == token_) token_.clear();
            if (std::exchange(open.renewed, true)) break;
            return attempt(number);
        case EtcdFault::Unknown:
            // What became of the mark does not matter, the exchange before it was answered.
            if (open.deed != Deed::MarkBehind) open.left_open = true;
            break;
        case EtcdFault::Later:
            break;
    }
    again(number, open.endpoint, error.text);
}

/// `endpoint` has failed it.
void EtcdRegister::again(Number number, std::size_t endpoint, const std::string& why) {
    Open& open = *open_.at(number);
    const std::size_t next = (endpoint + 1) % record_.endpoints.size();
    if (preferred_ == endpoint) preferred_ = next;
    open.trouble = why;
    open.endpoint = next;
    ++open.tries;
    if (open.tries % record_.endpoints.size() != 0) return attempt(number);
    const auto round = open.tries / record_.endpoints.size() - 1;
    open.pause.arm(boot_now() + doubled(kFirstPause, round, kLastPause),
                   [this, number] { attempt(number); });
}

// ---- the token

void EtcdRegister::authenticate(std::size_t endpoint) {
    if (login_ != 0) return;
    login_endpoint_ = endpoint;
    auto password = read_password(record_.password_file);
    if (!password) {
        // Later: who asked expects no answer yet.
        return loop_.post([this, alive = std::weak_ptr<bool>(alive_), why = password.error().text] {
            if (!alive.expired()) {
                login_over({EtcdFault::Refused, RegisterRefusal::Unreachable, why});
            }
        });
    }
    auto post =
        post_to(endpoint, "/v3/auth/authenticate", etcd_authenticate(record_.user, *password));
    std::size_t tries = 0;
    for (const auto& [number, open] : open_) {
        if (open->wants_token) tries = std::max(tries, open->tries);
    }
    post.patience = doubled(2 * kFirstPatience, tries / record_.endpoints.size(), kLastPatience);
    login_ = http_.post(post, [this](const HttpReply& reply) { authenticated(reply); });
}

void EtcdRegister::authenticated(const HttpReply& reply) {
    login_ = 0;
    EtcdError error;
    if (reply.status == kOk) {
        auto token = decode_etcd_token(reply.body);
        if (token) {
            token_ = *token;
        } else {
            error.text = token.error().text;
        }
    } else if (reply.status != 0) {
        error = decode_etcd_error(reply.status, reply.body);
    } else {
        error.text = reply.trouble;
    }
    login_over(error);
}

/// All who wait for the token go on: with it, or by what is wrong.
void EtcdRegister::login_over(const EtcdError& error) {
    std::vector<Number> waiting;
    for (const auto& [number, open] : open_) {
        if (open->wants_token) waiting.push_back(number);
    }
    // All first: the first of them may begin another authentication.
    for (Number number : waiting) open_.at(number)->wants_token = false;
    for (Number number : waiting) {
        if (!token_.empty()) {
            attempt(number);
        } else if (error.fault == EtcdFault::Refused) {
            settle(number, refused(error.refusal, error.text));
        } else {
            again(number, login_endpoint_, error.text);
        }
    }
}

// ---- the end of a request

void EtcdRegister::expire(Number number) {
    Open& open = *open_.at(number);
    if (open.ticket != 0 && http_.cancel(open.ticket)) open.left_open = true;
    const std::string why = open.trouble.empty() ? "" : ": " + open.trouble;
    if (open.deed == Deed::MarkBehind) {
        return settle(number, uncertain("the store in etcd is older than a node has seen it, which "
                                        "could not be recorded there" +
                                        why));
    }
    if (open.left_open) return settle(number, uncertain("etcd did not answer in time" + why));
    settle(number, refused(RegisterRefusal::Unreachable, "etcd cannot be reached" + why));
}

void EtcdRegister::settle(Number number, RegisterAnswer answer) {
    auto found = open_.find(number);
    const Open& open = *found->second;
    // A refusal of this sending says nothing of one that was left open.
    if (answer.outcome == RegisterOutcome::Refused && open.left_open &&
        (open.request.exchange || open.deed == Deed::SetUp)) {
        auto stamp = answer.stamp;
        answer = uncertain(answer.text);
        answer.stamp = stamp;
    }
    auto handler = std::move(found->second->handler);
    open_.erase(found);
    deliver(std::move(handler), std::move(answer));
}

/// Later, because it may destroy us.
void EtcdRegister::deliver(Handler handler, RegisterAnswer answer) {
    loop_.post([alive = std::weak_ptr<bool>(alive_), handler = std::move(handler),
                answer = std::move(answer)] {
        if (!alive.expired()) handler(answer);
    });
}

}  // namespace ha::io
