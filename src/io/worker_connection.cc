#include "io/worker_connection.h"

#include <unistd.h>

#include <cstring>

#include "base/assert.h"
#include "io/boot_id.h"
#include "io/worker_codec.h"
#include "io/worker_link.h"

namespace ha::io {
namespace {

constexpr const char* kPath = "/org/hamirror/worker";
constexpr const char* kInterface = "org.hamirror.Worker1";
constexpr const char* kMember = "Say";

Error bus_error(const char* what, int result) {
    return Error{std::string("cannot ") + what + ": " + std::strerror(-result), -result};
}

}  // namespace

// Outlives the connection where a callback or a posted close still holds it.
struct WorkerConnection::State : std::enable_shared_from_this<WorkerConnection::State> {
    Loop* loop = nullptr;
    Callbacks callbacks;
    bool closed = false;     // nothing more is sent or delivered
    bool destroyed = false;  // nobody is there to be called back
};

Result<> WorkerConnection::start(sd_bus* bus, int fd, Side side) {
    if (int result = sd_bus_set_fd(bus, fd, fd); result < 0) {
        close(fd);
        return tl::unexpected(bus_error("use a worker's socket", result));
    }
    // The kernel told whose process it is; D-Bus's own privilege checks have nothing to add.
    HA_ASSERT(sd_bus_set_trusted(bus, 1) >= 0);
    if (side == Side::Server) {
        sd_id128_t server{};
        auto id = random_id();
        std::memcpy(server.bytes, &id, sizeof server.bytes);
        HA_ASSERT(sd_bus_set_server(bus, 1, server) >= 0);
    }
    if (int result = sd_bus_start(bus); result < 0) {
        return tl::unexpected(bus_error("start a worker's connection", result));
    }
    return {};
}

Result<std::unique_ptr<WorkerConnection>> WorkerConnection::open(Loop& loop, int fd, Side side,
                                                                 Callbacks callbacks) {
    sd_bus* bus = nullptr;
    HA_ASSERT(sd_bus_new(&bus) >= 0);
    std::unique_ptr<WorkerConnection> connection(new WorkerConnection);
    connection->bus_.reset(bus);
    connection->state_ = std::make_shared<State>();
    connection->state_->loop = &loop;
    connection->state_->callbacks = std::move(callbacks);
    if (auto started = start(bus, fd, side); !started) return tl::unexpected(started.error());
    HA_ASSERT(sd_bus_add_filter(bus, nullptr, on_message, connection->state_.get()) >= 0);
    if (int result = sd_bus_attach_event(bus, loop.raw(), SD_EVENT_PRIORITY_NORMAL); result < 0) {
        return tl::unexpected(bus_error("watch a worker's connection", result));
    }
    return connection;
}

WorkerConnection::~WorkerConnection() {
    if (state_) state_->closed = state_->destroyed = true;
    if (bus_) sd_bus_detach_event(bus_.get());
}

int WorkerConnection::on_message(sd_bus_message* message, void* raw, sd_bus_error*) noexcept {
    auto state = static_cast<State*>(raw)->shared_from_this();  // a callback may destroy us
    if (state->closed) return 1;
    if (sd_bus_message_is_signal(message, "org.freedesktop.DBus.Local", "Disconnected") > 0) {
        state->closed = true;
        state->callbacks.on_closed("the other side closed the connection");
        return 1;
    }
    if (sd_bus_message_is_method_call(message, kInterface, kMember) <= 0) return 0;
    const char* text = nullptr;
    if (sd_bus_message_read(message, "s", &text) < 0) return -EBADMSG;
    state->callbacks.on_text(text);
    return 1;
}

void WorkerConnection::close_later(const std::shared_ptr<State>& state, std::string reason) {
    if (state->closed) return;
    state->closed = true;
    state->loop->post([state, reason = std::move(reason)] {
        if (!state->destroyed) state->callbacks.on_closed(reason);
    });
}

bool WorkerConnection::send(const std::string& text) {
    if (state_->closed) return false;
    sd_bus_message* message = nullptr;
    int result =
        sd_bus_message_new_method_call(bus_.get(), &message, nullptr, kPath, kInterface, kMember);
    if (result >= 0) result = sd_bus_message_append(message, "s", text.c_str());
    if (result >= 0) result = sd_bus_message_set_expect_reply(message, 0);
    if (result >= 0) result = sd_bus_send(bus_.get(), message, nullptr);
    sd_bus_message_unref(message);
    std::uint64_t queued = 0;
    if (result >= 0) result = sd_bus_get_n_queued_write(bus_.get(), &queued);
    if (result >= 0 && queued <= kMaxWorkerQueue) return true;
    close_later(state_, result < 0 ? bus_error("send", result).text : "it does not read");
    return false;
}

}  // namespace ha::io
