#include "io/worker_link.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <optional>

#include "io/clock.h"

namespace ha::io {
namespace {

class WorkerLink : public testing::Test {
  protected:
    std::string path_ = testing::TempDir() + "/worker-link." + std::to_string(getpid());
    Loop loop_;
    Timer limit_{loop_};
    std::vector<std::string> seen_;
    std::optional<WorkerServer> server_;

    void serve(std::function<void(WorkerId, api::Fact)> on_fact) {
        server_.emplace(loop_,
                        WorkerServer::Callbacks{
                            std::move(on_fact), [this](WorkerId id, const std::string& why) {
                                seen_.push_back("gone " + std::to_string(id.value) + ": " + why);
                            }});
        auto listening = server_->listen(path_, getuid());
        ASSERT_TRUE(listening) << listening.error().text;
    }
    void run() {
        limit_.arm(boot_now() + 5s, [this] {
            ADD_FAILURE() << "not done after 5 s";
            loop_.stop();
        });
        ASSERT_TRUE(loop_.run());
    }
    int raw_connection() {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::strcpy(address.sun_path, path_.c_str());
        int fd = socket(AF_UNIX, SOCK_STREAM, 0);
        EXPECT_EQ(connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
        return fd;
    }
};

TEST_F(WorkerLink, OrdersAndFactsArriveInOrder) {
    std::vector<std::uint64_t> tokens;
    serve([&](WorkerId id, const api::Fact& fact) {
        if (auto hello = std::get_if<api::WorkerHello>(&fact)) {
            EXPECT_EQ(hello->module, "db");
            for (std::uint64_t i = 1; i <= 1000; ++i) {
                EXPECT_TRUE(server_->send(id, api::MakeDurable{i}));
            }
        } else if (auto durable = std::get_if<api::MadeDurable>(&fact)) {
            tokens.push_back(durable->token);
            if (durable->token == 1000) loop_.stop();
        }
    });
    std::optional<WorkerClient> client;
    client.emplace(loop_, api::WorkerHello{api::WorkerKind::Replicator, "db"},
                   WorkerClient::Callbacks{
                       [&](const api::Order& order) {
                           client->send(api::MadeDurable{std::get<api::MakeDurable>(order).token});
                       },
                       {},
                       {}},
                   path_);
    client->start();
    run();
    ASSERT_EQ(tokens.size(), 1000U);
    for (std::uint64_t i = 0; i < 1000; ++i) EXPECT_EQ(tokens[i], i + 1);
}

TEST_F(WorkerLink, ARestartedServerIsGreetedAgain) {
    int hellos = 0;
    auto on_fact = [&](WorkerId, const api::Fact&) {
        if (++hellos == 2) return loop_.stop();
        loop_.post([&] { server_.reset(); });
    };
    serve(on_fact);
    Timer back(loop_);
    int lost = 0;
    WorkerClient client(loop_, api::WorkerHello{api::WorkerKind::Vip, ""},
                        {[](const api::Order&) {},
                         {},
                         [&](const std::string&) {
                             if (++lost == 1) back.arm(boot_now() + 100ms, [&] { serve(on_fact); });
                         }},
                        path_);
    client.start();
    run();
    EXPECT_EQ(hellos, 2);
}

TEST_F(WorkerLink, ANewerConnectionOfTheSameWorkerReplacesTheOlder) {
    serve([&](WorkerId id, const api::Fact&) {
        seen_.push_back("hello " + std::to_string(id.value));
        if (seen_.size() == 3) loop_.stop();
    });
    auto nothing = [](const api::Order&) {};
    WorkerClient first(loop_, api::WorkerHello{api::WorkerKind::Vip, ""}, {nothing, {}, {}}, path_);
    WorkerClient second(loop_, api::WorkerHello{api::WorkerKind::Vip, ""}, {nothing, {}, {}},
                        path_);
    first.start();
    Timer later(loop_);
    later.arm(boot_now() + 5ms, [&] { second.start(); });
    run();
    EXPECT_EQ(seen_[0], "hello 1");
    EXPECT_EQ(seen_[1], "gone 1: a newer connection of the same worker replaces it");
    EXPECT_EQ(seen_[2], "hello 2");
}

TEST_F(WorkerLink, AFactBeforeTheHelloEndsTheConnection) {
    serve([&](WorkerId, const api::Fact&) { seen_.push_back("fact"); });
    WorkerClient client(loop_, api::WorkerHello{api::WorkerKind::Vip, "", 99},
                        {[](const api::Order&) {}, {}, [&](const std::string&) { loop_.stop(); }},
                        path_);
    client.start();
    run();
    EXPECT_TRUE(seen_.empty());
}

TEST_F(WorkerLink, AnotherUserIsNotServed) {
    serve([](WorkerId, const api::Fact&) {});
    server_.reset();
    server_.emplace(loop_, WorkerServer::Callbacks{{}, {}});
    ASSERT_TRUE(server_->listen(path_, getuid() + 1));
    int fd = raw_connection();
    Timer later(loop_);
    later.arm(boot_now() + 20ms, [&] { loop_.stop(); });
    run();
    char byte = 0;
    EXPECT_EQ(read(fd, &byte, 1), 0);
    close(fd);
}

TEST_F(WorkerLink, AWorkerThatDoesNotReadIsDropped) {
    std::optional<WorkerId> worker;
    serve([&](WorkerId id, const api::Fact&) { worker = id; });
    WorkerClient client(loop_, api::WorkerHello{api::WorkerKind::Vip, ""},
                        {[](const api::Order&) {}, {}, {}}, path_);
    client.start();
    Timer later(loop_);
    later.arm(boot_now() + 50ms, [&] {
        ASSERT_TRUE(worker);
        // The client shares this loop and does not run while we send.
        api::Order order = api::TellIn{std::string(1000, 'x'), Epoch{1}, Id128{1, 1}};
        std::uint64_t sent = 0;
        while (server_->send(*worker, order)) ++sent;
        EXPECT_GE(sent, kMaxWorkerQueue);
        EXPECT_LE(sent, 3 * kMaxWorkerQueue);
        EXPECT_FALSE(server_->send(*worker, order));
        loop_.post([&] { loop_.stop(); });
    });
    run();
    ASSERT_EQ(seen_.size(), 1U);
    EXPECT_EQ(seen_[0], "gone 1: it does not read");
}

}  // namespace
}  // namespace ha::io
