#include "io/socket_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <cstring>

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

}  // namespace ha::io
