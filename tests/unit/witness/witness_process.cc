#include "witness_process.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <thread>

#include "io/clock.h"
#include "io/socket_address.h"
#include "stopped.h"

namespace ha::witness {
namespace {

std::uint16_t free_port() {
    io::Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    auto any = io::SocketAddress::make("127.0.0.1", 0).value();
    EXPECT_EQ(::bind(fd.get(), any.get(), any.size), 0);
    sockaddr_in bound{};
    socklen_t size = sizeof bound;
    EXPECT_EQ(::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&bound), &size), 0);
    return ntohs(bound.sin_port);
}

bool answers(std::uint16_t port) {
    io::Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    auto there = io::SocketAddress::make("127.0.0.1", port).value();
    return ::connect(fd.get(), there.get(), there.size) == 0;
}

}  // namespace

WitnessProcess::WitnessProcess() {
    std::string pattern = testing::TempDir() + "/witness.XXXXXX";
    base_ = ::mkdtemp(pattern.data());
    std::filesystem::create_directory(state());
    port_ = free_port();
}

WitnessProcess::~WitnessProcess() {
    kill();
    std::filesystem::remove_all(base_);
}

void WitnessProcess::start() {
    const std::string port = std::to_string(port_);
    const std::string log = base_ + "/log";
    pid_ = ::fork();
    ASSERT_GE(pid_, 0);
    if (pid_ == 0) {
        std::signal(SIGXFSZ, SIG_IGN);  // a full disk is an error, see fill_disk()
        const int fd = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
        ::dup2(fd, STDERR_FILENO);
        ::execl(HAMIRROR_WITNESS, HAMIRROR_WITNESS, "serve", "--listen", "127.0.0.1", "--port",
                port.c_str(), "--state", state().c_str(), "--run", run().c_str(), nullptr);
        ::_exit(127);
    }
    const auto limit = io::boot_now() + 20s;
    while (!answers(port_) && alive() && io::boot_now() < limit) std::this_thread::sleep_for(1ms);
    ASSERT_TRUE(answers(port_)) << "hamirror-witness does not start; see its log";
}

void WitnessProcess::kill(int signal) {
    if (pid_ < 0) return;
    ::kill(pid_, signal);
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
}

bool WitnessProcess::alive() const {
    siginfo_t info{};
    return pid_ > 0 &&
           ::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
           info.si_pid == 0;
}

void WitnessProcess::freeze() {
    stop_child(pid_);
}
void WitnessProcess::thaw() {
    ::kill(pid_, SIGCONT);
}

void WitnessProcess::fill_disk(bool full) {
    rlimit limit{};
    ASSERT_EQ(::prlimit(pid_, RLIMIT_FSIZE, nullptr, &limit), 0);
    limit.rlim_cur = full ? 0 : limit.rlim_max;
    ASSERT_EQ(::prlimit(pid_, RLIMIT_FSIZE, &limit, nullptr), 0);
}

WitnessProcess::Output WitnessProcess::command(const std::string& words) const {
    const std::string line = std::string(HAMIRROR_WITNESS) + " " + words + " --state " + state() +
                             " --run " + run() + " 2>&1";
    Output out;
    FILE* pipe = ::popen(line.c_str(), "r");
    if (pipe == nullptr) return out;
    char buffer[4096];
    while (auto got = std::fread(buffer, 1, sizeof buffer, pipe)) out.text.append(buffer, got);
    const int status = ::pclose(pipe);
    out.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    return out;
}

io::PairingToken WitnessProcess::token() const {
    auto said = command("token");
    EXPECT_EQ(said.status, 0) << said.text;
    while (!said.text.empty() && said.text.back() == '\n') said.text.pop_back();
    auto token = io::PairingToken::parse(said.text.substr(said.text.rfind('\n') + 1));
    EXPECT_TRUE(token) << said.text;
    return token.value_or(io::PairingToken{});
}

Result<io::WitnessRecord> WitnessProcess::pair(const io::Identity& own, const io::Identity& other,
                                               const io::PairingToken& token) const {
    return io::enrol_at_witness(own,
                                {"127.0.0.1", port_, token, "node1+node2", other.fingerprint()});
}

}  // namespace ha::witness
