#pragma once

#include <openssl/evp.h>
#include <openssl/x509.h>

#include <array>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

// Who a node is: a P-256 key pair of its own (P-256 and not Ed25519, because FIPS policies of some
// sites refuse the latter) with a self-signed certificate around it. Nodes know each other by the
// fingerprint of the public key; names, dates and issuers in certificates mean nothing.

namespace ha::io {

inline constexpr const char* kKeyDirectory = "/etc/hamirror/keys";
inline constexpr const char* kStateDirectory = "/var/lib/hamirror";

/// SHA-256 of the public key (SubjectPublicKeyInfo, DER).
struct Fingerprint {
    std::array<std::byte, 32> bytes{};

    auto operator<=>(const Fingerprint&) const = default;
    /// 64 lower-case hexadecimal digits.
    [[nodiscard]] std::string text() const;
    static std::optional<Fingerprint> parse(std::string_view text);
};

/// Nothing if the key cannot be encoded.
std::optional<Fingerprint> fingerprint_of(const X509* certificate);

/// A value: copies share the key.
class Identity {
  public:
    /// A new key; `name` is for people who look into the certificate.
    static Result<Identity> generate(const std::string& name);
    /// From DIRECTORY/node.pem. Error code ENOENT: there is none; also if others may read it.
    static Result<Identity> load(const std::string& directory = kKeyDirectory);
    /// Durably, mode 0600, directory 0700. Never over an existing one (EEXIST).
    Result<> save(const std::string& directory = kKeyDirectory) const;

    [[nodiscard]] const Fingerprint& fingerprint() const { return fingerprint_; }
    [[nodiscard]] EVP_PKEY* key() const { return key_.get(); }
    [[nodiscard]] X509* certificate() const { return certificate_.get(); }

  private:
    Identity() = default;
    static Result<Identity> from_pem(const std::string& pem, const std::string& path);
    [[nodiscard]] Result<std::string> to_pem() const;

    std::shared_ptr<EVP_PKEY> key_;
    std::shared_ptr<X509> certificate_;
    Fingerprint fingerprint_;
};

/// The one peer this node trusts, as pairing recorded it.
struct PeerRecord {
    std::string name;
    Fingerprint fingerprint;
};

/// DIRECTORY/peer. nullopt: not paired.
Result<std::optional<PeerRecord>> load_peer(const std::string& directory = kStateDirectory);
Result<> save_peer(const PeerRecord& peer, const std::string& directory = kStateDirectory);

}  // namespace ha::io
