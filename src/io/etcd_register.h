#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/ports/register.h"
#include "io/etcd_wire.h"
#include "io/http_client.h"
#include "io/loop.h"

namespace ha::io {

/// An etcd as a pair's witness; docs/etcd.md.
struct EtcdRecord {
    std::vector<std::string> endpoints;  // "https://HOST:PORT", at least one
    std::vector<std::string> known;      // of HttpClient
    EtcdStore store;
    HttpsFiles files;
    std::string user;           // empty: without authentication
    std::string password_file;  // of one line; read again for each authentication
    std::uint64_t cluster = 0;  // etcd's id; 0: that of whoever answers first
};

/// Requests open at a time; more are refused as Unreachable.
inline constexpr std::size_t kMaxEtcdRequests = 256;

/// The registers of a pair in an etcd of one member or more. Loop's thread.
///
/// A request is sent to one endpoint after another, and round again, until one has answered or its
/// deadline has come. It may therefore be sent several times, also when nobody knows what became of
/// the earlier sendings. That is safe because of what is sent (etcd_exchange): an exchange is done
/// only while the module shows the id expected, no id is ever a value's twice, and a register that
/// shows this very value answers Won to whoever asks. However many sendings arrive, in whatever
/// order and however late, at most one of them changes anything, and it is the same change. What
/// an earlier sending may have done is not forgotten: once one was left open, a later refusal (of a
/// token, by a member without room) proves nothing about it, and the outcome is Uncertain.
///
/// An endpoint that calls itself a member of another cluster than the record's is as good as down,
/// whatever it answers: a copy of an etcd that runs beside it has its store, but not its id.
///
/// Of the contract one refusal is never given: Foreign. A store is found by its id, so there is no
/// other one in its place; it is there, or the answer is NotPaired. And no module is refused as
/// Full: etcd has one bound for all it keeps, whose end is Unwritable.
class EtcdRegister final : public ports::Register {
  public:
    EtcdRegister(Loop& loop, EtcdRecord record);
    ~EtcdRegister() override;
    EtcdRegister(const EtcdRegister&) = delete;
    EtcdRegister& operator=(const EtcdRegister&) = delete;

    /// Connections and a token are made when they are needed first, which costs a few round trips
    /// and etcd's hashing of the password (about 0.1 s); both last for minutes without use. Who
    /// needs prompt exchanges reads every minute.
    void ask(ports::RegisterRequest request, Instant deadline, Handler handler) override;

    /// Makes the store, once, when the pair is given its witness and before anybody is told its id,
    /// which must be new. Shown: it is there. Uncertain: ask again, or forget this id.
    void set_up(Instant deadline, Handler handler);

    /// The record's, or of whoever answered first; 0: nobody has.
    [[nodiscard]] std::uint64_t cluster() const { return record_.cluster; }

  private:
    enum class Deed : std::uint8_t { Ask, MarkBehind, SetUp };
    struct Open;
    using Number = std::uint64_t;

    void begin(Deed deed, ports::RegisterRequest request, Instant deadline, Handler handler);
    void attempt(Number number);
    void authenticate(std::size_t endpoint);
    void authenticated(const HttpReply& reply);
    void login_over(const EtcdError& error);
    void replied(Number number, const HttpReply& reply);
    void shown(Number number, const EtcdView& view);
    void faulted(Number number, const EtcdError& error);
    void again(Number number, std::size_t endpoint, const std::string& why);
    void expire(Number number);
    void settle(Number number, ports::RegisterAnswer answer);
    void deliver(Handler handler, ports::RegisterAnswer answer);
    [[nodiscard]] HttpPost post_to(std::size_t endpoint, const char* path, std::string body) const;

    Loop& loop_;
    EtcdRecord record_;
    HttpClient http_;
    std::size_t preferred_ = 0;     // the endpoint that is tried first
    std::uint64_t counter_ = 0;     // the greatest seen, of any module
    std::string token_;             // empty: none yet, or no longer
    HttpClient::Ticket login_ = 0;  // authentication under way; 0: none
    std::size_t login_endpoint_ = 0;
    Number last_ = 0;
    std::map<Number, std::unique_ptr<Open>> open_;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace ha::io
