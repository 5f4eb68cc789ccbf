#include "io/pairing_token.h"

#include <openssl/evp.h>
#include <sys/random.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "base/assert.h"
#include "base/bytes.h"
#include "io/durable_file.h"
#include "io/text_file.h"

namespace ha::io {
namespace {

constexpr std::string_view kAlphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
constexpr std::size_t kSumSize = 3;
constexpr std::size_t kRawSize = 16 + 16 + kSumSize;  // 280 bits: 56 digits, none left over
constexpr std::size_t kDigits = kRawSize * 8 / 5;

using Raw = std::array<std::byte, kRawSize>;

/// Over everything before it, with the version of the format.
void put_sum(Raw& raw) {
    std::vector<std::byte> input(raw.begin(), raw.end() - kSumSize);
    input.push_back(std::byte{1});
    std::array<std::byte, 32> digest{};
    unsigned int size = 0;
    HA_ASSERT(EVP_Digest(input.data(), input.size(),
                         reinterpret_cast<unsigned char*>(digest.data()), &size, EVP_sha256(),
                         nullptr) == 1);
    std::copy_n(digest.begin(), kSumSize, raw.end() - kSumSize);
}

/// The value of a digit as people write it; nothing: not a digit.
std::optional<unsigned> digit_value(char c) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
    if (c == 'O') c = '0';
    if (c == 'I' || c == 'L') c = '1';
    auto found = kAlphabet.find(c);
    if (found == std::string_view::npos) return std::nullopt;
    return static_cast<unsigned>(found);
}

std::optional<Raw> decode(std::string_view text) {
    Raw raw{};
    std::size_t digits = 0;
    for (char c : text) {
        if (c == '-' || c == ' ' || c == '\t' || c == '\r' || c == '\n') continue;
        auto value = digit_value(c);
        if (!value || digits == kDigits) return std::nullopt;
        for (std::size_t bit = 0; bit < 5; ++bit) {
            std::size_t at = digits * 5 + bit;
            if ((*value >> (4 - bit) & 1U) != 0) raw[at / 8] |= std::byte{0x80} >> (at % 8);
        }
        ++digits;
    }
    if (digits != kDigits) return std::nullopt;
    return raw;
}

}  // namespace

std::string PairingToken::text() const {
    Raw raw{};
    std::copy(secret.begin(), secret.end(), raw.begin());
    std::copy(issuer.begin(), issuer.end(), raw.begin() + 16);
    put_sum(raw);
    std::string out;
    for (std::size_t digit = 0; digit < kDigits; ++digit) {
        unsigned value = 0;
        for (std::size_t bit = 0; bit < 5; ++bit) {
            std::size_t at = digit * 5 + bit;
            bool set = (raw[at / 8] & std::byte{0x80} >> (at % 8)) != std::byte{0};
            value = value << 1 | (set ? 1U : 0U);
        }
        if (digit > 0 && digit % 4 == 0) out += '-';
        out += kAlphabet[value];
    }
    return out;
}

Result<PairingToken> PairingToken::parse(std::string_view text) {
    auto raw = decode(text);
    auto summed = raw.value_or(Raw{});
    put_sum(summed);
    if (!raw || summed != *raw) {
        return fail(
            "the token is mistyped or incomplete; copy it as it was printed on the other server");
    }
    PairingToken token;
    std::copy_n(raw->begin(), 16, token.secret.begin());
    std::copy_n(raw->begin() + 16, 16, token.issuer.begin());
    return token;
}

bool PairingToken::names(const Fingerprint& fingerprint) const {
    return std::equal(issuer.begin(), issuer.end(), fingerprint.bytes.begin());
}

// The file's content: u8 version (1), u8 state, u8 attempts left, i64 expiry (BOOTTIME, ns), 16
// bytes secret.
struct TokenStore::Record {
    State state = State::Open;
    std::uint8_t attempts_left = kTokenAttempts;
    Instant expires;
    std::array<std::byte, 16> secret{};
};

Result<std::optional<TokenStore::Record>> TokenStore::load() const {
    auto content = read_durable(path_, 256);
    if (!content) return tl::unexpected(content.error());
    if (!*content) return std::nullopt;
    ByteReader reader(**content);
    Record record;
    auto version = reader.u8();
    auto state = reader.u8();
    record.attempts_left = reader.u8();
    record.expires = Instant(Duration(reader.i64()));
    auto secret = reader.bytes(16);
    bool known = state == static_cast<std::uint8_t>(State::Open) ||
                 state == static_cast<std::uint8_t>(State::Used) ||
                 state == static_cast<std::uint8_t>(State::Burnt);
    if (version != 1 || !known || !reader.done() || secret.size() != 16) {
        return fail(path_ + " is damaged; run: hamirrorctl cluster token");
    }
    record.state = static_cast<State>(state);
    std::copy(secret.begin(), secret.end(), record.secret.begin());
    return record;
}

Result<> TokenStore::store(const Record& record) const {
    std::vector<std::byte> content;
    ByteWriter writer(content);
    writer.u8(1);
    writer.u8(static_cast<std::uint8_t>(record.state));
    writer.u8(record.attempts_left);
    writer.i64(record.expires.time_since_epoch().count());
    writer.bytes(record.secret);
    return write_durable(path_, content);
}

Result<PairingToken> TokenStore::issue(const Fingerprint& issuer) {
    PairingToken token;
    HA_ASSERT(getrandom(token.secret.data(), token.secret.size(), 0) ==
              static_cast<ssize_t>(token.secret.size()));
    std::copy_n(issuer.bytes.begin(), token.issuer.size(), token.issuer.begin());
    auto directory = path_.substr(0, path_.rfind('/'));
    if (auto made = make_directory(directory, 0755); !made) return tl::unexpected(made.error());
    auto stored = store({State::Open, kTokenAttempts, now_() + kTokenLife, token.secret});
    if (!stored) return tl::unexpected(stored.error());
    return token;
}

Result<TokenStore::Current> TokenStore::current() const {
    auto record = load();
    if (!record) return tl::unexpected(record.error());
    if (!*record) return Current{};
    if ((*record)->state == State::Open && now_() >= (*record)->expires) {
        return Current{State::Expired, {}};
    }
    return Current{(*record)->state, (*record)->secret};
}

Result<> TokenStore::count_wrong_attempt() {
    auto record = load();
    if (!record) return tl::unexpected(record.error());
    if (!*record || (*record)->state != State::Open) return {};
    auto changed = **record;
    if (changed.attempts_left > 0) --changed.attempts_left;
    if (changed.attempts_left == 0) {
        changed.state = State::Burnt;
        changed.secret = {};
    }
    return store(changed);
}

Result<> TokenStore::use_up() {
    auto record = load();
    if (!record) return tl::unexpected(record.error());
    if (!*record) return fail("there is no token to use up");
    auto changed = **record;
    changed.state = State::Used;
    changed.secret = {};
    return store(changed);
}

}  // namespace ha::io
