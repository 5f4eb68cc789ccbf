#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/witness/registers.h"
#include "io/pairing_token.h"
#include "io/tls_stream.h"
#include "io/witness_wire.h"
#include "witness/store.h"

namespace ha::witness {

inline constexpr std::size_t kMaxClusters = 512;
/// Connections whose key no cluster has; more are closed.
inline constexpr std::size_t kMaxStrangers = 8;
/// From the handshake to the hello, or all of an enrolment.
inline constexpr Duration kHelloTimeout = 10s;
/// Requests of one cluster that wait for its disk; more are refused.
inline constexpr std::size_t kMaxWaiting = 128;
/// Of one connection; a node that does not read its answers is closed.
inline constexpr std::size_t kMaxAnswersUnsent = std::size_t{1} << 18;

struct Options {
    std::vector<std::string> addresses;  // numeric; empty: all of this machine
    std::uint16_t port = io::kWitnessPort;
    std::string state = "/var/lib/hamirror-witness";
    std::string run = "/run/hamirror-witness";
};

/// hamirror-witness as it serves: a connection at a time for each node, one request at a time for
/// each cluster, and no answer before what it says is durable. Loop's thread.
class Daemon {
  public:
    Daemon(io::Loop& loop, Options options);
    ~Daemon();
    Daemon(const Daemon&) = delete;
    Daemon& operator=(const Daemon&) = delete;

    Result<> start();

  private:
    using SessionId = std::uint64_t;
    struct Session {
        std::unique_ptr<io::TlsStream> stream;
        std::unique_ptr<io::Timer> limit;
        std::optional<Id128> store;  // from a good hello on
    };
    struct Job {
        SessionId session;
        std::uint64_t number;
        ports::RegisterRequest request;
    };
    struct Entry {
        Cluster cluster;
        std::string damage;  // not empty: nothing is known of it but that it is there
        bool busy = false;   // its file is being written
        std::deque<Job> waiting;
    };
    using Entries = std::map<Id128, Entry>;

    Result<> load();
    Result<> listen();
    void adopt(std::unique_ptr<io::TlsStream> stream);
    void received(SessionId id, std::span<const std::byte> frame);
    void close(SessionId id);
    void hello(SessionId id, const io::WitnessHello& message);
    void enrol(SessionId id, const io::WitnessEnrol& message);
    void enrolled(SessionId id, const Id128& store, Store::Outcome outcome, const std::string& why);
    void ask(SessionId id, const io::WitnessAsk& message);
    void serve(const Id128& store);
    void begin(Entry& entry, Job job, Step step);
    void finish(const Id128& store, const Job& job, Step step, Store::Outcome outcome,
                const std::string& why);
    void damaged(Entry& entry, const std::string& why);
    void answer(SessionId id, std::uint64_t number, const ports::RegisterAnswer& answer);
    /// The answer to a hello or an enrolment that ends the connection.
    void refuse(SessionId id, ports::RegisterRefusal why, const std::string& text);
    [[nodiscard]] bool knows(const Key& key) const;
    [[nodiscard]] std::size_t strangers() const;
    void show_status() const;

    io::Loop& loop_;
    Options options_;
    io::Fd lock_;
    std::optional<io::Identity> identity_;
    io::TokenStore tokens_;
    Entries entries_;
    std::map<SessionId, Session> sessions_;
    SessionId last_session_ = 0;
    std::unique_ptr<io::TlsListener> listener_;
    Store store_;  // last: its threads end before what they answer to goes
};

}  // namespace ha::witness
