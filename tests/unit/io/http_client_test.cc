#include "io/http_client.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <optional>
#include <thread>

#include "io/clock.h"

namespace ha::io {
namespace {

namespace fs = std::filesystem;

// Answers by path; says its port in a file.
constexpr const char* kServer = R"(
import http.server, os, ssl, sys, time
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def log_message(self, *words): pass
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/cut":
            self.close_connection = True
            return
        if self.path == "/slow": time.sleep(1)
        if self.path == "/long": body = b"x" * 20000
        if self.path == "/echo": body += b" " + self.headers.get("Authorization", "-").encode()
        self.send_response({"/away": 302, "/error": 503}.get(self.path, 200))
        if self.path == "/away": self.send_header("Location", "/echo")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("own.pem", "own.key")
server.socket = context.wrap_socket(server.socket, server_side=True)
with open("port.new", "w") as out: out.write(str(server.server_port))
os.rename("port.new", "port")
server.serve_forever()
)";

class HttpClientTest : public testing::Test {
  protected:
    HttpClientTest() {
        std::string pattern = testing::TempDir() + "/http.XXXXXX";
        base_ = ::mkdtemp(pattern.data());
        std::ofstream(base_ + "/server.py") << kServer;
        const std::string make = "cd " + base_ +
                                 " && openssl req -x509 -newkey ec -pkeyopt "
                                 "ec_paramgen_curve:P-256 -nodes -days 2 -subj /O=x -addext "
                                 "subjectAltName=IP:127.0.0.1 -keyout own.key -out own.pem 2>&1";
        EXPECT_EQ(std::system((make + " >log").c_str()), 0);
        pid_ = ::fork();
        if (pid_ == 0) {
            ::prctl(PR_SET_PDEATHSIG, SIGKILL);
            if (::chdir(base_.c_str()) == 0) {
                // It complains of those who leave.
                ::dup2(::open("log", O_WRONLY | O_APPEND), STDERR_FILENO);
                ::execl("/usr/bin/python3", "python3", "server.py", nullptr);
            }
            ::_exit(127);
        }
        const auto limit = boot_now() + 20s;
        while (!fs::exists(base_ + "/port") && boot_now() < limit) std::this_thread::sleep_for(5ms);
        std::ifstream(base_ + "/port") >> port_;
    }
    ~HttpClientTest() override {
        stop_server();
        fs::remove_all(base_);
    }
    void stop_server() {
        if (pid_ < 0) return;
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
        pid_ = -1;
    }
    HttpPost post_to(const std::string& path, Duration patience = 5s) const {
        return {"https://127.0.0.1:" + port_ + path, "body", "token", patience};
    }
    HttpReply post(HttpClient& client, const HttpPost& request) {
        std::optional<HttpReply> reply;
        client.post(request, [&](const HttpReply& given) { reply = given; });
        EXPECT_FALSE(reply) << "answered from within the call";
        turn_until([&] { return reply.has_value(); });
        return reply.value_or(HttpReply{});
    }
    void turn_until(const std::function<bool()>& done, Duration limit = 10s) {
        const Instant end = boot_now() + limit;
        while (!done() && boot_now() < end) ASSERT_GE(sd_event_run(loop_.raw(), 1000), 0);
    }

    std::string base_;
    std::string port_;
    pid_t pid_ = -1;
    Loop loop_;
    HttpsFiles files() const { return {base_ + "/own.pem", "", ""}; }
};

TEST_F(HttpClientTest, AsksAndIsAnswered) {
    HttpClient client(loop_, files(), 16384);
    for (int i = 0; i < 3; ++i) {
        auto reply = post(client, post_to("/echo"));
        EXPECT_EQ(reply.status, 200) << reply.trouble;
        EXPECT_EQ(reply.body, "body token");
        EXPECT_TRUE(reply.sent);
    }
    EXPECT_EQ(post(client, post_to("/error")).status, 503);
    EXPECT_EQ(post(client, post_to("/away")).status, 302) << "not followed";
}

TEST_F(HttpClientTest, AnAnswerThatIsTooLongIsNone) {
    HttpClient client(loop_, files(), 16384);
    auto reply = post(client, post_to("/long"));
    EXPECT_EQ(reply.status, 0);
    EXPECT_TRUE(reply.body.empty());
    EXPECT_TRUE(reply.sent);
}

TEST_F(HttpClientTest, PatienceEnds) {
    HttpClient client(loop_, files(), 16384);
    const auto before = boot_now();
    auto reply = post(client, post_to("/slow", 200ms));
    EXPECT_EQ(reply.status, 0);
    EXPECT_TRUE(reply.timed_out);
    EXPECT_TRUE(reply.sent);
    EXPECT_LT(boot_now() - before, 900ms);
}

TEST_F(HttpClientTest, ManyAtATime) {
    HttpClient client(loop_, files(), 16384);
    int answered = 0;
    for (int i = 0; i < 50; ++i) {
        client.post(post_to("/echo"), [&](const HttpReply& reply) {
            EXPECT_EQ(reply.status, 200) << reply.trouble;
            ++answered;
        });
    }
    turn_until([&] { return answered == 50; });
    EXPECT_EQ(answered, 50);
}

TEST_F(HttpClientTest, WhatWasSentIsKnownEvenIfAnotherConnectionIsRefused) {
    HttpClient client(loop_, files(), 16384);
    EXPECT_EQ(post(client, post_to("/echo")).status, 200);  // leaves a connection
    std::optional<HttpReply> slow;
    client.post(post_to("/slow"), [&](const HttpReply& given) { slow = given; });
    turn_until([] { return false; }, 200ms);
    stop_server();
    // libcurl repeats what a kept connection did not answer, and now is refused.
    turn_until([&] { return slow.has_value(); });
    ASSERT_TRUE(slow);
    EXPECT_EQ(slow->status, 0);
    EXPECT_TRUE(slow->sent) << slow->trouble;
    EXPECT_NE(slow->trouble.find("connect"), std::string::npos) << slow->trouble;
    auto reply = post(client, post_to("/echo"));
    EXPECT_FALSE(reply.sent) << reply.trouble;
}

TEST_F(HttpClientTest, ACutConnectionIsNoAnswer) {
    HttpClient client(loop_, files(), 16384);
    auto reply = post(client, post_to("/cut"));
    EXPECT_EQ(reply.status, 0);
    EXPECT_TRUE(reply.sent);
}

TEST_F(HttpClientTest, WithoutTrustNothingIsSent) {
    HttpClient client(loop_, {}, 16384);
    auto reply = post(client, post_to("/echo"));
    EXPECT_EQ(reply.status, 0);
    EXPECT_FALSE(reply.sent);
    auto plain = post_to("/echo");
    plain.url.replace(0, 5, "http");
    EXPECT_FALSE(post(client, plain).sent);
}

TEST_F(HttpClientTest, NothingIsAnsweredAfterACancelOrTheEnd) {
    auto client = std::make_unique<HttpClient>(loop_, files(), 16384);
    EXPECT_EQ(post(*client, post_to("/echo")).status, 200);
    bool answered = false;
    auto ticket = client->post(post_to("/slow"), [&](const HttpReply&) { answered = true; });
    EXPECT_TRUE(client->cancel(ticket)) << "it left from within the call";
    client->post(post_to("/slow"), [&](const HttpReply&) { answered = true; });
    turn_until([] { return false; }, 100ms);
    client.reset();
    turn_until([] { return false; }, 1200ms);
    EXPECT_FALSE(answered);
}

}  // namespace
}  // namespace ha::io
