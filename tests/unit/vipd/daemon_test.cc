// ha-vipd against a real kernel: a network namespace of its own with two ends of a cable, "here"
// (ours) and "there" (whoever listens). Needs root.
#include "vipd/daemon.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <iostream>

#include "io/clock.h"
#include "vipd/drop_all.h"

namespace ha::vipd {
namespace {

const vip::Ipv4 kAddress = *vip::Ipv4::parse("192.0.2.10");

bool shell(const std::string& line) {
    return std::system(line.c_str()) == 0;
}

class VipDaemon : public testing::Test {
  protected:
    void SetUp() override {
        if (geteuid() != 0 || unshare(CLONE_NEWNET) != 0) {
            std::cerr << "SKIPPED: ha-vipd is not tested against the kernel without root\n";
            GTEST_SKIP();
        }
        ASSERT_TRUE(
            shell("ip link add here type veth peer name there && ip link set lo up &&"
                  " ip addr add 192.0.2.1/24 dev here && ip link set here up &&"
                  " ip link set there up"));
        char name[] = "/tmp/vipd-test-XXXXXX";
        directory_ = mkdtemp(name);
        places_ = {directory_ + "/socket", directory_ + "/records", directory_ + "/leases"};
    }
    void TearDown() override { std::filesystem::remove_all(directory_); }

    void serve() {
        server_.emplace(loop_, io::WorkerServer::Callbacks{
                                   [this](io::WorkerId id, const api::Fact& it) { fact(id, it); },
                                   [](io::WorkerId, const std::string&) {}});
        ASSERT_TRUE(server_->listen(places_.socket));
    }
    void start() {
        daemon_.emplace(loop_, std::move(*io::Netlink::open()), places_);
        ASSERT_TRUE(daemon_->start());
    }
    void listen_there() { ASSERT_TRUE(there_.open(static_cast<int>(if_nametoindex_of("there")))); }
    static unsigned if_nametoindex_of(const std::string& name) {
        unsigned index = 0;
        EXPECT_TRUE(io::Netlink::open()->dump([&](const io::NetworkChange& it) {
            const auto* link = std::get_if<io::LinkChange>(&it);
            if (link != nullptr && link->name == name) index = static_cast<unsigned>(link->index);
        }));
        return index;
    }
    static bool has_address() {
        bool found = false;
        EXPECT_TRUE(io::Netlink::open()->dump([&](const io::NetworkChange& it) {
            const auto* address = std::get_if<io::AddressChange>(&it);
            found = found || (address != nullptr && address->address == kAddress.number);
        }));
        return found;
    }
    void fact(io::WorkerId id, const api::Fact& it) {
        worker_ = id;
        facts_.push_back(it.index());
        if (const auto* answer = std::get_if<api::AddressesProbed>(&it)) probed_ = *answer;
    }
    template <typename Fact>
    [[nodiscard]] bool told() const {
        const auto index = api::Fact(Fact{}).index();
        return std::find(facts_.begin(), facts_.end(), index) != facts_.end();
    }
    // Runs until `true_now`, looked at after every event and every 10 ms.
    Duration run_until(const std::function<bool()>& true_now, Duration limit = 3s) {
        const auto began = io::boot_now();
        while (!true_now() && io::boot_now() < began + limit) {
            EXPECT_GE(sd_event_run(loop_.raw(), 10'000), 0);
        }
        EXPECT_TRUE(true_now()) << "not within the limit";
        return io::boot_now() - began;
    }
    void bring_up() {
        serve();
        listen_there();
        start();
        run_until([&] { return told<api::WorkerHello>(); });
        server_->send(worker_, api::HoldAddresses{"db", {"192.0.2.10/24"}});
        run_until([&] { return told<api::AddressesHeld>(); });
        run_until([&] { return claims_ >= 4; });
    }

    void answer_worker() {
        serve();
        start();
        run_until([&] { return told<api::WorkerHello>(); });
    }
    /// The answer to a probe of these.
    api::AddressesProbed probe(std::vector<std::string> addresses) {
        probed_.reset();
        server_->send(worker_, api::ProbeAddresses{"db", ++token_, std::move(addresses)});
        took_ = run_until([&] { return probed_.has_value(); });
        EXPECT_EQ(probed_->token, token_);
        return *probed_;
    }

    std::uint64_t token_ = 0;
    Duration took_{};
    io::Loop loop_;
    std::string directory_;
    Places places_;
    std::optional<io::WorkerServer> server_;
    std::optional<Daemon> daemon_;
    io::WorkerId worker_;
    std::vector<std::size_t> facts_;
    std::optional<api::AddressesProbed> probed_;
    int claims_ = 0;
    io::ArpLink there_{loop_, [this](const io::ArpClaim& claim) {
                           if (claim.address == kAddress.number) ++claims_;
                       }};
};

TEST_F(VipDaemon, HoldsAnnouncesDefendsAndDrops) {
    bring_up();
    EXPECT_TRUE(has_address());
    EXPECT_TRUE(std::filesystem::exists(places_.records + "/192.0.2.10"));
    EXPECT_TRUE(shell("ip -o addr show dev here | grep -q '192.0.2.10/24.*noprefixroute'"));

    EXPECT_TRUE(shell("ip addr del 192.0.2.10/24 dev here"));
    EXPECT_LT(run_until([] { return has_address(); }), 500ms);

    claims_ = 0;
    EXPECT_TRUE(there_.announce(kAddress.number));
    EXPECT_LT(run_until([&] { return claims_ > 0; }), 1s);

    server_->send(worker_, api::DropAddresses{"db"});
    run_until([&] { return told<api::AddressesDropped>(); });
    EXPECT_FALSE(has_address());
    EXPECT_FALSE(std::filesystem::exists(places_.records + "/192.0.2.10"));

    EXPECT_TRUE(shell("ip addr add 192.0.2.10/24 dev here"));
    EXPECT_LT(run_until([] { return !has_address(); }), 500ms);
}

TEST_F(VipDaemon, ALinkThatComesBackIsAnnounced) {
    bring_up();
    EXPECT_TRUE(shell("ip link set there down"));
    run_until([&, until = io::boot_now() + 100ms] { return io::boot_now() > until; });
    claims_ = 0;
    EXPECT_TRUE(shell("ip link set there up"));
    EXPECT_LT(run_until([&] { return claims_ > 0; }), 1s);
}

// Without reading them: more changes than the kernel keeps for us.
bool drown() {
    return shell(
        "for i in $(seq 3000); do echo link set here mtu $((1400 + i % 2)); done |"
        " ip -batch -");
}

TEST_F(VipDaemon, ADumpThatIsBrokenOffIsRepeated) {
    int failures = 0;
    int broken = 0;
    places_.dump = [&](io::Netlink& netlink, const io::OnNetworkChange& each) -> Result<> {
        if (broken == 0) return netlink.dump(each);
        --broken;
        ++failures;
        return fail("interrupted", EINTR);
    };
    ASSERT_NO_FATAL_FAILURE(bring_up());
    broken = 3;
    ASSERT_TRUE(drown());
    run_until([&] { return failures == 3; });
    server_->send(worker_, api::DropAddresses{"db"});
    run_until([&] { return told<api::AddressesDropped>(); });
    EXPECT_FALSE(has_address());
    EXPECT_TRUE(daemon_->outcome());
}

TEST_F(VipDaemon, WithoutAnyDumpItGivesUp) {
    bool broken = false;
    places_.dump = [&](io::Netlink& netlink, const io::OnNetworkChange& each) -> Result<> {
        return broken ? fail("no answer") : netlink.dump(each);
    };
    ASSERT_NO_FATAL_FAILURE(bring_up());
    broken = true;
    ASSERT_TRUE(drown());
    run_until([&] { return !daemon_->outcome(); }, 10s);
}

TEST_F(VipDaemon, WhatACrashLeftGoesWithoutAnOrder) {
    bring_up();
    daemon_.reset();
    server_.reset();
    EXPECT_TRUE(has_address());
    start();
    const auto took = run_until([] { return !has_address(); });
    EXPECT_GT(took, 1900ms);
    EXPECT_LT(took, 2500ms);
}

TEST_F(VipDaemon, WhatARestartLeftIsAdopted) {
    bring_up();
    daemon_.reset();
    facts_.clear();
    start();
    run_until([&] { return told<api::WorkerHello>(); });
    server_->send(worker_, api::HoldAddresses{"db", {"192.0.2.10/24"}});
    run_until([&] { return told<api::AddressesHeld>(); });
    run_until([until = io::boot_now() + 2200ms] { return io::boot_now() > until; });
    EXPECT_TRUE(has_address());
}

TEST_F(VipDaemon, AnAddressLeavesWithItsLeaseWithoutAnOrder) {
    auto page = io::LeasePage::open("db", places_.leases);
    ASSERT_TRUE(page);
    bring_up();
    Lease& lease = (*page)->lease();
    lease.begin(io::boot_now(), 300ms);
    server_->send(worker_, api::LookAtLease{"db", {}});
    run_until([until = io::boot_now() + 200ms] { return io::boot_now() > until; });
    EXPECT_TRUE(has_address());
    lease.confirm(Lease::By::Mirror, io::boot_now());
    run_until([until = io::boot_now() + 200ms] { return io::boot_now() > until; });
    EXPECT_TRUE(has_address()) << "it was renewed";
    EXPECT_LT(run_until([] { return !has_address(); }), 1s);
    EXPECT_TRUE(lease.expired(io::boot_now()));

    facts_.clear();
    server_->send(worker_, api::HoldAddresses{"db", {"192.0.2.10/24"}});
    run_until([until = io::boot_now() + 200ms] { return io::boot_now() > until; });
    EXPECT_FALSE(has_address()) << "nothing is held under a lease that has run out";
    EXPECT_FALSE(told<api::AddressesHeld>());
    lease.end();
    server_->send(worker_, api::HoldAddresses{"db", {"192.0.2.10/24"}});
    run_until([&] { return told<api::AddressesHeld>(); });
    EXPECT_TRUE(has_address());
}

TEST_F(VipDaemon, WhatACrashLeftUnderALeaseLeavesWithIt) {
    bring_up();
    auto page = io::LeasePage::open("db", places_.leases);
    ASSERT_TRUE(page);
    (*page)->lease().begin(io::boot_now(), 100ms);
    daemon_.reset();
    server_.reset();
    start();
    EXPECT_LT(run_until([] { return !has_address(); }), 1s);
}

/// Another machine at the end of the cable.
class Stranger {
  public:
    Stranger() : pid_(fork()) {
        if (pid_ == 0) {
            unshare(CLONE_NEWNET);
            execlp("sleep", "sleep", "60", nullptr);
            _exit(1);
        }
        const std::string own = std::filesystem::read_symlink("/proc/self/ns/net");
        const std::string path = "/proc/" + std::to_string(pid_) + "/ns/net";
        for (int i = 0; i < 1000 && std::filesystem::read_symlink(path) == own; ++i) usleep(1000);
        EXPECT_TRUE(shell("ip link set there netns " + std::to_string(pid_)));
        EXPECT_TRUE(run("ip link set there up"));
    }
    ~Stranger() {
        kill(pid_, SIGKILL);
        waitpid(pid_, nullptr, 0);
    }
    Stranger(const Stranger&) = delete;
    Stranger& operator=(const Stranger&) = delete;
    Stranger(Stranger&&) = delete;
    Stranger& operator=(Stranger&&) = delete;

    [[nodiscard]] bool run(const std::string& line) const {
        return shell("nsenter -n -t " + std::to_string(pid_) + " " + line);
    }

  private:
    pid_t pid_;
};

TEST_F(VipDaemon, WhoHasAnAddressIsFound) {
    Stranger stranger;
    answer_worker();
    auto found = probe({"192.0.2.10/24", "192.0.2.11/24"});
    EXPECT_TRUE(found.asked);
    EXPECT_EQ(found.taken, "");
    EXPECT_EQ(found.trouble, "");
    EXPECT_LT(took_, 2s);
    EXPECT_FALSE(has_address()) << "nothing is held by asking";

    ASSERT_TRUE(stranger.run("ip link set there address 02:00:00:00:00:17"));
    ASSERT_TRUE(stranger.run("ip addr add 192.0.2.11/24 dev there"));
    found = probe({"192.0.2.10/24", "192.0.2.11/24"});
    EXPECT_EQ(found.taken, "192.0.2.11");
    EXPECT_EQ(found.mac, "02:00:00:00:00:17");
    EXPECT_LT(took_, 1s);
}

/// The other end of the cable is this machine's, too.
TEST_F(VipDaemon, OurOwnAnswersAreNone) {
    answer_worker();
    ASSERT_TRUE(shell("ip addr add 192.0.2.10/32 dev there"));
    EXPECT_EQ(probe({"192.0.2.10/24@here"}).taken, "");
    ASSERT_TRUE(there_.open(static_cast<int>(if_nametoindex_of("there"))));
    server_->send(worker_, api::ProbeAddresses{"db", ++token_, {"192.0.2.10/24@here"}});
    probed_.reset();
    for (int i = 0; i < 20 && !probed_; ++i) {
        EXPECT_TRUE(there_.announce(kAddress.number));
        run_until([until = io::boot_now() + 100ms] { return io::boot_now() > until; });
    }
    ASSERT_TRUE(probed_);
    EXPECT_EQ(probed_->taken, "");
}

TEST_F(VipDaemon, WhatCannotBeAskedIsSaid) {
    answer_worker();
    const auto odd = probe({"192.0.2.10/24", "192.0.2.11/24@eth7"});
    EXPECT_TRUE(odd.asked);
    EXPECT_EQ(odd.trouble, "there is no interface eth7 for 192.0.2.11/24@eth7");
    ASSERT_TRUE(shell("ip link set there down"));
    run_until([until = io::boot_now() + 100ms] { return io::boot_now() > until; });
    const auto cut = probe({"192.0.2.10/24"});
    EXPECT_FALSE(cut.asked);
    EXPECT_EQ(cut.trouble, "here has no carrier");
    EXPECT_FALSE(probe({"no address"}).asked);
    ASSERT_TRUE(shell("ip tuntap add dev tun9 mode tun && ip link set tun9 up"));
    EXPECT_FALSE(probe({"192.0.2.10/24@tun9"}).asked);
}

TEST_F(VipDaemon, DropAllLeavesNothing) {
    bring_up();
    daemon_.reset();
    EXPECT_EQ(drop_all(places_), 0);
    EXPECT_FALSE(has_address());
    EXPECT_TRUE(std::filesystem::is_empty(places_.records));
}

}  // namespace
}  // namespace ha::vipd
