#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"

namespace ha::io {

/// A numeric IPv4 or IPv6 address and a port.
struct SocketAddress {
    sockaddr_storage storage{};
    socklen_t size = 0;

    [[nodiscard]] const sockaddr* get() const {
        return reinterpret_cast<const sockaddr*>(&storage);
    }
    [[nodiscard]] int family() const { return storage.ss_family; }
    /// Same address; ports are not compared.
    [[nodiscard]] bool same_host(const SocketAddress& other) const;

    static Result<SocketAddress> make(const std::string& address, std::uint16_t port);
};

/// The numeric addresses of a host that this node could reach. Asks name servers and waits for
/// them.
Result<std::vector<std::string>> resolve(const std::string& host);

}  // namespace ha::io
