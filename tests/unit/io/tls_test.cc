#include "io/tls.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <thread>

namespace ha::io {
namespace {

const Identity& node1() {
    static const Identity identity = Identity::generate("node1").value();
    return identity;
}
const Identity& node2() {
    static const Identity identity = Identity::generate("node2").value();
    return identity;
}

struct Ends {
    Ssl client, server;
    int client_result = 0, server_result = 0;
    std::string client_failure, server_failure;
    int fds[2] = {-1, -1};

    Ends(Ssl a, Ssl b) : client(std::move(a)), server(std::move(b)) {
        EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
        SSL_set_fd(client.get(), fds[0]);
        SSL_set_fd(server.get(), fds[1]);
        std::thread other([this] {
            server_result = SSL_do_handshake(server.get());
            server_failure = tls_failure(SSL_get_error(server.get(), server_result));
            if (server_result != 1) shutdown(fds[1], SHUT_RDWR);
        });
        client_result = SSL_do_handshake(client.get());
        client_failure = tls_failure(SSL_get_error(client.get(), client_result));
        if (client_result != 1) shutdown(fds[0], SHUT_RDWR);
        other.join();
    }
    ~Ends() { close(fds[0]), close(fds[1]); }
};

Ends handshake(const Identity& client, const std::optional<Fingerprint>& client_expects,
               const Identity& server, const std::optional<Fingerprint>& server_expects) {
    return Ends(TlsContext::create(client)->new_ssl(TlsSide::Client, client_expects),
                TlsContext::create(server)->new_ssl(TlsSide::Server, server_expects));
}

TEST(Tls, PairedNodesMeetAndShareExportedKeys) {
    auto ends = handshake(node1(), node2().fingerprint(), node2(), node1().fingerprint());
    ASSERT_EQ(ends.client_result, 1) << ends.client_failure;
    ASSERT_EQ(ends.server_result, 1) << ends.server_failure;
    EXPECT_STREQ(SSL_get_version(ends.client.get()), "TLSv1.3");
    EXPECT_EQ(peer_fingerprint(ends.client.get()), node2().fingerprint());
    EXPECT_EQ(peer_fingerprint(ends.server.get()), node1().fingerprint());
    std::array<std::byte, 32> a{}, b{}, c{};
    std::byte context[1]{};
    ASSERT_TRUE(export_key(ends.client.get(), "EXPORTER-hamirror-test", context, a));
    ASSERT_TRUE(export_key(ends.server.get(), "EXPORTER-hamirror-test", context, b));
    ASSERT_TRUE(export_key(ends.server.get(), "EXPORTER-hamirror-other", context, c));
    EXPECT_EQ(a, b);
    EXPECT_NE(a, c);
}

TEST(Tls, AnotherServerKeyFailsTheClient) {
    auto ends = handshake(node1(), node1().fingerprint(), node2(), node1().fingerprint());
    EXPECT_NE(ends.client_result, 1);
    EXPECT_EQ(ends.client_failure, "the other side's key is not the one this node was paired with");
    EXPECT_NE(ends.server_result, 1);
}

TEST(Tls, AnotherClientKeyFailsTheServer) {
    auto ends = handshake(node1(), node2().fingerprint(), node2(), node2().fingerprint());
    EXPECT_NE(ends.server_result, 1);
    EXPECT_EQ(ends.server_failure, "the other side's key is not the one this node was paired with");
}

TEST(Tls, AClientWithoutAKeyIsRefused) {
    std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> bare(SSL_CTX_new(TLS_method()), SSL_CTX_free);
    Ssl client(SSL_new(bare.get()));
    SSL_set_connect_state(client.get());
    Ends ends(std::move(client), TlsContext::create(node2())->new_ssl(TlsSide::Server, {}));
    EXPECT_NE(ends.server_result, 1);
}

TEST(Tls, OlderVersionsAreRefused) {
    auto client = TlsContext::create(node1())->new_ssl(TlsSide::Client, {});
    SSL_set_min_proto_version(client.get(), TLS1_2_VERSION);
    SSL_set_max_proto_version(client.get(), TLS1_2_VERSION);
    Ends ends(std::move(client), TlsContext::create(node2())->new_ssl(TlsSide::Server, {}));
    EXPECT_NE(ends.client_result, 1);
    EXPECT_NE(ends.server_result, 1);
}

class IdentityFiles : public testing::Test {
  protected:
    std::string directory_ = testing::TempDir() + "/identity." + std::to_string(getpid());
    void TearDown() override { std::filesystem::remove_all(directory_); }
};

TEST_F(IdentityFiles, AKeyIsSavedOnceAndLoaded) {
    EXPECT_EQ(Identity::load(directory_).error().code, ENOENT);
    ASSERT_TRUE(node1().save(directory_));
    auto loaded = Identity::load(directory_);
    ASSERT_TRUE(loaded) << loaded.error().text;
    EXPECT_EQ(loaded->fingerprint(), node1().fingerprint());
    EXPECT_EQ(node2().save(directory_).error().code, EEXIST);
    struct stat status {};
    ASSERT_EQ(stat((directory_ + "/node.pem").c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777U, 0600U);
}

TEST_F(IdentityFiles, AKeyOthersMayReadIsRefused) {
    ASSERT_TRUE(node1().save(directory_));
    auto path = directory_ + "/node.pem";
    ASSERT_EQ(chmod(path.c_str(), 0640), 0);
    EXPECT_EQ(Identity::load(directory_).error().code, EPERM);
    ASSERT_EQ(chmod(path.c_str(), 0600), 0);
    ASSERT_EQ(truncate(path.c_str(), 100), 0);
    EXPECT_FALSE(Identity::load(directory_));
}

TEST_F(IdentityFiles, ThePeerIsRemembered) {
    auto none = load_peer(directory_);
    ASSERT_TRUE(none) << none.error().text;
    EXPECT_FALSE(*none);
    ASSERT_TRUE(save_peer({"node2", node2().fingerprint()}, directory_));
    auto peer = load_peer(directory_);
    ASSERT_TRUE(peer && *peer);
    EXPECT_EQ((*peer)->name, "node2");
    EXPECT_EQ((*peer)->fingerprint, node2().fingerprint());
    EXPECT_EQ(Fingerprint::parse(node2().fingerprint().text()), node2().fingerprint());
}

}  // namespace
}  // namespace ha::io
