// wire IF_A IF_B DELAY_MS JITTER_MS LOSS_PERCENT
//
// A slow cable between two interfaces, for kernels without netem. Each frame that arrives on one
// side leaves the other DELAY (+ up to JITTER) later, or never; frames of a direction keep their
// order. Frames carry their virtio header along (PACKET_VNET_HDR): segments the sender's kernel has
// not yet cut or checksummed pass through unharmed. Says "ready" once both sides are open.
#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <random>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;
using Milliseconds = std::chrono::duration<double, std::milli>;

constexpr std::size_t kLargestFrame = 70'000;
constexpr std::size_t kQueuedFramesMax = 20'000;  // each way; more are lost, as in any switch
constexpr int kBurst = 256;

struct Frame {
    Clock::time_point due;
    std::vector<char> bytes;
};

struct Behaviour {
    Milliseconds delay, jitter;
    double loss;  // 0..1
};

int open_side(const char* name) {
    const unsigned index = if_nametoindex(name);
    const int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK, 0);
    const int one = 1, buffer = 8 << 20;
    packet_mreq all{};
    all.mr_ifindex = static_cast<int>(index);
    all.mr_type = PACKET_MR_PROMISC;
    sockaddr_ll where{};
    where.sll_family = AF_PACKET;
    where.sll_protocol = htons(ETH_P_ALL);
    where.sll_ifindex = static_cast<int>(index);
    if (index == 0 || fd < 0 ||
        setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof one) != 0 ||
        setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof one) != 0 ||
        setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof buffer) != 0 ||
        setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &buffer, sizeof buffer) != 0 ||
        setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &all, sizeof all) != 0 ||
        bind(fd, reinterpret_cast<sockaddr*>(&where), sizeof where) != 0) {
        std::perror(name);
        std::exit(1);
    }
    return fd;
}

// One direction: frames read on `from` wait in the queue and leave by `to`.
class Direction {
  public:
    Direction(int from, int to, Behaviour how, unsigned seed)
        : from_(from), to_(to), how_(how), random_(seed) {}

    void receive() {
        static char buffer[kLargestFrame];
        for (int i = 0; i < kBurst; ++i) {
            const ssize_t size = recv(from_, buffer, sizeof buffer, 0);
            if (size <= 0) return;
            if (queue_.size() >= kQueuedFramesMax || chance_(random_) < how_.loss) continue;
            const auto wait = how_.delay + how_.jitter * chance_(random_);
            const auto due = Clock::now() + std::chrono::duration_cast<Clock::duration>(wait);
            last_due_ = std::max(last_due_, due);
            queue_.push_back({last_due_, std::vector<char>(buffer, buffer + size)});
        }
    }

    // Sends what is due. False if the far side's buffer is full: try again shortly.
    bool deliver(Clock::time_point now) {
        while (!queue_.empty() && queue_.front().due <= now) {
            const auto& bytes = queue_.front().bytes;
            if (send(to_, bytes.data(), bytes.size(), 0) < 0 &&
                (errno == EAGAIN || errno == ENOBUFS))
                return false;
            queue_.pop_front();
        }
        return true;
    }

    Clock::time_point next_due() const {
        return queue_.empty() ? Clock::time_point::max() : queue_.front().due;
    }

  private:
    int from_, to_;
    Behaviour how_;
    std::minstd_rand random_;
    std::uniform_real_distribution<double> chance_{0.0, 1.0};
    std::deque<Frame> queue_;
    Clock::time_point last_due_{};
};

timespec until(Clock::time_point due, Clock::time_point now) {
    const auto left = std::max(due - now, Clock::duration::zero());
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(left);
    const auto rest = std::chrono::duration_cast<std::chrono::nanoseconds>(left - seconds);
    return {seconds.count(), rest.count()};
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 6) {
        std::fputs("usage: wire IF_A IF_B DELAY_MS JITTER_MS LOSS_PERCENT\n", stderr);
        return 2;
    }
    const Behaviour how{Milliseconds(std::atof(argv[3])), Milliseconds(std::atof(argv[4])),
                        std::atof(argv[5]) / 100};
    const int a = open_side(argv[1]), b = open_side(argv[2]);
    Direction there(a, b, how, 1), back(b, a, how, 2);
    std::puts("ready");
    std::fflush(stdout);
    for (;;) {
        const auto now = Clock::now();
        const bool sent = there.deliver(now) & back.deliver(now);
        const auto due =
            sent ? std::min(there.next_due(), back.next_due()) : now + std::chrono::milliseconds(1);
        const bool idle = due == Clock::time_point::max();
        const timespec wait = until(idle ? now : due, now);
        pollfd sides[2] = {{a, POLLIN, 0}, {b, POLLIN, 0}};
        if (ppoll(sides, 2, idle ? nullptr : &wait, nullptr) < 0 && errno != EINTR) {
            std::perror("ppoll");
            return 1;
        }
        there.receive();
        back.receive();
    }
}
