#include "io/identity.h"

#include <fcntl.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <span>
#include <vector>

#include "base/bytes.h"
#include "io/durable_file.h"
#include "io/fd.h"
#include "io/text_file.h"

namespace ha::io {
namespace {

constexpr std::size_t kMaxPem = 16384;
constexpr const char* kFile = "/node.pem";

struct BioDelete {
    void operator()(BIO* bio) const noexcept { BIO_free_all(bio); }
};
using Bio = std::unique_ptr<BIO, BioDelete>;

tl::unexpected<Error> openssl_error(const std::string& what) {
    char text[256] = "unknown error";
    if (auto code = ERR_get_error()) ERR_error_string_n(code, text, sizeof text);
    ERR_clear_error();
    return fail("cannot " + what + ": " + text);
}

std::shared_ptr<EVP_PKEY> share(EVP_PKEY* key) {
    return {key, EVP_PKEY_free};
}
std::shared_ptr<X509> share(X509* certificate) {
    return {certificate, X509_free};
}

/// Valid for ever: clocks of nodes are not to be trusted and nobody looks at the dates.
bool fill(X509* certificate, EVP_PKEY* key, const std::string& name) {
    std::uint64_t serial = 0;
    if (RAND_bytes(reinterpret_cast<unsigned char*>(&serial), sizeof serial) != 1) return false;
    auto subject = X509_get_subject_name(certificate);
    return X509_set_version(certificate, X509_VERSION_3) == 1 &&
           ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate), serial >> 1) == 1 &&
           ASN1_TIME_set_string(X509_getm_notBefore(certificate), "19700101000000Z") == 1 &&
           ASN1_TIME_set_string(X509_getm_notAfter(certificate), "99991231235959Z") == 1 &&
           X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8,
                                      reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1,
                                      0) == 1 &&
           X509_set_issuer_name(certificate, subject) == 1 &&
           X509_set_pubkey(certificate, key) == 1 && X509_sign(certificate, key, EVP_sha256()) != 0;
}

/// The text of a file that only its owner may read.
Result<std::string> read_private(const std::string& path) {
    Fd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    if (!fd) {
        int code = errno;
        return fail("cannot read this node's key " + path + ": " + std::strerror(code), code);
    }
    struct stat status {};
    if (fstat(fd.get(), &status) != 0 || (status.st_mode & 077) != 0) {
        return fail("others may read this node's key " + path + "; run: chmod 600 " + path, EPERM);
    }
    std::string text(kMaxPem, '\0');
    auto got = read(fd.get(), text.data(), text.size());
    text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    return text;
}

}  // namespace

std::string Fingerprint::text() const {
    std::string out;
    for (std::byte byte : bytes) {
        out += "0123456789abcdef"[std::to_integer<unsigned>(byte) >> 4];
        out += "0123456789abcdef"[std::to_integer<unsigned>(byte) & 15];
    }
    return out;
}

std::optional<Fingerprint> Fingerprint::parse(std::string_view text) {
    Fingerprint out;
    if (text.size() != 64) return std::nullopt;
    for (std::size_t i = 0; i < text.size(); ++i) {
        auto digit = std::string_view("0123456789abcdef").find(text[i]);
        if (digit == std::string_view::npos) return std::nullopt;
        out.bytes[i / 2] = out.bytes[i / 2] << 4 | static_cast<std::byte>(digit);
    }
    return out;
}

std::optional<Fingerprint> fingerprint_of(const X509* certificate) {
    unsigned char* der = nullptr;
    int size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &der);
    if (size <= 0) return std::nullopt;
    Fingerprint out;
    unsigned int length = 0;
    int done = EVP_Digest(der, static_cast<std::size_t>(size),
                          reinterpret_cast<unsigned char*>(out.bytes.data()), &length, EVP_sha256(),
                          nullptr);
    OPENSSL_free(der);
    if (done != 1) return std::nullopt;
    return out;
}

Result<Identity> Identity::generate(const std::string& name) {
    Identity identity;
    identity.key_ = share(EVP_EC_gen("P-256"));
    identity.certificate_ = share(X509_new());
    if (!identity.key_ || !identity.certificate_ ||
        !fill(identity.certificate_.get(), identity.key_.get(), name)) {
        return openssl_error("make a key for this node");
    }
    auto fingerprint = fingerprint_of(identity.certificate_.get());
    if (!fingerprint) return openssl_error("make a key for this node");
    identity.fingerprint_ = *fingerprint;
    return identity;
}

Result<Identity> Identity::from_pem(const std::string& pem, const std::string& path) {
    Bio bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
    Identity identity;
    identity.key_ = share(PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, nullptr));
    identity.certificate_ = share(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
    if (!identity.key_ || !identity.certificate_ ||
        X509_check_private_key(identity.certificate_.get(), identity.key_.get()) != 1) {
        return openssl_error("understand this node's key " + path);
    }
    auto fingerprint = fingerprint_of(identity.certificate_.get());
    if (!fingerprint) return openssl_error("understand this node's key " + path);
    identity.fingerprint_ = *fingerprint;
    return identity;
}

Result<std::string> Identity::to_pem() const {
    Bio bio(BIO_new(BIO_s_mem()));
    if (PEM_write_bio_PKCS8PrivateKey(bio.get(), key_.get(), nullptr, nullptr, 0, nullptr,
                                      nullptr) != 1 ||
        PEM_write_bio_X509(bio.get(), certificate_.get()) != 1) {
        return openssl_error("write this node's key");
    }
    char* text = nullptr;
    auto size = BIO_get_mem_data(bio.get(), &text);
    return std::string(text, static_cast<std::size_t>(size));
}

Result<Identity> Identity::load(const std::string& directory) {
    auto pem = read_private(directory + kFile);
    if (!pem) return tl::unexpected(pem.error());
    return from_pem(*pem, directory + kFile);
}

Result<> Identity::save(const std::string& directory) const {
    std::string path = directory + kFile;
    if (access(path.c_str(), F_OK) == 0) return fail(path + " exists already", EEXIST);
    auto pem = to_pem();
    if (!pem) return tl::unexpected(pem.error());
    if (auto made = make_directory(directory, 0700); !made) return made;
    return write_text_durable(path, *pem, 0600);
}

// The content of DIRECTORY/peer: u8 version (1), text name, 32 bytes fingerprint.

Result<std::optional<PeerRecord>> load_peer(const std::string& directory) {
    std::string path = directory + "/peer";
    auto content = read_durable(path, 1024);
    if (!content) return tl::unexpected(content.error());
    if (!*content) return std::nullopt;
    ByteReader reader(**content);
    PeerRecord peer;
    auto version = reader.u8();
    peer.name = reader.text(255);
    auto fingerprint = reader.bytes(32);
    if (version != 1 || !reader.done() || fingerprint.size() != 32) {
        return fail(path + " was written by another version of hamirror");
    }
    std::memcpy(peer.fingerprint.bytes.data(), fingerprint.data(), 32);
    return peer;
}

Result<> save_peer(const PeerRecord& peer, const std::string& directory) {
    if (auto made = make_directory(directory, 0700); !made) return made;
    std::vector<std::byte> content;
    ByteWriter writer(content);
    writer.u8(1);
    writer.text(peer.name);
    writer.bytes(peer.fingerprint.bytes);
    return write_durable(directory + "/peer", content);
}

}  // namespace ha::io
