#include "etcd_cluster.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "io/boot_id.h"
#include "io/clock.h"
#include "io/fd.h"
#include "io/socket_address.h"
#include "stopped.h"

namespace ha::witness {
namespace {

namespace fs = std::filesystem;

constexpr const char* kRootPassword = "root-of-etcd";
constexpr const char* kPassword = "its\"password\"";  // etcdctl reads one word
constexpr const char* kPrefix = "/hamirror";

/// Below the range of ports for outgoing connections: a member that is down keeps its own.
std::uint16_t free_port() {
    for (;;) {
        const auto port = static_cast<std::uint16_t>(12000 + io::random_id().low % 18000);
        io::Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        auto wanted = io::SocketAddress::make("127.0.0.1", port).value();
        if (::bind(fd.get(), wanted.get(), wanted.size) == 0) return port;
    }
}

bool answers(std::uint16_t port) {
    io::Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    auto there = io::SocketAddress::make("127.0.0.1", port).value();
    return ::connect(fd.get(), there.get(), there.size) == 0;
}

std::string run(const std::string& line, bool must = true) {
    std::string out;
    FILE* pipe = ::popen((line + " 2>&1").c_str(), "r");
    if (pipe == nullptr) throw std::runtime_error("popen");
    char buffer[4096];
    while (auto got = std::fread(buffer, 1, sizeof buffer, pipe)) out.append(buffer, got);
    const int status = ::pclose(pipe);
    if (must && status != 0) throw std::runtime_error(line + ": " + out);
    return out;
}

}  // namespace

EtcdCluster::EtcdCluster(int members) : members_(static_cast<std::size_t>(members)) {
    std::string pattern = testing::TempDir() + "/etcd.XXXXXX";
    base_ = ::mkdtemp(pattern.data());
    for (auto& each : members_) each = {free_port(), free_port(), -1};
    make_certificates();
    start();
    add_users();
}

EtcdCluster::~EtcdCluster() {
    kill();
    fs::remove_all(base_);
}

void EtcdCluster::make_certificates() const {
    std::ofstream(base_ + "/server.ext")
        << "subjectAltName=IP:127.0.0.1,DNS:etcd.test\nextendedKeyUsage=serverAuth,clientAuth\n";
    std::ofstream(base_ + "/client.ext") << "extendedKeyUsage=clientAuth\n";
    const std::string key = "openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes ";
    run("cd " + base_ + " && " + key +
        "-x509 -days 2 -subj /CN=authority -keyout ca.key -out ca.pem");
    // etcd's gateway refuses clients whose certificate has a common name.
    for (const std::string name : {"server", "client"}) {
        run("cd " + base_ + " && " + key + "-subj /O=" + name + " -keyout " + name + ".key -out " +
            name + ".csr && openssl x509 -req -days 2 -in " + name +
            ".csr -CA ca.pem -CAkey ca.key -CAcreateserial -extfile " + name + ".ext -out " + name +
            ".pem");
    }
}

std::string EtcdCluster::endpoint(const Member& member) const {
    return "https://127.0.0.1:" + std::to_string(member.client_port);
}

std::string EtcdCluster::data(int member) const {
    return base_ + "/data" + std::to_string(member);
}

std::string EtcdCluster::initial_cluster() const {
    std::string out;
    for (std::size_t i = 0; i < members_.size(); ++i) {
        out += (i == 0 ? "m" : ",m") + std::to_string(i) +
               "=http://127.0.0.1:" + std::to_string(members_[i].peer_port);
    }
    return out;
}

std::string EtcdCluster::restore_options() const {
    return "--name m0 --data-dir " + data() + " --initial-cluster " + initial_cluster() +
           " --initial-advertise-peer-urls http://127.0.0.1:" +
           std::to_string(members_[0].peer_port);
}

std::vector<std::string> EtcdCluster::words(int member) const {
    const auto& own = members_[static_cast<std::size_t>(member)];
    const std::string peer = "http://127.0.0.1:" + std::to_string(own.peer_port);
    std::vector<std::string> out = {"etcd",
                                    "--name=m" + std::to_string(member),
                                    "--data-dir=" + data(member),
                                    "--listen-client-urls=" + endpoint(own),
                                    "--advertise-client-urls=" + endpoint(own),
                                    "--listen-peer-urls=" + peer,
                                    "--initial-advertise-peer-urls=" + peer,
                                    "--initial-cluster=" + initial_cluster(),
                                    "--cert-file=" + base_ + "/server.pem",
                                    "--key-file=" + base_ + "/server.key",
                                    "--trusted-ca-file=" + base_ + "/ca.pem",
                                    "--client-cert-auth"};
    // Alone it waits for nobody, but for this.
    if (members_.size() == 1) {
        out.insert(out.end(), {"--heartbeat-interval=10", "--election-timeout=100"});
    }
    out.insert(out.end(), options_.begin(), options_.end());
    return out;
}

void EtcdCluster::start(int member) {
    auto list = words(member);
    std::vector<char*> argv;
    for (auto& each : list) argv.push_back(each.data());
    argv.push_back(nullptr);
    const std::string log = base_ + "/log" + std::to_string(member);
    const pid_t pid = ::fork();
    ASSERT_GE(pid, 0);
    if (pid == 0) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // a test that times out leaves nothing behind
        const int fd = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
        ::dup2(fd, STDERR_FILENO);
        ::dup2(fd, STDOUT_FILENO);
        ::execv(HAMIRROR_ETCD, argv.data());
        ::_exit(127);
    }
    members_[static_cast<std::size_t>(member)].pid = pid;
}

void EtcdCluster::start() {
    for (std::size_t i = 0; i < members_.size(); ++i) {
        if (members_[i].pid < 0) start(static_cast<int>(i));
    }
    const auto limit = io::boot_now() + 30s;
    for (const auto& each : members_) {
        while (!answers(each.client_port) && io::boot_now() < limit)
            std::this_thread::sleep_for(2ms);
        ASSERT_TRUE(answers(each.client_port)) << "etcd does not start; see its log";
    }
}

void EtcdCluster::kill(int member) {
    auto& pid = members_[static_cast<std::size_t>(member)].pid;
    if (pid < 0) return;
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
    pid = -1;
}

void EtcdCluster::kill() {
    for (std::size_t i = 0; i < members_.size(); ++i) kill(static_cast<int>(i));
}

void EtcdCluster::freeze() {
    for (const auto& each : members_) stop_child(each.pid);
}
void EtcdCluster::thaw() {
    for (const auto& each : members_) ::kill(each.pid, SIGCONT);
}

void EtcdCluster::add_users() {
    users_ = false;
    std::ofstream(base_ + "/password") << kPassword << '\n';
    fs::permissions(base_ + "/password", fs::perms::owner_read | fs::perms::owner_write);
    (void)ctl(std::string("user add root:") + kRootPassword);
    (void)ctl("user grant-role root root");
    (void)ctl("role add hamirror");
    (void)ctl(std::string("role grant-permission hamirror --prefix=true readwrite ") + kPrefix +
              "/");
    (void)ctl("user add hamirror --interactive=false < " + base_ + "/password");
    (void)ctl("user grant-role hamirror hamirror");
    (void)ctl("auth enable");
    users_ = true;
}

std::string EtcdCluster::ctl(const std::string& words) const {
    std::string endpoints;
    for (const auto& each : members_) {
        if (each.pid >= 0) endpoints += (endpoints.empty() ? "" : ",") + endpoint(each);
    }
    return run("ETCDCTL_API=3 " HAMIRROR_ETCDCTL " --endpoints=" + endpoints + " --cacert=" +
               base_ + "/ca.pem --cert=" + base_ + "/client.pem --key=" + base_ + "/client.key " +
               (users_ ? std::string("--user=root:") + kRootPassword + " " : "") + words);
}

int EtcdCluster::leader() const {
    const auto status = nlohmann::json::parse(ctl("endpoint status -w json"), nullptr, false);
    for (const auto& each : status.is_array() ? status : nlohmann::json::array()) {
        const auto& own = each.at("Status");
        if (own.at("header").at("member_id") != own.value("leader", nlohmann::json())) continue;
        for (std::size_t i = 0; i < members_.size(); ++i) {
            if (each.at("Endpoint") == endpoint(members_[i])) return static_cast<int>(i);
        }
    }
    return -1;
}

io::EtcdRecord EtcdCluster::record(const Id128& store) const {
    io::EtcdRecord out;
    for (const auto& each : members_) out.endpoints.push_back(endpoint(each));
    out.store = {kPrefix, store};
    out.files = {base_ + "/ca.pem", base_ + "/client.pem", base_ + "/client.key"};
    out.user = "hamirror";
    out.password_file = base_ + "/password";
    return out;
}

Id128 EtcdCluster::set_up() const {
    io::Loop loop;
    const Id128 store = io::random_id();
    io::EtcdRegister made(loop, record(store));
    std::optional<ports::RegisterAnswer> answer;
    made.set_up(io::boot_now() + 20s, [&](const auto& given) { answer = given; });
    while (!answer) sd_event_run(loop.raw(), 1000000);
    if (answer->outcome != ports::RegisterOutcome::Shown) throw std::runtime_error(answer->text);
    return store;
}

}  // namespace ha::witness
