#pragma once

#include <functional>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/ports/register.h"
#include "io/loop.h"
#include "io/tls_stream.h"
#include "io/witness_wire.h"

namespace ha::io {

/// A witness as pairing recorded it (io/witness_pairing.h).
struct WitnessRecord {
    std::vector<std::string> addresses;  // numeric, one for each network
    std::uint16_t port = kWitnessPort;
    Fingerprint key;
    Id128 store;
};

/// Requests open at a time; more are refused as Unreachable.
inline constexpr std::size_t kMaxWitnessRequests = 256;

/// The registers of one hamirror-witness over one connection, made anew for ever. All addresses are
/// dialled at once and the first that answers is kept. A request without an answer at its deadline
/// ends the connection, so that it is not trusted with the next one, and an answer that comes late
/// is never mistaken. Loop's thread.
class WitnessClient final : public ports::Register {
  public:
    /// With the reason, for people, when it is down.
    using OnState = std::function<void(bool up, const std::string& why)>;

    WitnessClient(Loop& loop, TlsContext context, WitnessRecord witness, OnState on_state = {});
    ~WitnessClient() override;
    WitnessClient(const WitnessClient&) = delete;
    WitnessClient& operator=(const WitnessClient&) = delete;

    /// Begins to connect.
    void start();
    /// The witness knows us and this store of ours. Not whether it is behind: any answer tells.
    [[nodiscard]] bool up() const { return up_; }

    void ask(ports::RegisterRequest request, Instant deadline, Handler handler) override;

  private:
    struct Pending {
        ports::RegisterRequest request;
        Instant deadline;
        Handler handler;
        bool sent = false;
    };
    using Attempts = std::list<std::unique_ptr<TlsStream>>;

    void dial();
    void dialled(Attempts::iterator attempt);
    void failed(Attempts::iterator attempt, const std::string& reason);
    void received(std::span<const std::byte> frame);
    void greeted(const ports::RegisterAnswer& answer);
    void answered(const WitnessAnswer& message);
    void send_waiting();
    void broken(const std::string& reason);
    void retry_later();
    void deadlines();
    void watch_deadlines();
    void deliver(Handler handler, ports::RegisterAnswer answer);
    void tell(const std::string& why);

    Loop& loop_;
    TlsContext context_;
    WitnessRecord witness_;
    OnState on_state_;
    Timer retry_;
    Timer limit_;  // of the hello
    Timer deadline_;
    Duration backoff_;
    Attempts attempts_;
    std::unique_ptr<TlsStream> stream_;
    bool up_ = false;
    std::string trouble_;        // why it is down, as on_state_ was told last
    std::uint64_t counter_ = 0;  // the greatest seen, of any module
    std::uint64_t last_ = 0;     // number of a request
    std::map<std::uint64_t, Pending> pending_;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace ha::io
