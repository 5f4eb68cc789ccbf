#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "io/clock.h"
#include "io/worker_codec.h"
#include "io/worker_connection.h"
#include "io/worker_link.h"

namespace ha::io {
namespace {

constexpr Duration kFirstRetry = 20ms;
constexpr Duration kLastRetry = 500ms;

/// -1: nobody listens there now.
int connect_to(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path) return -1;
    std::memcpy(address.sun_path, path.c_str(), path.size());
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return -1;
    // A Unix socket connects at once or not at all, also when it does not block.
    if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) return fd;
    close(fd);
    return -1;
}

}  // namespace

WorkerClient::WorkerClient(Loop& loop, api::WorkerHello hello, Callbacks callbacks,
                           std::string path)
    : loop_(loop),
      hello_(std::move(hello)),
      callbacks_(std::move(callbacks)),
      path_(std::move(path)),
      retry_(loop),
      backoff_(kFirstRetry) {}

WorkerClient::~WorkerClient() = default;

void WorkerClient::start() {
    connect_now();
}

void WorkerClient::connect_now() {
    int fd = connect_to(path_);
    if (fd < 0) return retry_later();
    auto connection = WorkerConnection::open(loop_, fd, WorkerConnection::Side::Client,
                                             {[this](const std::string& text) { receive(text); },
                                              [this](const std::string& reason) { lost(reason); }});
    if (!connection) return retry_later();
    connection_ = std::move(*connection);
    if (send(hello_) && callbacks_.on_connected) callbacks_.on_connected();
}

void WorkerClient::retry_later() {
    retry_.arm(boot_now() + backoff_, [this] { connect_now(); });
    backoff_ = std::min(backoff_ * 2, kLastRetry);
}

void WorkerClient::receive(const std::string& text) {
    auto order = decode_order(text);
    if (!order) return lost("clusterd sent what is no order: " + order.error().text);
    backoff_ = kFirstRetry;  // only now is it certain that clusterd serves us
    callbacks_.on_order(std::move(*order));
}

void WorkerClient::lost(const std::string& reason) {
    connection_.reset();
    retry_later();
    if (callbacks_.on_disconnected) callbacks_.on_disconnected(reason);
}

bool WorkerClient::send(const api::Fact& fact) {
    if (!connection_) return false;
    auto text = encode(fact);
    return text && connection_->send(*text);
}

}  // namespace ha::io
