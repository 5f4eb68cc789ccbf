// One module between its machine and the daemon around it: which orders go to whom, and when.
#include "clusterd/module.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "clusterd/translate.h"
#include "core/config/rules.h"
#include "io/clock.h"

namespace ha::clusterd {
namespace {

using api::WorkerKind;
using cluster::InSync;
using cluster::Node;
using cluster::Phase;

cluster::Decision lone_decision() {
    cluster::Decision decision;
    decision.number = Epoch{1};
    decision.id = {7, 7};
    decision.primary = Node::First;
    decision.in_sync = InSync::only(Node::First);
    return decision;
}

class ModuleTest : public testing::Test {
  protected:
    void SetUp() override {
        char name[] = "/tmp/module-test-XXXXXX";
        ASSERT_NE(mkdtemp(name), nullptr);
        directory_ = name;
        store_.emplace(loop_, directory_);
        config_.name = "db";
        config_.replicate = {{"/srv/db", {}}};
        config_.units = {"db.service"};
        cluster_.nodes = {{"node1", {"192.0.2.1"}}, {"node2", {"192.0.2.2"}}};
        record_.wanted = true;
        record_.module_id = {1, 2};
        record_.chain.append({lone_decision(), true, cluster::Confirmation::Birth});
    }
    void TearDown() override {
        module_.reset();
        store_.reset();
        std::filesystem::remove_all(directory_);
    }

    ModuleOutside outside() {
        ModuleOutside result;
        result.lease = *io::LeasePage::open("db", directory_ + "/lease");
        result.send_report = [this](const cluster::Report& report) {
            reports_.push_back(report);
            return true;
        };
        result.ask_witness = [this](const cluster::AskWitness& order) {
            exchanges_.push_back(order);
        };
        result.send_order = [this](WorkerKind, const api::Order& order) {
            orders_.push_back(order);
            return true;
        };
        result.run_replicator = [this](bool start, std::function<void(std::string)> failed) {
            runs_.push_back(start);
            run_failed_ = std::move(failed);
        };
        result.replicator = [this] { return process_; };
        result.replicator_runs = [this](std::function<void(bool)> answer) {
            ++asked_;
            answer(unit_runs_);
        };
        result.changed = [this] {
            if (module_ && module_->stopped()) ++seen_stopped_;
        };
        return result;
    }
    void make() {
        module_ = std::make_unique<Module>(loop_, *store_, config_, cluster_, Node::First, record_,
                                           Id128{9, 9}, outside());
        module_->begin();
    }
    template <typename Order>
    [[nodiscard]] int count() const {
        int found = 0;
        for (const auto& order : orders_) found += std::holds_alternative<Order>(order) ? 1 : 0;
        return found;
    }
    void run_until(const std::function<bool()>& true_now, Duration limit = 5s) {
        const auto began = io::boot_now();
        while (!true_now() && io::boot_now() < began + limit)
            EXPECT_GE(sd_event_run(loop_.raw(), 10'000), 0);
        EXPECT_TRUE(true_now()) << "not within the limit";
    }
    void run_for(Duration time) {
        run_until([until = io::boot_now() + time] { return io::boot_now() > until; });
    }
    void hello() {
        process_ = MirrorProcess::Connected;
        module_->replicator_up();
    }
    void gone() {
        bool expected = process_ == MirrorProcess::Leaving;
        process_ = MirrorProcess::Away;
        module_->replicator_gone("it left", expected);
    }
    /// The record says that the other node is in S, too.
    void join() {
        cluster::Decision joined = lone_decision();
        joined.number = Epoch{2};
        joined.id = {8, 8};
        joined.parent = {7, 7};
        joined.in_sync = InSync::both();
        record_.chain.append({joined, true, cluster::Confirmation::PeerConsent});
    }
    /// A mirror that serves already, as after a restart of clusterd alone.
    void reopen_serving() {
        make();
        unit_runs_ = true;
        module_->workers_ready();
        run_until([&] { return asked_ > 0; });
        hello();
        api::MirrorOpened opened;
        opened.marker = api::Marker::Valid;
        opened.serving = true;
        opened.term = {5, 5};
        module_->fact(opened);
        run_until([&] { return count<api::ServeMirror>() > 0; });
    }

    io::Loop loop_;
    std::string directory_;
    std::optional<RecordStore> store_;
    config::ModuleConfig config_;
    config::ClusterConfig cluster_;
    cluster::Record record_;
    MirrorProcess process_ = MirrorProcess::Away;
    bool unit_runs_ = false;
    int asked_ = 0;
    std::vector<api::Order> orders_;
    std::vector<cluster::AskWitness> exchanges_;
    std::vector<cluster::Report> reports_;
    std::vector<bool> runs_;  // what systemd was asked: true is start
    std::function<void(std::string)> run_failed_;
    std::unique_ptr<Module> module_;
    int seen_stopped_ = 0;  // changed() was called and the module was stopped
};

TEST_F(ModuleTest, AProbeOfTheAddressesIsAskedAndAnswered) {
    config_.virtual_ips = {"192.0.2.10/24"};
    const auto asked = translate(cluster::ProbeAddresses{7}, config_, {});
    ASSERT_TRUE(asked);
    EXPECT_EQ(asked->kind, WorkerKind::Vip);
    const auto& order = std::get<api::ProbeAddresses>(asked->order);
    EXPECT_EQ(order.module, "db");
    EXPECT_EQ(order.token, 7U);
    EXPECT_EQ(order.addresses, config_.virtual_ips);
    const auto event =
        to_event(api::AddressesProbed{"db", 7, "192.0.2.10", "02:00:00:00:00:01", true, "trouble"});
    ASSERT_TRUE(event);
    const auto& answer = std::get<cluster::AddressesProbed>(*event);
    EXPECT_EQ(answer.token, 7U);
    EXPECT_EQ(answer.taken, "192.0.2.10");
    EXPECT_EQ(answer.mac, "02:00:00:00:00:01");
    EXPECT_TRUE(answer.asked);
    EXPECT_EQ(answer.trouble, "trouble");
}

TEST_F(ModuleTest, ARestartOfClusterdLeavesAddressesAndUnitsAlone) {
    make();
    module_->worker_up(WorkerKind::Vip);
    module_->worker_up(WorkerKind::Watchdog);
    unit_runs_ = true;
    module_->workers_ready();
    run_until([&] { return asked_ > 0; });
    run_for(500ms);  // the mirror's back-off
    EXPECT_EQ(count<api::StopUnits>(), 0);
    hello();
    EXPECT_EQ(count<api::OpenMirror>(), 1);
    run_for(2500ms);
    EXPECT_EQ(count<api::StopUnits>(), 0);
    EXPECT_EQ(count<api::DropAddresses>(), 0);
}

TEST_F(ModuleTest, WhatTwoMayHoldIsHeldUnderALeaseThatWorkersEnforce) {
    join();
    auto page = io::LeasePage::open("db", directory_ + "/lease");
    ASSERT_TRUE(page);
    (*page)->lease().confirm(Lease::By::Heartbeat, io::boot_now());
    reopen_serving();
    EXPECT_TRUE((*page)->lease().bounded());
    EXPECT_GE(count<api::LookAtLease>(), 1);
    EXPECT_EQ(count<api::KillUnits>(), 0);
    // Nobody confirms anything, and by the policy this node goes on alone, when its copy is
    // durable.
    run_until([&] { return count<api::MakeDurable>() > 0 || count<api::KillUnits>() > 0; });
    EXPECT_EQ(count<api::KillUnits>(), 0);
}

TEST_F(ModuleTest, ALeaseThatRunsOutEndsWhatItAllowed) {
    join();
    record_.witness = {3, 3};
    cluster_.witness.emplace();
    cluster_.witness->store = {3, 3};
    const auto held = io::boot_now();
    auto page = io::LeasePage::open("db", directory_ + "/lease");
    ASSERT_TRUE(page);
    (*page)->lease().confirm(Lease::By::Heartbeat, held);
    reopen_serving();
    module_->confirmed(held);
    run_until([&] { return count<api::KillUnits>() > 0; });
    EXPECT_GE(io::boot_now(), held + config_.timing.demote_after);
    EXPECT_EQ(count<api::DropAddresses>(), 1);
    EXPECT_EQ(count<api::FailHeld>(), 1);
}

TEST_F(ModuleTest, ALeaseEndsNoSoonerThanTheDiskKnowsWhy) {
    record_.stopped_together = record_.chain.head().decision.id;
    auto page = io::LeasePage::open("db", directory_ + "/lease");
    ASSERT_TRUE(page);
    Lease& lease = (*page)->lease();
    lease.begin(io::boot_now(), 1h);
    make();
    unit_runs_ = true;
    module_->workers_ready();
    run_until([&] { return asked_ > 0; });
    hello();
    api::MirrorOpened opened;
    opened.marker = api::Marker::Valid;
    opened.serving = true;
    opened.term = {5, 5};
    module_->fact(opened);
    EXPECT_EQ(module_->machine().phase(), Phase::Promoting);
    EXPECT_EQ(count<api::ServeMirror>(), 0) << "the record is being saved";
    EXPECT_TRUE(lease.bounded()) << "what a ha-clusterd after this one would find is not that yet";
    run_until([&] { return count<api::ServeMirror>() > 0; });
    EXPECT_FALSE(lease.bounded());
}

TEST_F(ModuleTest, TheOtherNodeIsToldByWhichRulesThisOneDecides) {
    make();
    ASSERT_FALSE(reports_.empty());
    EXPECT_EQ(reports_.back().rules, config::rules_digest(config_));
}

TEST_F(ModuleTest, UnitsAreStoppedBeforeAMirrorIsMounted) {
    make();
    module_->workers_ready();
    run_until([&] { return count<api::StopUnits>() == 1; });
    EXPECT_TRUE(runs_.empty());
    module_->fact(api::UnitsStopped{"db"});
    EXPECT_EQ(runs_, std::vector<bool>{true});
}

TEST_F(ModuleTest, AMirrorThatRunsAndNeverSaysHelloIsNotWaitedForForEver) {
    make();
    unit_runs_ = true;
    module_->workers_ready();
    run_until([&] { return count<api::StopUnits>() == 1; });
}

TEST_F(ModuleTest, AModuleThatIsNotServedHereDropsWhatAnEarlierProcessHeld) {
    record_.wanted = false;
    make();
    module_->worker_up(WorkerKind::Vip);
    EXPECT_GE(count<api::DropAddresses>(), 1);
}

TEST_F(ModuleTest, AfterACrashTheMirrorIsOpenedWhenTheUnitsAreGone) {
    reopen_serving();
    orders_.clear();
    gone();
    run_until([&] { return count<api::KillUnits>() == 1; });
    hello();
    EXPECT_EQ(count<api::OpenMirror>(), 0);
    module_->fact(api::AddressesDropped{"db"});
    module_->fact(api::UnitsGone{"db"});
    run_until([&] { return count<api::OpenMirror>() == 1; });
}

TEST_F(ModuleTest, AProcessThatWasToldToLeaveIsGivenNoOrder) {
    record_.wanted = false;
    make();
    process_ = MirrorProcess::Leaving;
    module_->command(cluster::StartRequested{}, [](const auto&) {});
    run_for(200ms);
    EXPECT_EQ(count<api::OpenMirror>(), 0);
    gone();
    run_until([&] { return count<api::StopUnits>() == 1; });
    module_->fact(api::UnitsStopped{"db"});
    hello();
    EXPECT_EQ(count<api::OpenMirror>(), 1);
}

TEST_F(ModuleTest, AProcessThatSystemdDidNotStopIsUsed) {
    record_.wanted = false;
    make();
    process_ = MirrorProcess::Connected;
    module_->replicator_up();  // a stray: closed, then stopped
    EXPECT_EQ(count<api::CloseMirror>(), 1);
    module_->fact(api::MirrorClosed{});
    ASSERT_EQ(runs_, std::vector<bool>{false});
    process_ = MirrorProcess::Leaving;
    module_->command(cluster::StartRequested{}, [](const auto&) {});
    run_for(200ms);
    process_ = MirrorProcess::Connected;
    run_failed_("no answer");
    EXPECT_EQ(count<api::OpenMirror>(), 1);
}

TEST_F(ModuleTest, AMirrorThatStopsTogetherIsToldSo) {
    record_.wanted = false;
    make();
    module_->replicator_up();
    record_.stopped_together = record_.chain.head().decision.id;
    make();
    module_->replicator_up();
    ASSERT_EQ(count<api::CloseMirror>(), 2);
    std::vector<bool> together;
    for (const auto& order : orders_) {
        const auto* close = std::get_if<api::CloseMirror>(&order);
        if (close == nullptr) continue;
        together.push_back(close->together);
        EXPECT_EQ(close->paths, std::vector<std::string>{"/srv/db"});
    }
    EXPECT_EQ(together, (std::vector<bool>{false, true}));
}

/// The figures go by heartbeat: no report is sent for them.
TEST_F(ModuleTest, WhatBothChangedAloneIsTold) {
    cluster::ChainEntry forked;
    forked.decision = lone_decision();
    forked.decision.number = Epoch{2};
    forked.decision.id = {8, 1};
    forked.decision.parent = {7, 7};
    forked.used = true;
    record_.chain.append(forked);
    reopen_serving();
    const auto sent = reports_.size();
    module_->fact(api::ChangedAlone{{8, 1}, 12, 4096, false});
    EXPECT_EQ(reports_.size(), sent);
    EXPECT_EQ(module_->beat(io::boot_now()).alone, (api::ChangedAlone{{8, 1}, 12, 4096, false}));
    cluster::Report theirs;
    theirs.module_id = record_.module_id;
    theirs.chain.append({lone_decision(), true, cluster::Confirmation::Birth});
    forked.decision.id = {8, 2};
    forked.decision.primary = Node::Second;
    forked.decision.in_sync = InSync::only(Node::Second);
    theirs.chain.append(forked);
    theirs.activity = cluster::Activity::Waiting;
    theirs.reason_code = "diverged";
    theirs.reason = "Both served.";
    module_->report(theirs);
    EXPECT_EQ(module_->view().nodes[1].reason,
              "Changed alone: node1: 12 operations, 4096 bytes written; node2: not known. Both "
              "served.");
    ModuleBeat beat;
    beat.module = "db";
    beat.heard_age = 0ms;
    beat.alone = {{8, 2}, 1, 7, true};
    module_->heard(&beat);
    const ModuleView view = module_->view();
    EXPECT_EQ(view.nodes[1].reason,
              "Changed alone: node1: 12 operations, 4096 bytes written; node2: at least 1 "
              "operation, 7 bytes written. Both served.");
    EXPECT_FALSE(view.nodes[0].changed_alone->at_least);
    EXPECT_EQ(view.known.decision, (Id128{8, 1}));
    EXPECT_EQ(view.known.peer_decision, (Id128{8, 2}));
    EXPECT_TRUE(view.known.peer_seen);
    EXPECT_EQ(view.known_in_sync, std::vector<std::string>{"node1"});
    beat.alone = {};
    module_->heard(&beat);
    EXPECT_FALSE(module_->view().nodes[1].changed_alone) << "it is in sync again";
}

TEST_F(ModuleTest, AModuleMayGoWhileItsRecordIsSaved) {
    make();
    module_->workers_ready();
    module_.reset();
    run_for(200ms);
    EXPECT_TRUE(std::filesystem::exists(directory_ + "/db.record"));
}

/// ha-clusterd ends when all have stopped; on a lone node nothing else comes that makes it look.
TEST_F(ModuleTest, ALoneModuleThatStoppedIsNoticed) {
    reopen_serving();
    module_->fact(api::MirrorServing{{5, 5}, {7, 7}});
    module_->fact(api::AddressesHeld{"db"});
    module_->fact(api::UnitsStarted{"db"});
    run_for(3500ms);  // the peer is silent and overdue
    cluster::StopRequested stop;
    stop.shutdown = true;
    module_->command(stop, [](const auto&) {});
    module_->fact(api::UnitsStopped{"db"});
    module_->fact(api::Drained{});
    module_->fact(api::AddressesDropped{"db"});
    run_until([&] { return count<api::CloseMirror>() == 1; });
    module_->fact(api::MirrorClosed{});
    process_ = MirrorProcess::Leaving;
    gone();
    run_until([&] { return seen_stopped_ > 0; });
    EXPECT_GT(seen_stopped_, 0);
}

/// R14 between the machine and the witness: what is configured is pending, installed by an
/// exchange, and in force when it is shown; status says so.
TEST_F(ModuleTest, AWitnessIsAddedWhileTheModuleIsServed) {
    reopen_serving();
    const auto& head = record_.chain.head().decision;
    module_->fact(api::MirrorServing{{5, 5}, head.id});
    module_->fact(api::AddressesHeld{"db"});
    module_->fact(api::UnitsStarted{"db"});
    config::WitnessConfig witness;
    witness.addresses = {"192.0.2.9"};
    witness.store = {4, 4};
    module_->witness_configured(witness);
    EXPECT_TRUE(exchanges_.empty());
    EXPECT_EQ(module_->view().witness,
              "added, in force once both nodes have met; NOT reached: it has not answered yet");
    module_->witness_shown(std::nullopt);
    run_until([&] { return !exchanges_.empty(); });
    ASSERT_EQ(exchanges_.size(), 1U);
    EXPECT_TRUE(exchanges_[0].expected.none());
    module_->witness_shown(exchanges_[0].value);
    EXPECT_EQ(module_->view().witness, "decides when the nodes do not see each other; it answers");
    EXPECT_EQ(reports_.back().witness_configured, witness.store);
    run_until([&] { return reports_.back().witness == witness.store; });
    module_->witness_lost("no route");
    EXPECT_EQ(module_->view().witness,
              "decides when the nodes do not see each other; NOT reached: no route");
}

}  // namespace
}  // namespace ha::clusterd
