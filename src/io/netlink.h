#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <variant>

#include "base/result.h"
#include "io/loop.h"

struct mnl_socket;

// Links and IPv4 addresses by rtnetlink(7). Addresses are numbers in host order. The loopback is
// left out everywhere.

namespace ha::io {

struct MnlClose {
    void operator()(mnl_socket* socket) const noexcept;
};
using MnlSocket = std::unique_ptr<mnl_socket, MnlClose>;

struct LinkChange {
    int index = 0;
    std::string name;
    bool up = false;  // IFF_UP and a carrier
    bool gone = false;
};
struct AddressChange {
    int index = 0;
    std::uint32_t address = 0;
    unsigned prefix = 0;
    bool gone = false;
};
using NetworkChange = std::variant<LinkChange, AddressChange>;
using OnNetworkChange = std::function<void(const NetworkChange&)>;

/// Asks the kernel and waits for its answer, which takes no more than its own locks do.
class Netlink {
  public:
    static Result<Netlink> open();

    /// An address that is there already is success. `prefix_route` false: IFA_F_NOPREFIXROUTE.
    Result<> add_address(int index, std::uint32_t address, unsigned prefix, bool prefix_route);
    /// An address that is not there is success.
    Result<> remove_address(int index, std::uint32_t address, unsigned prefix);
    /// All links, then all their addresses.
    Result<> dump(const OnNetworkChange& each);

  private:
    explicit Netlink(MnlSocket socket) : socket_(std::move(socket)) {}
    Result<> change_address(bool add, int index, std::uint32_t address, unsigned prefix,
                            std::uint32_t flags);
    Result<> ask(const void* request, const OnNetworkChange* each);
    Result<> ask_once(const void* request, const OnNetworkChange* each);

    MnlSocket socket_;
    std::uint32_t sequence_ = 0;
};

/// Tells every change from start() on. When the kernel had to drop some, on_lost: dump again.
class NetworkMonitor {
  public:
    NetworkMonitor(Loop& loop, OnNetworkChange on_change, std::function<void()> on_lost)
        : watch_(loop), on_change_(std::move(on_change)), on_lost_(std::move(on_lost)) {}
    Result<> start();

  private:
    void receive();

    MnlSocket socket_;
    Watch watch_;
    OnNetworkChange on_change_;
    std::function<void()> on_lost_;
};

}  // namespace ha::io
