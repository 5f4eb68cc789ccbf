#include "io/etcd_config.h"

#include <fcntl.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <memory>

#include "base/assert.h"
#include "core/config/values.h"
#include "io/fd.h"

namespace ha::io {
namespace {

constexpr std::size_t kMaxPem = 1U << 20;  // the system's list of authorities has 200 KiB

struct BioFree {
    void operator()(BIO* bio) const noexcept { BIO_free(bio); }
};
struct X509Free {
    void operator()(X509* certificate) const noexcept { X509_free(certificate); }
};
struct KeyFree {
    void operator()(EVP_PKEY* key) const noexcept { EVP_PKEY_free(key); }
};
using Bio = std::unique_ptr<BIO, BioFree>;
using Certificate = std::unique_ptr<X509, X509Free>;
using Key = std::unique_ptr<EVP_PKEY, KeyFree>;

/// A plain file of at most `limit` bytes; a secret one is not for everybody.
Result<std::string> read_file(const std::string& file, std::size_t limit, bool secret) {
    auto failed = [&file] { return fail(file + ": " + std::strerror(errno), errno); };
    Fd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
    struct stat about {};
    if (!fd || ::fstat(fd.get(), &about) != 0) return failed();
    if (!S_ISREG(about.st_mode)) return fail(file + ": it is no plain file");
    if (secret && (about.st_mode & (S_IROTH | S_IWOTH)) != 0) {
        return fail(file + ": everybody may read or change it; chmod o= " + file);
    }
    std::string text(limit + 1, '\0');
    std::size_t size = 0;
    while (size < text.size()) {
        const ssize_t got = ::read(fd.get(), text.data() + size, text.size() - size);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return failed();
        if (got == 0) break;
        size += static_cast<std::size_t>(got);
    }
    if (size > limit) return fail(file + ": it is over " + std::to_string(limit) + " bytes");
    text.resize(size);
    return text;
}

Bio bio_of(const std::string& text) {
    Bio bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
    HA_ASSERT(bio);
    return bio;
}

/// The first in the file.
Result<Certificate> read_certificate(const std::string& file) {
    auto text = read_file(file, kMaxPem, false);
    if (!text) return tl::unexpected(text.error());
    Certificate certificate(PEM_read_bio_X509(bio_of(*text).get(), nullptr, nullptr, nullptr));
    if (!certificate) return fail(file + ": it holds no certificate in PEM");
    return certificate;
}

Result<> check_key(const config::EtcdConfig& etcd) {
    auto certificate = read_certificate(etcd.certificate);
    if (!certificate) return tl::unexpected(certificate.error());
    if (X509_cmp_current_time(X509_get0_notAfter(certificate->get())) < 0) {
        return fail(etcd.certificate + ": the certificate has expired");
    }
    auto text = read_file(etcd.key, kMaxPem, true);
    if (!text) return tl::unexpected(text.error());
    // Nobody is there to be asked for a passphrase.
    auto no_passphrase = [](char*, int, int, void*) { return -1; };
    Key key(PEM_read_bio_PrivateKey(bio_of(*text).get(), nullptr, no_passphrase, nullptr));
    OPENSSL_cleanse(text->data(), text->size());
    if (!key) return fail(etcd.key + ": it holds no private key in PEM without a passphrase");
    if (X509_check_private_key(certificate->get(), key.get()) != 1) {
        return fail(etcd.key + ": it is not the key of the certificate in " + etcd.certificate);
    }
    return {};
}

}  // namespace

EtcdRecord etcd_record_of(const config::WitnessConfig& witness) {
    HA_ASSERT(witness.etcd && witness.addresses.size() == witness.etcd->endpoints.size());
    const auto& etcd = *witness.etcd;
    EtcdRecord out;
    out.endpoints = etcd.endpoints;
    for (std::size_t i = 0; i < etcd.endpoints.size(); ++i) {
        const auto endpoint = config::parse_endpoint(etcd.endpoints[i]);
        HA_ASSERT(endpoint);
        out.known.push_back(endpoint->host + ":" + std::to_string(endpoint->port) + ":" +
                            witness.addresses[i]);
    }
    out.store = {etcd.prefix, witness.store};
    out.files = {etcd.ca, etcd.certificate, etcd.key};
    out.user = etcd.user;
    out.password_file = etcd.password_file;
    const char* end = etcd.cluster.data() + etcd.cluster.size();
    std::from_chars(etcd.cluster.data(), end, out.cluster, 16);
    return out;
}

std::string etcd_cluster_text(std::uint64_t cluster) {
    std::array<char, 17> digits{};
    std::snprintf(digits.data(), digits.size(), "%016llx",
                  static_cast<unsigned long long>(cluster));
    return digits.data();
}

Result<> check_etcd_files(const config::EtcdConfig& etcd) {
    if (!etcd.ca.empty()) {
        auto ca = read_certificate(etcd.ca);
        if (!ca) return tl::unexpected(ca.error());
    }
    if (!etcd.certificate.empty()) {
        auto key = check_key(etcd);
        if (!key) return key;
    }
    if (etcd.password_file.empty()) return {};
    auto password = read_password(etcd.password_file);
    if (!password) return tl::unexpected(password.error());
    return {};
}

Result<std::string> read_password(const std::string& file) {
    auto text = read_file(file, kMaxEtcdPassword + 1, true);
    if (!text) return text;
    if (text->ends_with('\n')) text->pop_back();
    if (text->empty() || text->size() > kMaxEtcdPassword || text->find('\n') != std::string::npos) {
        return fail(file + ": expected a password on one line, at most 1,024 bytes");
    }
    return text;
}

}  // namespace ha::io
