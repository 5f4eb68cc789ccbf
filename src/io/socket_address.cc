#include "io/socket_address.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cstring>
#include <memory>

namespace ha::io {

Result<SocketAddress> SocketAddress::make(const std::string& address, std::uint16_t port) {
    SocketAddress out;
    sockaddr_in four{};
    sockaddr_in6 six{};
    if (inet_pton(AF_INET, address.c_str(), &four.sin_addr) == 1) {
        four.sin_family = AF_INET;
        four.sin_port = htons(port);
        std::memcpy(&out.storage, &four, sizeof four);
        out.size = sizeof four;
        return out;
    }
    if (inet_pton(AF_INET6, address.c_str(), &six.sin6_addr) == 1) {
        six.sin6_family = AF_INET6;
        six.sin6_port = htons(port);
        std::memcpy(&out.storage, &six, sizeof six);
        out.size = sizeof six;
        return out;
    }
    return fail("\"" + address + "\" is not a numeric address");
}

bool SocketAddress::same_host(const SocketAddress& other) const {
    if (family() != other.family()) return false;
    if (family() == AF_INET) {
        sockaddr_in a{}, b{};
        std::memcpy(&a, &storage, sizeof a);
        std::memcpy(&b, &other.storage, sizeof b);
        return a.sin_addr.s_addr == b.sin_addr.s_addr;
    }
    sockaddr_in6 a{}, b{};
    std::memcpy(&a, &storage, sizeof a);
    std::memcpy(&b, &other.storage, sizeof b);
    return std::memcmp(&a.sin6_addr, &b.sin6_addr, sizeof a.sin6_addr) == 0;
}

Result<std::vector<std::string>> resolve(const std::string& host) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_ADDRCONFIG;
    addrinfo* raw = nullptr;
    if (int code = getaddrinfo(host.c_str(), nullptr, &hints, &raw); code != 0) {
        return fail("cannot find " + host + ": " + gai_strerror(code));
    }
    std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> list(raw, &freeaddrinfo);
    std::vector<std::string> out;
    for (auto each = raw; each != nullptr; each = each->ai_next) {
        char text[NI_MAXHOST];
        if (getnameinfo(each->ai_addr, each->ai_addrlen, text, sizeof text, nullptr, 0,
                        NI_NUMERICHOST) == 0) {
            out.emplace_back(text);
        }
    }
    return out;
}

}  // namespace ha::io
