#include "ctl/verbs.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <future>
#include <iostream>
#include <sstream>
#include <thread>

#include "clusterd/bus_face.h"
#include "io/clock.h"
#include "unit/clusterd/fake_commands.h"

// The verbs against the daemon's real face over a real bus of the test's own.

extern char** environ;

namespace ha::ctl {
namespace {

constexpr const char* kBusDaemon = "/usr/bin/dbus-daemon";

class PrivateBus {
  public:
    PrivateBus() : address_("unix:path=" + testing::TempDir() + "bus." + std::to_string(getpid())) {
        const std::string file = testing::TempDir() + "bus.conf." + std::to_string(getpid());
        std::ofstream(file) << "<busconfig><type>custom</type><listen>" << address_
                            << "</listen><policy context='default'><allow own='*'/>"
                               "<allow send_destination='*'/><allow receive_sender='*'/>"
                               "</policy></busconfig>";
        config_ = "--config-file=" + file;
        setenv("DBUS_SYSTEM_BUS_ADDRESS", address_.c_str(), 1);
        start();
    }
    ~PrivateBus() { stop(); }

    void start() {
        std::string program(kBusDaemon);
        std::string flag("--nofork");
        char* words[] = {program.data(), config_.data(), flag.data(), nullptr};
        ASSERT_EQ(posix_spawn(&process_, kBusDaemon, nullptr, nullptr, words, environ), 0);
        for (int i = 0; i < 500 && access(address_.substr(10).c_str(), F_OK) != 0; ++i) {
            usleep(10'000);
        }
    }
    void stop() {
        kill(process_, SIGTERM);
        waitpid(process_, nullptr, 0);
        unlink(address_.substr(10).c_str());
    }

  private:
    std::string address_;
    std::string config_;
    pid_t process_ = -1;
};

/// Takes orders and shows their effects a moment later.
class LivelyCommands : public clusterd::FakeCommands {
  public:
    explicit LivelyCommands(io::Loop& loop) : timer_(loop) {}

    clusterd::Face* face = nullptr;
    std::function<void(clusterd::ModuleView&)> effect;

    void start(const std::string& name, const cluster::StartRequested& order,
               clusterd::Done done) override {
        FakeCommands::start(name, order, std::move(done));
        happen();
    }
    void swap(const std::string& name, const std::string& to, clusterd::Done done) override {
        FakeCommands::swap(name, to, std::move(done));
        happen();
    }

  private:
    void happen() {
        timer_.arm(io::boot_now() + 50ms, [this] {
            effect(shown.modules[0]);
            face->changed();
        });
    }
    io::Timer timer_;
};

class Verbs : public testing::Test {
  protected:
    void SetUp() override {
        if (access(kBusDaemon, X_OK) != 0) GTEST_SKIP() << "no dbus-daemon";
        bus_.emplace();
        commands_.emplace(loop_);
        clusterd::BusFace::Options options;
        options.may_change = [](sd_bus_message*) { return true; };
        options.retry = 50ms;
        face_.emplace(loop_, *commands_, std::move(options));
        commands_->face = &*face_;
        thread_ = std::thread([this] { ASSERT_TRUE(loop_.run()); });
    }
    void TearDown() override {
        if (!thread_.joinable()) return;
        in_loop([this] { face_->stop(); });
        loop_.post([this] { loop_.stop(); });
        thread_.join();
    }
    void in_loop(const std::function<void()>& work) {
        std::promise<void> done;
        loop_.post([&] {
            work();
            done.set_value();
        });
        done.get_future().wait();
    }
    void serve(std::function<void(clusterd::ModuleView&)> effect = [](clusterd::ModuleView&) {}) {
        in_loop([&] {
            commands_->effect = std::move(effect);
            face_->start();
        });
        Options options;
        options.json = true;
        for (int i = 0; i < 500 && play(run_cluster_status, options)[0] != '{'; ++i) usleep(10'000);
    }
    /// Its standard output, or the failure's exit code and text.
    std::string play(Outcome<> (*verb)(const Options&), const Options& options) {
        std::ostringstream out;
        auto* before = std::cout.rdbuf(out.rdbuf());
        auto result = verb(options);
        std::cout.rdbuf(before);
        if (result) return out.str();
        return std::to_string(static_cast<int>(result.error().exit)) + " " + result.error().text;
    }
    static Options shop() {
        Options options;
        options.module = "web-shop";
        options.wait = true;
        options.timeout_s = 5;
        return options;
    }

    std::optional<PrivateBus> bus_;
    io::Loop loop_;
    std::optional<LivelyCommands> commands_;
    std::optional<clusterd::BusFace> face_;
    std::thread thread_;
};

TEST_F(Verbs, ExplainThemselvesWhenTheDaemonIsDown) {
    const auto said = play(run_status, {});
    EXPECT_EQ(said.substr(0, 51), "3 The cluster daemon of this node does not answer.\n") << said;
    EXPECT_EQ(play(run_start, shop()).substr(0, 2), "3 ");
}

TEST_F(Verbs, StatusShowsTheModule) {
    serve();
    EXPECT_NE(play(run_status, {}).find("web-shop: served by node1"), std::string::npos);
    Options json;
    json.json = true;
    json.module = "nothing";
    EXPECT_EQ(play(run_status, json), "1 There is no module nothing.");
    json.module = "web-shop";
    EXPECT_EQ(play(run_status, json).substr(0, 16), R"({"node":"node2",)");
}

TEST_F(Verbs, StartWaitsUntilItIsReady) {
    serve([](clusterd::ModuleView& module) { module.nodes[1].readiness = "ready"; });
    auto options = shop();
    options.as_source = true;
    EXPECT_EQ(play(run_start, options), "node2 is secondary/ready: The copy is being compared.\n");
    in_loop([this] {
        EXPECT_EQ(commands_->orders, std::vector<std::string>{"start web-shop as-source"});
    });
}

/// Standard input is a terminal on which somebody has typed this; nullptr: is none.
class Typed {
  public:
    explicit Typed(const char* line) : before_(dup(STDIN_FILENO)) {
        int input = open("/dev/null", O_RDONLY);
        if (line != nullptr) {
            close(input);
            terminal_ = posix_openpt(O_RDWR | O_NOCTTY);
            EXPECT_EQ(grantpt(terminal_), 0);
            EXPECT_EQ(unlockpt(terminal_), 0);
            input = open(ptsname(terminal_), O_RDWR | O_NOCTTY);
            const std::string text = std::string(line) + "\n";
            EXPECT_EQ(write(terminal_, text.data(), text.size()),
                      static_cast<ssize_t>(text.size()));
        }
        dup2(input, STDIN_FILENO);
        close(input);
    }
    ~Typed() {
        dup2(before_, STDIN_FILENO);
        close(before_);
        if (terminal_ >= 0) close(terminal_);
        std::cin.clear();
        clearerr(stdin);
    }
    Typed(const Typed&) = delete;
    Typed& operator=(const Typed&) = delete;

  private:
    int before_;
    int terminal_ = -1;
};

TEST_F(Verbs, AForcedStartIsShownAndAskedFor) {
    serve();
    auto options = shop();
    options.wait = false;
    options.force = true;
    const auto orders = [this] {
        std::vector<std::string> given;
        in_loop([&] { given = commands_->orders; });
        return given;
    };
    {
        Typed nobody(nullptr);
        EXPECT_EQ(play(run_start, options).substr(0, 53),
                  "1 --force asks, and standard input is no terminal. Wh");
    }
    for (const char* no : {"y", "no", "", "YES", "yes "}) {
        Typed answer(no);
        EXPECT_EQ(play(run_start, options), "1 Nothing was changed.") << no;
    }
    EXPECT_TRUE(orders().empty());
    {
        Typed answer("yes");
        const auto said = play(run_start, options);
        EXPECT_NE(said.find("node1 is seen: primary/ready"), std::string::npos) << said;
    }
    EXPECT_EQ(orders(), std::vector<std::string>{"start web-shop forced, shown 06 07 seen"});
}

TEST_F(Verbs, AForcedStartCarriesWhatWasShownThen) {
    serve();
    in_loop([this] {
        auto& module = commands_->shown.modules[0];
        module.known = {{0, 6}, {}, false};
        module.nodes[0].seen = false;
        face_->changed();
    });
    auto options = shop();
    options.wait = false;
    options.force = options.yes = true;
    Typed nobody(nullptr);
    const auto said = play(run_start, options);
    EXPECT_NE(said.find("cannot be excluded"), std::string::npos) << said;
    in_loop([this] {
        EXPECT_EQ(commands_->orders,
                  std::vector<std::string>{"start web-shop forced, shown 06 00"});
        commands_->answer = tl::unexpected(clusterd::CommandError{"view-outdated", "Look again."});
    });
    EXPECT_EQ(play(run_start, options), "1 Look again.");
    options.module = "shop";
    EXPECT_EQ(play(run_start, options),
              "1 There is no module shop; `hamirrorctl status` lists them.");
}

TEST_F(Verbs, WhatDoesNotComeIsAnswered) {
    serve();
    auto options = shop();
    options.timeout_s = 1;
    EXPECT_EQ(play(run_swap, options).substr(0, 56),
              "4 Not complete after 1 s; the order was taken and goes o");
}

TEST_F(Verbs, WhoeverIsPrimaryAlreadyIsNoFailure) {
    serve();
    in_loop([this] {
        commands_->answer =
            tl::unexpected(clusterd::CommandError{"AlreadyPrimary", "node1 is primary already."});
    });
    auto options = shop();
    options.to = "node1";
    options.wait = false;
    EXPECT_EQ(play(run_swap, options), "node1 is primary already.\n");
    options.wait = true;
    EXPECT_EQ(play(run_swap, options).substr(0, 50),
              "node1 is primary already.\nnode1 is primary/ready; ");
    in_loop([this] { EXPECT_EQ(commands_->orders[0], "swap web-shop to node1"); });
}

TEST_F(Verbs, ARestartIsOrderedAndWaitedFor) {
    serve([](clusterd::ModuleView& module) { module.nodes[1].readiness = "ready"; });
    EXPECT_EQ(play(run_restart, shop()).substr(0, 23), "node1 is primary/ready;");
    in_loop([this] { EXPECT_EQ(commands_->orders, std::vector<std::string>{"restart web-shop"}); });
}

TEST_F(Verbs, FailoverOffIsWaitedForUntilBothNodesHaveIt) {
    serve();
    Options options;
    std::thread recorded([this] {
        for (const bool on_both : {false, true}) {
            usleep(200'000);
            in_loop([&] {
                commands_->shown.modules[0].automatic_failover = false;
                commands_->shown.modules[0].failover_recorded = on_both;
                face_->changed();
            });
        }
    });
    const auto began = io::boot_now();
    EXPECT_EQ(play(run_failover_off, options).substr(0, 37),
              "web-shop: automatic failover is OFF. ");
    EXPECT_GT(io::boot_now() - began, 350ms);
    recorded.join();
    in_loop([this] {
        EXPECT_EQ(commands_->orders, std::vector<std::string>{"failover web-shop off"});
        commands_->answer = tl::unexpected(clusterd::CommandError{"PeerSilent", "Not seen."});
    });
    EXPECT_EQ(play(run_failover_on, options), "1 Not seen.");
    EXPECT_EQ(play(run_enable, shop()), "1 Not seen.");
}

TEST_F(Verbs, WhetherItStartsAtBootIsSaidToThisNode) {
    serve();
    EXPECT_EQ(play(run_disable, shop()), "");
    EXPECT_EQ(play(run_enable, shop()), "");
    in_loop([this] {
        EXPECT_EQ(commands_->orders,
                  (std::vector<std::string>{"disable web-shop", "enable web-shop"}));
    });
}

TEST_F(Verbs, SwapWhenSyncedGivesItsOrderThen) {
    serve();
    auto options = shop();
    options.wait = false;
    options.when_synced = true;
    options.timeout_s = 1;
    EXPECT_EQ(play(run_swap, options).substr(0, 38), "1 Not in sync and ready after 1 s; the");
    in_loop([this] { EXPECT_TRUE(commands_->orders.empty()); });
    std::thread synced([this] {
        usleep(200'000);
        in_loop([this] {
            commands_->shown.modules[0].nodes[1].readiness = "ready";
            face_->changed();
        });
    });
    options.timeout_s = 10;
    EXPECT_EQ(play(run_swap, options), "");
    synced.join();
    in_loop([this] { EXPECT_EQ(commands_->orders, std::vector<std::string>{"swap web-shop"}); });
}

TEST_F(Verbs, RefusalsAreShownAsTheyAre) {
    serve();
    in_loop([this] {
        commands_->answer = tl::unexpected(clusterd::CommandError{"busy", "Try again."});
    });
    EXPECT_EQ(play(run_swap, shop()), "1 Try again.");
    auto options = shop();
    options.module = "shop";
    EXPECT_EQ(play(run_swap, options), "1 There is no module shop; there are: web-shop.");
}

TEST_F(Verbs, ARefusalOfABlockedModuleNamesTheCommand) {
    serve();
    in_loop([this] {
        auto& here = commands_->shown.modules[0].nodes[1];
        here.state = "waiting";
        here.readiness = "blocked";
        here.reason_code = "peer-first";
        here.reason = "node1 was primary.";
        commands_->answer =
            tl::unexpected(clusterd::CommandError{"peer-first", "Not now. node1 was primary."});
        face_->changed();
    });
    auto options = shop();
    options.wait = false;
    EXPECT_EQ(play(run_start, options),
              "1 Not now. node1 was primary.\n    hamirrorctl start web-shop on the other node");
}

TEST_F(Verbs, TheWitnessIsRemovedByTheDaemons) {
    serve();
    in_loop([this] { commands_->answer = "Recorded.\n"; });
    EXPECT_EQ(play(run_witness_remove, {}), "Recorded.\n");
    in_loop([this] {
        EXPECT_EQ(commands_->orders, std::vector<std::string>{"set-witness none"});
        commands_->answer = tl::unexpected(clusterd::CommandError{"Busy", "Try again."});
    });
    EXPECT_EQ(play(run_witness_remove, {}), "1 Try again.");
}

TEST_F(Verbs, NoTokenIsAskedForWhileTheWitnessCannotBeRecorded) {
    Options options;
    options.host = "203.0.113.5";
    if (geteuid() != 0) {
        EXPECT_EQ(play(run_witness_add, options), "1 Only root may do this: repeat it with sudo.");
        return;
    }
    EXPECT_EQ(play(run_witness_add, options).substr(0, 2), "3 ");
    serve();
    EXPECT_EQ(play(run_witness_add, options),
              "1 node1 is not connected, and both nodes must record the witness. See: hamirrorctl "
              "cluster status");
    in_loop([this] {
        commands_->shown.paired = false;
        face_->changed();
    });
    EXPECT_EQ(play(run_witness_add, options).substr(0, 30), "1 This node is not paired yet,");
}

TEST_F(Verbs, LogsOfNoModuleAreRefused) {
    Options options;
    options.module = "nothing";
    EXPECT_EQ(play(run_logs, options).substr(0, 2), "3 ");
    serve();
    EXPECT_EQ(play(run_logs, options),
              "1 There is no module nothing; `hamirrorctl status` lists them.");
    in_loop([this] { commands_->shown.modules.push_back(clusterd::FakeCommands::module("-f")); });
    in_loop([this] { face_->changed(); });
    options.module = "-f";
    EXPECT_EQ(play(run_logs, options), "1 '-f' is not the name of a module.");
}

TEST_F(Verbs, WaitingOutlivesTheBus) {
    serve();
    std::thread outage([this] {
        usleep(200'000);
        bus_->stop();
        in_loop([this] { commands_->shown.modules[0].nodes[1].readiness = "ready"; });
        bus_->start();
    });
    auto options = shop();
    options.timeout_s = 10;
    EXPECT_EQ(play(run_start, options), "node2 is secondary/ready: The copy is being compared.\n");
    outage.join();
}

}  // namespace
}  // namespace ha::ctl
