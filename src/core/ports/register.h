#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/id128.h"
#include "base/time.h"

// The register of a witness, as the decisions see it: one durable cell for each module, changed by
// compare-and-exchange only. hamirror-witness is one implementation, an etcd is another;
// tests/unit/witness/register_contract_test.cc holds each of them to what is said here.

namespace ha::ports {

inline constexpr std::size_t kMaxRegisterContent = 2048;
/// Bytes of a module's name, at least 1.
inline constexpr std::size_t kMaxRegisterName = 64;

/// A decision. The register compares the id and keeps the content, which it cannot read.
struct RegisterValue {
    Id128 id;                        // not none; never given to another content
    std::vector<std::byte> content;  // at most kMaxRegisterContent

    bool operator==(const RegisterValue&) const = default;
};

/// How far a store is. `store` is random, made with the store, so that one that was wiped or
/// replaced is known for another; `counter` grows with each exchange that anybody wins in it.
struct RegisterStamp {
    Id128 store;
    std::uint64_t counter = 0;

    bool operator==(const RegisterStamp&) const = default;
};

struct RegisterExchange {
    Id128 expected;       // the id the register must show; none: that there is no value
    RegisterValue value;  // its id is the exchange's, too: the same decision is the same exchange

    bool operator==(const RegisterExchange&) const = default;
};

struct RegisterRequest {
    std::string module;
    RegisterStamp seen;  // the greatest this node knows, durably; of another store: no matter
    std::optional<RegisterExchange> exchange;  // nothing: read

    bool operator==(const RegisterRequest&) const = default;
};

enum class RegisterOutcome : std::uint8_t {
    /// Of a read: `current` is what the register shows. None although the module has a chain:
    /// register-lost.
    Shown,
    /// The register shows this very value, durably: it was exchanged now, by an earlier sending of
    /// the same exchange, or by the other node for the same decision.
    Won,
    /// It shows `current`, which is neither what was expected nor this value. Nothing was changed,
    /// but an earlier sending may have won before `current` did: only the value's ancestors tell.
    Lost,
    /// Nothing was changed by this sending and nothing ever will be; see RegisterRefusal.
    Refused,
    /// Nothing is known: no answer in time, or the connection broke. The exchange may have been
    /// won, and may still arrive (R6).
    Uncertain
};

enum class RegisterRefusal : std::uint8_t {
    None,         // not refused
    Unreachable,  // never sent: no connection before the deadline
    NotPaired,    // the witness does not know this node's key
    Foreign,      // it knows the key, but in another store than this node was told of
    Damaged,      // the store cannot be read
    Behind,       // the store is older than somebody has seen it: restored from a backup. Stays so
    Full,         // no room for another module
    Unwritable,   // it could not be made durable, and was not
    Conflict,     // the register has this id with another content: a programming error
    Invalid,      // a name or value out of bounds, or not understood
    Version       // the two programs do not speak the same version
};

struct RegisterAnswer {
    RegisterOutcome outcome = RegisterOutcome::Uncertain;
    RegisterRefusal refusal = RegisterRefusal::None;
    /// Of Shown, Won and Lost. Record it durably with what is recorded of the answer: it is what
    /// `seen` of later requests and the other node is told. Else as far as known.
    RegisterStamp stamp;
    std::optional<RegisterValue> current;  // of Shown, Won and Lost
    std::string text;                      // of Refused and Uncertain: a sentence for people

    bool operator==(const RegisterAnswer&) const = default;
};

/// Requests are answered each exactly once, by the owner's thread, never from within the call; none
/// after the register was destroyed. Several may be open at a time; they may overtake each other.
class Register {
  public:
    using Handler = std::function<void(const RegisterAnswer&)>;

    virtual ~Register() = default;

    /// Without an answer at `deadline`: Uncertain, or Refused as Unreachable if it never left.
    void read(std::string module, RegisterStamp seen, Instant deadline, Handler handler) {
        ask({std::move(module), seen, std::nullopt}, deadline, std::move(handler));
    }
    /// An exchange whose outcome is Uncertain is repeated with the same value (R6).
    void exchange(std::string module, RegisterStamp seen, Id128 expected, RegisterValue value,
                  Instant deadline, Handler handler) {
        ask({std::move(module), seen, RegisterExchange{expected, std::move(value)}}, deadline,
            std::move(handler));
    }
    virtual void ask(RegisterRequest request, Instant deadline, Handler handler) = 0;
};

/// "won", "lost", ... and "behind", "damaged", ...: for logs and status.
const char* name(RegisterOutcome outcome);
const char* name(RegisterRefusal refusal);

}  // namespace ha::ports
