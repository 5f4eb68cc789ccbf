#include "io/pinger.h"

#include <linux/icmp.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <optional>
#include <span>
#include <tuple>

#include "io/boot_id.h"
#include "io/clock.h"

namespace ha::io {
namespace {

constexpr int kDatagramsPerTurn = 64;

/// On the wire; the checksum is that of RFC 1071 over all of it.
struct Echo {
    icmphdr header{};
    std::uint64_t mark = 0;
    std::uint64_t number = 0;
};
static_assert(sizeof(Echo) == 24);

std::uint16_t checksum(const Echo& echo) {
    std::array<std::uint16_t, sizeof(Echo) / 2> words{};
    std::memcpy(words.data(), &echo, sizeof echo);
    std::uint32_t sum = 0;
    for (std::uint16_t word : words) sum += word;
    while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16U);
    return static_cast<std::uint16_t>(~sum);
}

/// From what a raw socket gives: the IP header comes first.
std::optional<Echo> read_reply(std::span<const std::byte> datagram) {
    if (datagram.size() < sizeof(iphdr)) return std::nullopt;
    const std::size_t head = (static_cast<std::size_t>(datagram[0]) & 0xfU) * 4;
    Echo echo;
    if (datagram.size() != head + sizeof echo) return std::nullopt;
    std::memcpy(&echo, datagram.data() + head, sizeof echo);
    if (echo.header.type != ICMP_ECHOREPLY || checksum(echo) != 0) return std::nullopt;
    return echo;
}

/// Echo replies only; others' are told apart by the mark.
Result<Fd> icmp_socket() {
    Fd fd(socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_ICMP));
    icmp_filter filter{};
    filter.data = ~(1U << ICMP_ECHOREPLY);
    if (!fd || setsockopt(fd.get(), SOL_RAW, ICMP_FILTER, &filter, sizeof filter) != 0) {
        const int code = errno;
        return fail(std::string("cannot probe ping targets: ") + std::strerror(code), code);
    }
    return fd;
}

}  // namespace

Pinger::Pinger(Loop& loop, Handler on_answer)
    : on_answer_(std::move(on_answer)), watch_(loop), timer_(loop), mark_(random_id().low) {}

Result<std::unique_ptr<Pinger>> Pinger::open(Loop& loop, const std::vector<std::string>& targets,
                                             Handler on_answer) {
    std::unique_ptr<Pinger> out(new Pinger(loop, std::move(on_answer)));
    for (const auto& target : targets) {
        auto address = SocketAddress::make(target, 0);
        if (!address) return tl::unexpected(address.error());
        out->targets_.push_back({*address, {}});
    }
    auto fd = icmp_socket();
    if (!fd) return tl::unexpected(fd.error());
    out->fd_ = std::move(*fd);
    auto watched = out->watch_.start(out->fd_.get(), EPOLLIN,
                                     [self = out.get()](std::uint32_t) { self->receive(); });
    if (!watched) return tl::unexpected(watched.error());
    return out;
}

void Pinger::every(Duration interval) {
    interval_ = interval;
    probe();
}

void Pinger::probe() {
    Echo echo;
    echo.header.type = ICMP_ECHO;
    echo.header.un.echo.id = static_cast<std::uint16_t>(mark_);
    echo.header.un.echo.sequence = htons(static_cast<std::uint16_t>(++number_));
    echo.mark = mark_;
    echo.number = number_;
    echo.header.checksum = checksum(echo);
    for (auto& target : targets_) {
        target.sent[number_ % target.sent.size()] = boot_now();
        sendto(fd_.get(), &echo, sizeof echo, MSG_NOSIGNAL, target.address.get(),
               target.address.size);
    }
    timer_.arm(boot_now() + interval_, [this] { probe(); });
}

void Pinger::receive() {
    std::array<std::byte, 2048> buffer;
    const auto alive = std::weak_ptr(alive_);  // a callback may destroy this
    for (int i = 0; i < kDatagramsPerTurn && !alive.expired(); ++i) {
        SocketAddress from;
        from.size = sizeof from.storage;
        const auto size = recvfrom(fd_.get(), buffer.data(), buffer.size(), 0,
                                   reinterpret_cast<sockaddr*>(&from.storage), &from.size);
        // An error of an earlier sendto is reported once and says nothing here.
        if (size < 0 && errno == EAGAIN) return;
        if (size < 0) continue;
        auto echo = read_reply({buffer.data(), static_cast<std::size_t>(size)});
        if (echo && echo->mark == mark_) answered(from, echo->number);
    }
}

void Pinger::answered(const SocketAddress& from, std::uint64_t number) {
    constexpr std::size_t kKnown = std::tuple_size_v<decltype(Target::sent)>;
    if (number == 0 || number > number_ || number_ - number >= kKnown) return;
    for (std::size_t at = 0; at < targets_.size(); ++at) {
        const auto& target = targets_[at];
        if (from.same_host(target.address)) return on_answer_(at, target.sent[number % kKnown]);
    }
}

}  // namespace ha::io
