#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "api/message_ids.h"
#include "io/log.h"
#include "io/worker_codec.h"
#include "io/worker_connection.h"
#include "io/worker_link.h"

namespace ha::io {
namespace {

Error socket_error(const std::string& path) {
    int code = errno;
    return Error{"cannot listen on " + path + ": " + std::strerror(code), code};
}

bool runs_as(int fd, uid_t uid) {
    ucred peer{};
    socklen_t size = sizeof peer;
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.uid == uid;
}

}  // namespace

struct WorkerServer::Worker {
    std::unique_ptr<WorkerConnection> connection;
    std::optional<api::WorkerHello> hello;
};

WorkerServer::WorkerServer(Loop& loop, Callbacks callbacks)
    : loop_(loop), callbacks_(std::move(callbacks)), watch_(loop) {}

WorkerServer::~WorkerServer() {
    watch_.stop();
    if (fd_ >= 0) {
        close(fd_);
        unlink(path_.c_str());
    }
}

Result<> WorkerServer::listen(const std::string& path, uid_t uid) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path) return fail(path + " is too long for a socket");
    std::memcpy(address.sun_path, path.c_str(), path.size());
    path_ = path;
    uid_ = uid;
    fd_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd_ < 0) return tl::unexpected(socket_error(path));
    unlink(path.c_str());
    // Nobody can connect before listen(), so the mode is right before it matters.
    if (bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
        chmod(path.c_str(), 0600) != 0 || ::listen(fd_, SOMAXCONN) != 0) {
        return tl::unexpected(socket_error(path));
    }
    return watch_.start(fd_, EPOLLIN, [this](std::uint32_t) { accept_all(); });
}

void WorkerServer::accept_all() {
    for (;;) {
        int fd = accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0) return;
        if (!runs_as(fd, uid_) || workers_.size() >= kMaxWorkers) {
            close(fd);
            continue;
        }
        adopt(fd);
    }
}

void WorkerServer::adopt(int fd) {
    WorkerId id = last_ = last_.next();
    auto connection =
        WorkerConnection::open(loop_, fd, WorkerConnection::Side::Server,
                               {[this, id](const std::string& text) { receive(id, text); },
                                [this, id](const std::string& reason) { drop(id, reason); }});
    if (!connection) {  // the client sees it closed and comes again
        log(Level::Warning, "A worker's connection failed: " + connection.error().text);
        return;
    }
    workers_[id] = std::make_unique<Worker>(Worker{std::move(*connection), std::nullopt});
}

void WorkerServer::receive(WorkerId id, const std::string& text) {
    auto fact = decode_fact(text);
    if (!fact) return drop(id, "it sent what is no fact: " + fact.error().text);
    auto hello = std::get_if<api::WorkerHello>(&*fact);
    bool first = !workers_.at(id)->hello;
    if (first != (hello != nullptr)) return drop(id, "its hello was not its first fact");
    if (hello && hello->protocol != api::kWorkerProtocol) {
        return drop(id, "it is of another version; restart it");
    }
    if (hello) greet(id, *hello);
    callbacks_.on_fact(id, std::move(*fact));
}

void WorkerServer::greet(WorkerId id, const api::WorkerHello& hello) {
    WorkerId older;
    for (const auto& [other, worker] : workers_) {
        if (worker->hello && worker->hello->kind == hello.kind &&
            worker->hello->module == hello.module) {
            older = other;
        }
    }
    workers_.at(id)->hello = hello;
    if (older != WorkerId{}) drop(older, "a newer connection of the same worker replaces it");
}

void WorkerServer::drop(WorkerId id, const std::string& reason) {
    auto found = workers_.find(id);
    if (found == workers_.end()) return;
    auto worker = std::move(found->second);
    workers_.erase(found);
    if (worker->hello) return callbacks_.on_gone(id, reason);
    log(Level::Warning, api::message::kWorkerRefused, {},
        "A worker daemon's connection was refused: " + reason + ".");
}

bool WorkerServer::send(WorkerId worker, const api::Order& order) {
    auto found = workers_.find(worker);
    if (found == workers_.end()) return false;
    auto text = encode(order);
    return text && found->second->connection->send(*text);
}

}  // namespace ha::io
