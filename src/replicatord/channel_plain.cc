#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>

#include "replicatord/channel.h"
#include "replicatord/channel_wait.h"

namespace ha::replicatord {
namespace {

class PlainChannel final : public Channel {
  public:
    explicit PlainChannel(io::Fd socket) : socket_(std::move(socket)) {}

    Result<std::size_t> read(std::span<std::byte> into, Duration patience) override {
        auto ready = wait_for(socket_.get(), POLLIN, patience);
        if (!ready || !*ready)
            return ready ? Result<std::size_t>(0) : tl::unexpected(ready.error());
        ssize_t count = ::recv(socket_.get(), into.data(), into.size(), 0);
        if (count == 0) return fail("the peer closed the connection", ECONNRESET);
        if (count < 0 && (errno == EAGAIN || errno == EINTR)) return 0;
        if (count < 0) return fail("the connection broke", errno);
        return static_cast<std::size_t>(count);
    }

    Result<> write(std::span<const std::byte> from) override {
        while (!from.empty()) {
            ssize_t count = ::send(socket_.get(), from.data(), from.size(), MSG_NOSIGNAL);
            if (count < 0 && errno != EAGAIN && errno != EINTR) {
                return fail("the connection broke", errno);
            }
            if (count < 0) {
                auto ready = wait_for(socket_.get(), POLLOUT, kForEver);
                if (!ready) return tl::unexpected(ready.error());
                continue;
            }
            from = from.subspan(static_cast<std::size_t>(count));
        }
        return {};
    }

    void shutdown() noexcept override { ::shutdown(socket_.get(), SHUT_RDWR); }

  private:
    io::Fd socket_;
};

}  // namespace

Result<bool> wait_for(int fd, short events, Duration patience) {
    pollfd poll_fd{fd, events, 0};
    // Never less than asked: a wait that is cut to 0 ms would spin.
    auto milliseconds = std::chrono::ceil<std::chrono::milliseconds>(patience).count();
    if (milliseconds < 0) milliseconds = 0;
    int timeout = patience == kForEver ? -1 : static_cast<int>(milliseconds);
    int count = ::poll(&poll_fd, 1, timeout);
    if (count < 0 && errno != EINTR) return fail("cannot wait for the peer", errno);
    return count > 0;
}

std::unique_ptr<Channel> make_plain_channel(io::Fd socket) {
    int flags = ::fcntl(socket.get(), F_GETFL);
    ::fcntl(socket.get(), F_SETFL, flags | O_NONBLOCK);
    return std::make_unique<PlainChannel>(std::move(socket));
}

}  // namespace ha::replicatord
