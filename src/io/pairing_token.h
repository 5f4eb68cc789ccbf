#pragma once

#include <array>
#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"
#include "io/boot_id.h"
#include "io/clock.h"
#include "io/identity.h"

namespace ha::io {

inline constexpr Duration kTokenLife = 15min;
inline constexpr std::uint8_t kTokenAttempts = 5;

/// What `hamirrorctl cluster init` or `hamirror-witness token` prints and a person carries to the
/// other server: a secret only the two share, and whom it is for. docs/pairing.md.
struct PairingToken {
    std::array<std::byte, 16> secret{};
    std::array<std::byte, 16> issuer{};  // the first half of the issuer's fingerprint

    /// Groups of four letters and digits (Crockford's base 32) with a checksum.
    [[nodiscard]] std::string text() const;
    /// Case, spaces and dashes do not matter, O is 0, I and L are 1. Error: a mistyped token.
    static Result<PairingToken> parse(std::string_view text);
    [[nodiscard]] bool names(const Fingerprint& fingerprint) const;
};

/// The one token this node has issued, in DIRECTORY/pairing-token. The directory is in /run, so a
/// token also ends with the boot, which is why its expiry may be an Instant. hamirrorctl issues,
/// ha-clusterd uses up: every change is one atomic write of the file.
class TokenStore {
  public:
    explicit TokenStore(std::string directory = kRunDirectory,
                        std::function<Instant()> now = boot_now)
        : path_(std::move(directory) + "/pairing-token"), now_(std::move(now)) {}

    /// Replaces the token issued before, if any.
    Result<PairingToken> issue(const Fingerprint& issuer);

    enum class State : std::uint8_t { None, Open, Expired, Used, Burnt };
    struct Current {
        State state = State::None;
        std::array<std::byte, 16> secret{};  // if Open
    };
    Result<Current> current() const;

    /// Both before the answer that reveals it. Error: not recorded; then answer nothing good.
    Result<> count_wrong_attempt();
    Result<> use_up();

  private:
    struct Record;
    Result<std::optional<Record>> load() const;
    Result<> store(const Record& record) const;

    std::string path_;
    std::function<Instant()> now_;
};

}  // namespace ha::io
