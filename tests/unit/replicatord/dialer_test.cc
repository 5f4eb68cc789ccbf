#include "replicatord/dialer.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <thread>

namespace ha::replicatord {
namespace {

/// One that nobody else has: other builds may run the same test at the same time.
std::uint16_t free_port() {
    io::Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    socklen_t size = sizeof(address);
    EXPECT_EQ(::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
    return ntohs(address.sin_port);
}

const std::uint16_t kPort = free_port();

class DialerTest : public testing::Test {
  protected:
    static NetworkDialer make(const io::Identity& own, const io::Identity& peer,
                              std::vector<std::string> peers = {"127.0.0.1"}) {
        return NetworkDialer({{"127.0.0.1"}, std::move(peers), kPort}, *io::TlsContext::create(own),
                             peer.fingerprint());
    }

    io::Identity first = *io::Identity::generate("first");
    io::Identity second = *io::Identity::generate("second");
    io::Identity stranger = *io::Identity::generate("stranger");
};

/// The primary retries, as Mirror does; the second address is tried when the first does not answer.
std::unique_ptr<Channel> connect(NetworkDialer& dialer) {
    for (int i = 0; i < 100; ++i) {
        if (auto channel = dialer.connect()) return std::move(*channel);
        std::this_thread::sleep_for(20ms);
    }
    return nullptr;
}

TEST_F(DialerTest, BytesGoBothWaysAtOnce) {
    auto server = make(second, first);
    auto client = make(first, second, {"127.0.0.9", "127.0.0.1"});
    Result<std::unique_ptr<Channel>> accepted = fail("not yet");
    std::thread accepting([&] { accepted = server.accept(); });
    auto connected = connect(client);
    accepting.join();
    ASSERT_TRUE(accepted) << accepted.error().text;
    ASSERT_TRUE(connected);
    const std::vector<std::byte> data(4U << 20, std::byte{7});
    auto read_all = [&](Channel& channel) {
        std::vector<std::byte> buffer(1U << 16);
        std::size_t total = 0;
        while (total < data.size()) {
            auto count = channel.read(buffer, 5s);
            if (!count || *count == 0) break;
            total += *count;
        }
        return total;
    };
    std::thread writer([&] { EXPECT_TRUE((*accepted)->write(data)); });
    std::thread other([&] { EXPECT_TRUE(connected->write(data)); });
    std::thread reader([&] { EXPECT_EQ(read_all(**accepted), data.size()); });
    EXPECT_EQ(read_all(*connected), data.size());
    writer.join();
    other.join();
    reader.join();
    std::vector<std::byte> nothing(10);
    EXPECT_EQ(*connected->read(nothing, 10ms), 0U);
    std::thread ending([&] { (*accepted)->shutdown(); });
    std::vector<std::byte> buffer(10);
    EXPECT_FALSE(connected->read(buffer, 5s));
    ending.join();
}

TEST_F(DialerTest, AStrangersKeyIsRefused) {
    auto server = make(second, first);
    auto client = make(stranger, second);
    std::thread accepting([&] { EXPECT_FALSE(server.accept()); });
    auto connected = connect(client);
    // The client's handshake may end before the server looks at its key.
    std::vector<std::byte> buffer(10);
    if (connected) {
        EXPECT_FALSE(connected->read(buffer, 5s));
    }
    accepting.join();
}

/// A connection that says nothing.
io::Fd connect_from(const char* local) {
    io::Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    ::inet_pton(AF_INET, local, &address.sin_addr);
    EXPECT_EQ(::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    ::inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
    address.sin_port = htons(kPort);
    while (::connect(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0)
        std::this_thread::yield();  // until it is listened to
    return socket;
}

TEST_F(DialerTest, StrangersDoNotKeepThePeerOut) {
    auto server = make(second, first);
    auto client = make(first, second);
    Result<std::unique_ptr<Channel>> accepted = fail("not yet");
    std::thread accepting([&] { accepted = server.accept(); });
    io::Fd strangers[] = {connect_from("127.0.0.8"), connect_from("127.0.0.9")};
    auto connected = connect(client);
    accepting.join();
    EXPECT_TRUE(accepted) << accepted.error().text;
    EXPECT_TRUE(connected);
    for (const auto& stranger_socket : strangers) {
        char byte = 0;
        EXPECT_LE(::recv(stranger_socket.get(), &byte, 1, 0), 0);
    }
}

TEST_F(DialerTest, AnInterruptEndsTheWait) {
    auto server = make(second, first);
    std::thread interrupting([&] {
        std::this_thread::sleep_for(20ms);
        server.interrupt();
    });
    EXPECT_FALSE(server.accept());
    EXPECT_FALSE(server.accept()) << "until reset";
    interrupting.join();
}

}  // namespace
}  // namespace ha::replicatord
