#include <algorithm>

#include "core/config/config.h"
#include "core/config/values.h"

namespace ha::config {
namespace {

constexpr std::size_t kMaxPath = 255;
constexpr std::size_t kMaxPrefix = 64;
constexpr std::size_t kMaxUser = 64;

std::string quoted(const std::string& text) {
    return '"' + text + '"';
}

void check_endpoints(const std::vector<std::string>& endpoints, std::vector<Problem>& out) {
    if (endpoints.empty() || endpoints.size() > kMaxEtcdEndpoints) {
        out.push_back({"endpoints", "give 1 to 8 endpoints of the etcd"});
        return;
    }
    for (std::size_t i = 0; i < endpoints.size(); ++i) {
        const std::string where = "endpoints[" + std::to_string(i) + "]";
        const auto endpoint = parse_endpoint(endpoints[i]);
        // Half a dotted quad would be read as a whole one.
        const bool number =
            endpoint && endpoint->host.find_first_not_of("0123456789.") == std::string::npos;
        if (!endpoint || (number && !parse_ipv4(endpoint->host))) {
            out.push_back({where, quoted(endpoints[i]) +
                                      " is no endpoint such as https://192.0.2.20:2379 or "
                                      "https://etcd.example.org:2379"});
        }
        const auto here = endpoints.begin() + static_cast<std::ptrdiff_t>(i);
        if (std::find(endpoints.begin(), here, *here) != here) {
            out.push_back({where, "endpoint " + *here + " appears twice"});
        }
    }
}

/// `path` may be empty.
void check_path(const std::string& path, const char* where, std::vector<Problem>& out) {
    if (path.empty()) return;
    const bool plain = std::none_of(path.begin(), path.end(), [](char c) {
        const auto byte = static_cast<unsigned char>(c);
        return byte < ' ' || byte == 0x7f;
    });
    if (path[0] != '/' || path.size() > kMaxPath || !plain) {
        out.push_back({where, quoted(path) + " is no absolute path of at most 255 characters"});
        return;
    }
    for (const char* hidden : {"/home", "/root", "/run/user", "/tmp", "/var/tmp"}) {
        if (!at_or_below(path, hidden)) continue;
        out.push_back({where, std::string("ha-clusterd does not see what is below ") + hidden +
                                  "; put the file below /etc/hamirror"});
    }
}

/// Both or none.
void check_both(const std::string& one, const char* name, const std::string& other,
                const char* other_name, std::vector<Problem>& out) {
    if (one.empty() == other.empty()) return;
    const char* there = one.empty() ? other_name : name;
    const char* missing = one.empty() ? name : other_name;
    out.push_back({there, std::string(there) + " without " + missing + "; give both or neither"});
}

bool is_prefix(const std::string& text) {
    return text.size() >= 2 && text.size() <= kMaxPrefix && text[0] == '/' && text.back() != '/' &&
           text.find("//") == std::string::npos &&
           text.find_first_not_of(
               "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
               "0123456789._-/") == std::string::npos;
}

bool is_cluster(const std::string& text) {
    return text.size() == 16 && text.find_first_not_of("0123456789abcdef") == std::string::npos &&
           text.find_first_not_of('0') != std::string::npos;
}

bool is_user(const std::string& text) {
    return text.size() <= kMaxUser &&
           std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c <= '~'; });
}

}  // namespace

std::vector<Problem> check(const EtcdConfig& etcd) {
    std::vector<Problem> out;
    check_endpoints(etcd.endpoints, out);
    if (!is_cluster(etcd.cluster)) {
        out.push_back({"cluster",
                       "the etcd's id is not 16 lower-case hexadecimal digits; `hamirrorctl "
                       "witness add` writes it"});
    }
    if (!is_prefix(etcd.prefix)) {
        out.push_back({"prefix", quoted(etcd.prefix) +
                                     " is no prefix such as /hamirror: letters, digits, '.', '_', "
                                     "'-' and single '/', none at its end, at most 64"});
    }
    check_path(etcd.ca, "ca", out);
    check_path(etcd.certificate, "certificate", out);
    check_path(etcd.key, "key", out);
    check_path(etcd.password_file, "password_file", out);
    check_both(etcd.certificate, "certificate", etcd.key, "key", out);
    check_both(etcd.user, "user", etcd.password_file, "password_file", out);
    if (!is_user(etcd.user)) {
        out.push_back({"user", quoted(etcd.user) + " is no name of a user in etcd"});
    }
    if (etcd.certificate.empty() && etcd.user.empty()) {
        out.push_back({"endpoints",
                       "an etcd that lets everybody write is no witness; give a client "
                       "certificate, or a user and a password file"});
    }
    return out;
}

}  // namespace ha::config
