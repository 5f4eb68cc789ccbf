// What is etcd's own beside the contract: several members, its users, its backups.

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <optional>

#include "etcd_cluster.h"
#include "io/boot_id.h"
#include "io/clock.h"
#include "register_world.h"

namespace ha::witness {
namespace {

using ports::RegisterAnswer;
using ports::RegisterOutcome;
using ports::RegisterRefusal;
using ports::RegisterStamp;
using ports::RegisterValue;

RegisterValue value() {
    const Id128 id = io::random_id();
    return {id, std::vector<std::byte>(200, std::byte{'x'})};
}

class Etcd : public testing::Test {
  protected:
    io::Loop loop_;

    void turn_until(const std::function<bool()>& done, Duration limit = 60s) {
        const Instant end = io::boot_now() + limit;
        while (!done() && io::boot_now() < end) ASSERT_GE(sd_event_run(loop_.raw(), 1000), 0);
        ASSERT_TRUE(done());
    }
    RegisterAnswer ask(ports::Register& witness, ports::RegisterRequest request,
                       Duration patience = 10s) {
        std::optional<RegisterAnswer> answer;
        witness.ask(std::move(request), io::boot_now() + patience,
                    [&](const RegisterAnswer& given) { answer = given; });
        turn_until([&] { return answer.has_value(); });
        return answer.value_or(RegisterAnswer{});
    }
    RegisterAnswer read(ports::Register& witness, RegisterStamp seen = {}) {
        return ask(witness, {"m", seen, std::nullopt});
    }
    RegisterAnswer exchange(ports::Register& witness, const Id128& expected,
                            const RegisterValue& next, Duration patience = 10s) {
        return ask(witness, {"m", {}, ports::RegisterExchange{expected, next}}, patience);
    }
    std::unique_ptr<io::EtcdRegister> open(const io::EtcdRecord& record) {
        return std::make_unique<io::EtcdRegister>(loop_, record);
    }
};

// ---- three members

/// A node that makes one decision after the other on what it was shown last, and remembers each.
class Node {
  public:
    struct Made {
        Id128 expected;
        RegisterAnswer answer;
        int uncertain = 0;
    };

    Node(io::Loop& loop, const io::EtcdRecord& record, std::map<Id128, Made>& made)
        : register_(loop, record), made_(made) {}

    void go_on() { decide(value()); }
    void stop() { stopping_ = true; }
    [[nodiscard]] bool stopped() const { return stopped_; }
    int won = 0;

  private:
    void decide(const RegisterValue& next) {
        register_.exchange("m", {}, shown_, next, io::boot_now() + 1500ms,
                           [this, next](const RegisterAnswer& answer) { told(next, answer); });
    }
    void told(const RegisterValue& next, const RegisterAnswer& answer) {
        Made& made = made_[next.id];
        made.expected = shown_;
        made.answer = answer;
        // Settled by repeating it, or never begun: the same again.
        if (answer.outcome == RegisterOutcome::Uncertain) {
            ++made.uncertain;
            return decide(next);
        }
        if (answer.outcome == RegisterOutcome::Refused) {
            ASSERT_EQ(answer.refusal, RegisterRefusal::Unreachable) << answer.text;
            return decide(next);
        }
        if (answer.outcome == RegisterOutcome::Won) ++won;
        shown_ = answer.current ? answer.current->id : Id128{};
        stopped_ = stopping_;
        if (!stopped_) go_on();
    }

    io::EtcdRegister register_;
    std::map<Id128, Made>& made_;
    Id128 shown_;
    bool stopping_ = false;
    bool stopped_ = false;
};

/// The ids the register has shown, from etcd's own memory of every change.
std::vector<Id128> history(const EtcdCluster& etcd, const Id128& store) {
    const auto key = etcd.record(store).store.module_key("m");
    // watch(1) of etcdctl has no end.
    const auto text = etcd.ctl("watch --rev=1 " + key + " & sleep 3; kill $!");
    std::vector<Id128> out;
    for (std::size_t at = 0; at < text.size();) {
        const auto end = std::min(text.find('\n', at), text.size());
        if (auto id = Id128::parse(text.substr(at, end - at))) out.push_back(*id);
        at = end + 1;
    }
    return out;
}

TEST_F(Etcd, TwoNodesRaceWhileLeadersAreKilled) {
    EtcdCluster etcd(3);
    const Id128 store = etcd.set_up();
    std::map<Id128, Node::Made> made;
    Node nodes[2] = {{loop_, etcd.record(store), made}, {loop_, etcd.record(store), made}};
    for (auto& node : nodes) node.go_on();
    for (int kill = 0; kill < 6; ++kill) {
        const int before = nodes[0].won + nodes[1].won;
        turn_until([&] { return nodes[0].won + nodes[1].won >= before + 15; });
        const int leader = etcd.leader();
        ASSERT_GE(leader, 0);
        turn_until([end = io::boot_now() + std::chrono::milliseconds(io::random_id().low % 40)] {
            return io::boot_now() >= end;
        });
        etcd.kill(leader);
        const int then = nodes[0].won + nodes[1].won;
        turn_until([&] { return nodes[0].won + nodes[1].won >= then + 5; });
        etcd.start(leader);
    }
    for (auto& node : nodes) node.stop();
    turn_until([&] { return nodes[0].stopped() && nodes[1].stopped(); });

    const auto shown = history(etcd, store);
    int won = 0, lost = 0, overtaken = 0, uncertain = 0;
    std::map<Id128, std::size_t> place;
    for (std::size_t i = 0; i < shown.size(); ++i) {
        EXPECT_TRUE(place.emplace(shown[i], i).second) << "an exchange was done twice";
        ASSERT_TRUE(made.contains(shown[i]));
        EXPECT_EQ(made[shown[i]].expected, i == 0 ? Id128{} : shown[i - 1]) << "out of turn";
    }
    for (const auto& [id, each] : made) {
        uncertain += each.uncertain;
        const bool done = place.contains(id);
        if (each.answer.outcome == RegisterOutcome::Won) {
            ++won;
            EXPECT_TRUE(done) << "told that it won, and never shown";
        } else {
            ++lost;
            ASSERT_TRUE(each.answer.current);
            ASSERT_TRUE(place.contains(each.answer.current->id)) << "obeys what was never shown";
            // It may have won by a sending without an answer, and been followed before the next.
            if (done) {
                ++overtaken;
                EXPECT_GT(place[each.answer.current->id], place[id]);
            }
        }
    }
    EXPECT_EQ(static_cast<std::size_t>(won + overtaken), shown.size());
    EXPECT_GT(nodes[0].won, 0);
    EXPECT_GT(nodes[1].won, 0);
    std::cout << "exchanges won " << won << ", lost " << lost << " (of them overtaken " << overtaken
              << "), uncertain answers " << uncertain << ", leaders killed 6\n";
}

TEST_F(Etcd, WithoutAQuorumNothingIsWonUntilItIsBack) {
    EtcdCluster etcd(3);
    const auto node = open(etcd.record(etcd.set_up()));
    const auto first = value();
    ASSERT_EQ(exchange(*node, {}, first).outcome, RegisterOutcome::Won);
    etcd.kill(0);
    etcd.kill(1);
    const auto second = value();
    // Unreachable where the member that is left had not heard of the token yet: without a quorum
    // there are no others. Uncertain where it took the request.
    const auto nobody_says = [](const RegisterAnswer& answer) {
        return answer.outcome == RegisterOutcome::Uncertain ||
               answer.refusal == RegisterRefusal::Unreachable;
    };
    EXPECT_PRED1(nobody_says, exchange(*node, first.id, second, 2s));
    EXPECT_PRED1(nobody_says, ask(*node, {"m", {}, std::nullopt}, 2s));
    etcd.start(0);
    EXPECT_EQ(exchange(*node, first.id, second, 50s).outcome, RegisterOutcome::Won);
}

TEST_F(Etcd, AnEndpointThatIsDownOrFrozenIsPassedOver) {
    EtcdCluster etcd(1);
    auto record = etcd.record(etcd.set_up());
    EtcdCluster other(1);
    record.endpoints.insert(record.endpoints.begin(), other.record({}).endpoints.front());
    other.freeze();
    auto node = open(record);
    auto before = io::boot_now();
    EXPECT_EQ(read(*node).outcome, RegisterOutcome::Shown);
    const Duration passed_over = io::boot_now() - before;  // a second's patience and the login
    EXPECT_LT(passed_over, 10s);
    before = io::boot_now();
    EXPECT_EQ(read(*node).outcome, RegisterOutcome::Shown) << "the one that works is kept";
    EXPECT_LT(io::boot_now() - before, passed_over);
    other.kill();
    node = open(record);
    EXPECT_EQ(read(*node).outcome, RegisterOutcome::Shown);
}

// ---- who may

TEST_F(Etcd, AStoreIsSetUpOnce) {
    EtcdCluster etcd(1);
    const Id128 store = etcd.set_up();
    auto node = open(etcd.record(store));
    auto won = exchange(*node, {}, value());
    std::optional<RegisterAnswer> again;
    node->set_up(io::boot_now() + 10s, [&](const auto& given) { again = given; });
    turn_until([&] { return again.has_value(); });
    EXPECT_EQ(again->outcome, RegisterOutcome::Shown);
    EXPECT_EQ(again->stamp, won.stamp);
    EXPECT_EQ(read(*open(etcd.record(io::random_id()))).refusal, RegisterRefusal::NotPaired);
}

TEST_F(Etcd, WhoMayNotIsRefused) {
    EtcdCluster etcd(1);
    const auto good = etcd.record(etcd.set_up());
    auto record = good;
    record.password_file = etcd.directory() + "/wrong";
    std::ofstream(record.password_file) << "wrong";
    std::filesystem::permissions(record.password_file, std::filesystem::perms::owner_read);
    EXPECT_EQ(read(*open(record)).refusal, RegisterRefusal::NotPaired);
    record = good;
    record.user.clear();
    EXPECT_EQ(read(*open(record)).refusal, RegisterRefusal::NotPaired);
    record = good;
    record.store.prefix = "/elsewhere";
    auto answer = read(*open(record));
    EXPECT_EQ(answer.refusal, RegisterRefusal::NotPaired);
    EXPECT_NE(answer.text.find("permission denied"), std::string::npos) << answer.text;
    (void)etcd.ctl("auth disable");
    EXPECT_EQ(read(*open(good)).refusal, RegisterRefusal::NotPaired);
}

TEST_F(Etcd, WithoutTrustNothingIsSent) {
    EtcdCluster etcd(1);
    const auto good = etcd.record(etcd.set_up());
    auto refusal = [&](const io::EtcdRecord& record) {
        return ask(*open(record), {"m", {}, std::nullopt}, 700ms).refusal;
    };
    auto record = good;
    record.files.authorities.clear();  // the system's do not know it
    EXPECT_EQ(refusal(record), RegisterRefusal::Unreachable);
    record = good;
    record.files.certificate = "/nonexistent.pem";
    EXPECT_EQ(refusal(record), RegisterRefusal::Unreachable);
    record = good;
    record.endpoints.front().replace(0, 5, "http");
    EXPECT_EQ(refusal(record), RegisterRefusal::Unreachable);
    record = good;
    record.files.certificate.clear();
    record.files.key.clear();
    EXPECT_FALSE(ask(*open(record), {"m", {}, std::nullopt}, 700ms).current);
}

TEST_F(Etcd, AForgottenTokenIsFetchedAnew) {
    EtcdCluster etcd(1);
    auto node = open(etcd.record(etcd.set_up()));
    const auto first = value();
    ASSERT_EQ(exchange(*node, {}, first).outcome, RegisterOutcome::Won);
    (void)etcd.ctl("user passwd hamirror --interactive=false < " + etcd.directory() + "/password");
    const auto second = value();
    EXPECT_EQ(exchange(*node, first.id, second).outcome, RegisterOutcome::Won);
    etcd.kill();
    etcd.start();
    EXPECT_EQ(exchange(*node, second.id, value()).outcome, RegisterOutcome::Won);
}

// ---- what becomes of what it keeps

TEST_F(Etcd, ARestoredSnapshotIsBehind) {
    EtcdCluster etcd(1);
    const Id128 store = etcd.set_up();
    auto node = open(etcd.record(store));
    const auto first = value();
    const auto saved = exchange(*node, {}, first);
    (void)etcd.ctl("snapshot save " + etcd.directory() + "/snapshot");
    const auto second = value();
    const auto won = exchange(*node, first.id, second);
    ASSERT_EQ(won.outcome, RegisterOutcome::Won);
    etcd.kill();
    std::filesystem::remove_all(etcd.data());
    (void)etcd.ctl("snapshot restore " + etcd.directory() + "/snapshot " + etcd.restore_options());
    etcd.start();
    auto unseen = read(*open(etcd.record(store)));
    EXPECT_EQ(unseen.stamp, saved.stamp) << "the counter is in the snapshot";
    EXPECT_EQ(unseen.current, first);
    // Its token is from before, and the first sending stays without an answer: uncertain.
    const auto third = value();
    auto told = exchange(*node, second.id, third);
    if (told.outcome == RegisterOutcome::Uncertain) told = exchange(*node, second.id, third);
    EXPECT_EQ(told.refusal, RegisterRefusal::Behind) << told.text;
    EXPECT_EQ(exchange(*open(etcd.record(store)), first.id, value()).refusal,
              RegisterRefusal::Behind);
}

TEST_F(Etcd, CompactionAndOtherWritersChangeNothing) {
    EtcdCluster etcd(1);
    const Id128 store = etcd.set_up();
    auto node = open(etcd.record(store));
    const auto first = value();
    const auto won = exchange(*node, {}, first);
    for (int i = 0; i < 5; ++i) (void)etcd.ctl("put other " + std::to_string(i));
    (void)etcd.ctl("compaction 7");
    auto shown = read(*node, won.stamp);
    EXPECT_EQ(shown.current, first);
    EXPECT_EQ(shown.stamp, won.stamp);
    EXPECT_EQ(exchange(*node, first.id, value()).stamp.counter, won.stamp.counter + 1);
}

TEST_F(Etcd, AModuleThatWasWrittenOverIsDamaged) {
    EtcdCluster etcd(1);
    const auto record = etcd.record(etcd.set_up());
    auto node = open(record);
    (void)etcd.ctl("put " + record.store.module_key("m") + " by-hand");
    EXPECT_EQ(read(*node).refusal, RegisterRefusal::Damaged);
    EXPECT_EQ(exchange(*node, {}, value()).refusal, RegisterRefusal::Damaged);
    (void)etcd.ctl("put " + record.store.own_key() + " 'hamirror-register 2 more'");
    EXPECT_EQ(read(*node).refusal, RegisterRefusal::Version);
}

TEST_F(Etcd, AFullEtcdIsUnwritableAndGoesOnWhenThereIsRoom) {
    EtcdCluster etcd(1);
    const Id128 store = etcd.set_up();
    auto node = open(etcd.record(store));
    const auto first = value();
    ASSERT_EQ(exchange(*node, {}, first).outcome, RegisterOutcome::Won);
    etcd.kill();
    etcd.set_options({"--quota-backend-bytes=1000"});
    etcd.start();
    EXPECT_EQ(exchange(*node, first.id, value()).refusal, RegisterRefusal::Unwritable);
    EXPECT_EQ(read(*node).current, first);
    etcd.kill();
    etcd.set_options({});
    etcd.start();
    (void)etcd.ctl("alarm disarm");
    EXPECT_EQ(exchange(*node, first.id, value()).outcome, RegisterOutcome::Won);
}

// ---- figures, for docs/etcd.md

class Latency : public Etcd {
  protected:
    void measure(const char* what, ports::Register& witness) {
        std::vector<Duration> took;
        RegisterValue last;
        for (int i = 0; i < 200; ++i) {
            const auto next = value();
            const auto before = io::boot_now();
            ASSERT_EQ(exchange(witness, last.id, next).outcome, RegisterOutcome::Won);
            took.push_back(io::boot_now() - before);
            last = next;
        }
        std::sort(took.begin(), took.end());
        auto ms = [&](std::size_t at) {
            return std::chrono::duration<double, std::milli>(took[at]).count();
        };
        std::cout << what << ": exchange median " << ms(100) << " ms, p99 " << ms(197)
                  << " ms of 200\n";
    }
};

TEST_F(Latency, OfAnExchange) {
    {
        auto world = witness_world();
        measure("hamirror-witness", *world->open(loop_, 0));
    }
    for (int members : {1, 3}) {
        EtcdCluster etcd(members);
        measure(members == 1 ? "etcd, one member" : "etcd, three members",
                *open(etcd.record(etcd.set_up())));
    }
}

}  // namespace
}  // namespace ha::witness
