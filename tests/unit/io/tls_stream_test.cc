#include "io/tls_stream.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cstring>

#include "io/clock.h"
#include "io/socket_address.h"

namespace ha::io {
namespace {

using Bytes = std::vector<std::byte>;

Bytes bytes(std::size_t size, int fill = 7) {
    return Bytes(size, static_cast<std::byte>(fill));
}

class TlsStreams : public testing::Test {
  protected:
    Loop loop_;
    Timer limit_{loop_};
    Identity a_ = Identity::generate("a").value();
    Identity b_ = Identity::generate("b").value();
    TlsContext at_a_ = TlsContext::create(a_).value();
    TlsContext at_b_ = TlsContext::create(b_).value();
    std::unique_ptr<TlsStream> served_;
    std::unique_ptr<TlsStream> client_;
    std::vector<std::string> seen_;
    std::uint16_t port_ = 0;
    std::function<TlsStream::Callbacks()> serve_ = [] { return TlsStream::Callbacks{}; };
    TlsListener listener_{loop_,
                          at_a_,
                          {[this](std::unique_ptr<TlsStream> stream) {
                               served_ = std::move(stream);
                               served_->set_callbacks(serve_());
                           },
                           [this](const std::string& why) { seen_.push_back("failed: " + why); }}};

    void SetUp() override { port_ = listener_.listen("127.0.0.1", 0).value(); }
    void run(Duration limit = 5s) {
        limit_.arm(boot_now() + limit, [this] {
            ADD_FAILURE() << "not done in time";
            loop_.stop();
        });
        ASSERT_TRUE(loop_.run());
    }
    TlsStream::Target target(std::optional<Fingerprint> expected) {
        TlsStream::Target out;
        out.address = out.local_address = "127.0.0.1";
        out.port = port_;
        out.expected = expected;
        return out;
    }
    std::function<void(std::string)> stop_with(std::string prefix) {
        return [this, prefix](const std::string& why) {
            seen_.push_back(prefix + why);
            loop_.stop();
        };
    }
};

TEST_F(TlsStreams, FramesOfAllSizesArriveInOrder) {
    std::vector<std::size_t> sizes = {0, 1, 16383, 16384, 100000, kMaxFrame, 3};
    std::vector<std::size_t> arrived;
    serve_ = [&] {
        EXPECT_EQ(served_->peer(), b_.fingerprint());
        EXPECT_EQ(served_->protocol(), kControlProtocol);
        return TlsStream::Callbacks{{}, [&](auto frame) { served_->send(frame); }, {}};
    };
    client_ = TlsStream::connect(loop_, at_b_, target(a_.fingerprint()),
                                 {{},
                                  [&](std::span<const std::byte> frame) {
                                      arrived.push_back(frame.size());
                                      if (arrived.size() == sizes.size()) loop_.stop();
                                  },
                                  stop_with("closed: ")});
    for (auto size : sizes) EXPECT_TRUE(client_->send(bytes(size)));
    run();
    EXPECT_EQ(arrived, sizes);
    EXPECT_TRUE(seen_.empty());
}

TEST_F(TlsStreams, AServerWithAnotherKeyIsNotUsed) {
    client_ = TlsStream::connect(loop_, at_b_, target(b_.fingerprint()),
                                 {[&] { seen_.push_back("ready"); }, {}, stop_with("closed: ")});
    run();
    ASSERT_FALSE(seen_.empty());
    EXPECT_EQ(seen_.back(),
              "closed: the other side's key is not the one this node was paired with");
    EXPECT_EQ(served_, nullptr);
}

TEST_F(TlsStreams, FinishDeliversWhatWasSent) {
    serve_ = [&] {
        loop_.post([&] {
            served_->send(bytes(500000));
            served_->finish();
            EXPECT_FALSE(served_->send(bytes(1)));
        });
        return TlsStream::Callbacks{};
    };
    client_ = TlsStream::connect(
        loop_, at_b_, target(a_.fingerprint()),
        {[&] { client_->send(bytes(10)); },
         [&](std::span<const std::byte> frame) { seen_.push_back(std::to_string(frame.size())); },
         stop_with("closed: ")});
    run();
    EXPECT_EQ(seen_,
              (std::vector<std::string>{"500000", "closed: the other side closed the connection"}));
}

TEST_F(TlsStreams, AFrameOverTheLimitEndsTheConnection) {
    serve_ = [&] {
        served_->set_frame_limit(100);
        return TlsStream::Callbacks{
            {}, [&](auto) { seen_.push_back("frame"); }, stop_with("closed: ")};
    };
    client_ = TlsStream::connect(loop_, at_b_, target(a_.fingerprint()), {});
    client_->send(bytes(101));
    run();
    EXPECT_EQ(seen_.back(), "closed: the other side sent a frame over the limit");
}

TEST_F(TlsStreams, AReaderThatDoesNotReadIsLeft) {
    client_ =
        TlsStream::connect(loop_, at_b_, target(a_.fingerprint()), {{}, {}, stop_with("closed: ")});
    std::size_t sent = 0;
    while (client_->send(bytes(kMaxFrame))) ++sent;
    EXPECT_EQ(sent, kMaxUnsent / kMaxFrame - 1);  // the lengths count too
    run();
    EXPECT_EQ(seen_.back(), "closed: the other side does not read");
}

TEST_F(TlsStreams, NobodyThereIsToldAndTheStreamMayGoInItsCallback) {
    auto nowhere = target(a_.fingerprint());
    nowhere.port = 1;
    client_ = TlsStream::connect(loop_, at_b_, nowhere, {{}, {}, [&](const std::string& why) {
                                                             client_.reset();
                                                             seen_.push_back(why);
                                                             loop_.stop();
                                                         }});
    run();
    EXPECT_EQ(seen_.back(), "cannot reach 127.0.0.1 port 1: Connection refused");
}

/// TCP only: what a port scanner, or somebody who means harm, leaves behind.
Fd silent_connection(const std::string& from, std::uint16_t port) {
    auto local = SocketAddress::make(from, 0).value();
    auto remote = SocketAddress::make("127.0.0.1", port).value();
    Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(::bind(fd.get(), local.get(), local.size), 0);
    EXPECT_EQ(::connect(fd.get(), remote.get(), remote.size), 0);
    return fd;
}

TEST_F(TlsStreams, ASilentClientIsClosedAndManyDoNotPileUp) {
    std::vector<Fd> silent;
    for (std::size_t i = 0; i < kMaxHandshakes + 5; ++i)
        silent.push_back(silent_connection("127.0.0." + std::to_string(10 + i), port_));
    Timer end(loop_);
    auto begin = boot_now();
    end.arm(begin + kHandshakeTimeout + 200ms, [&] { loop_.stop(); });
    run();
    EXPECT_EQ(seen_.size(), kMaxHandshakes);
    EXPECT_EQ(seen_.front(), "failed: the TLS handshake took more than 3 s");
}

TEST_F(TlsStreams, PlainTextIsClosedAtOnce) {
    auto where = SocketAddress::make("127.0.0.1", port_).value();
    Fd plain(socket(AF_INET, SOCK_STREAM, 0));
    ASSERT_EQ(connect(plain.get(), where.get(), where.size), 0);
    ASSERT_EQ(send(plain.get(), "GET / HTTP/1.1\r\n\r\n", 18, 0), 18);
    Timer end(loop_);
    end.arm(boot_now() + 100ms, [&] { loop_.stop(); });
    run();
    EXPECT_EQ(seen_.size(), 1U);
}

TEST_F(TlsStreams, OneHostDoesNotTakeAllTheHandshakes) {
    std::vector<Fd> idle;
    for (int i = 0; i < 64; ++i) idle.push_back(silent_connection("127.0.0.9", port_));
    client_ = TlsStream::connect(loop_, at_b_, target(a_.fingerprint()),
                                 {[this] { loop_.stop(); }, {}, stop_with("closed: ")});
    run();
    EXPECT_TRUE(seen_.empty()) << seen_.back();
}

TEST_F(TlsStreams, ThePeerGetsThroughACrowdOfStrangers) {
    listener_.keep_room_for({"127.0.0.1"});
    std::vector<Fd> idle;
    for (int i = 0; i < 64; ++i)
        idle.push_back(silent_connection("127.0.0." + std::to_string(10 + i), port_));
    client_ = TlsStream::connect(loop_, at_b_, target(a_.fingerprint()),
                                 {[this] { loop_.stop(); }, {}, stop_with("closed: ")});
    run();
    EXPECT_TRUE(seen_.empty()) << seen_.back();
}

}  // namespace
}  // namespace ha::io
