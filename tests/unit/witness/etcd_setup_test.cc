// How a pair is given an etcd, against the real one: what is asked before anything is recorded, and
// which etcd it is that answers.

#include "io/etcd_setup.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <optional>

#include "etcd_cluster.h"
#include "io/boot_id.h"
#include "io/clock.h"
#include "io/etcd_config.h"

namespace ha::witness {
namespace {

using ports::RegisterAnswer;
using ports::RegisterOutcome;
using ports::RegisterRefusal;

class EtcdSetUp : public testing::Test {
  protected:
    io::Loop loop_;

    void turn_until(const std::function<bool()>& done, Duration limit = 30s) {
        const Instant end = io::boot_now() + limit;
        while (!done() && io::boot_now() < end) ASSERT_GE(sd_event_run(loop_.raw(), 1000), 0);
        ASSERT_TRUE(done());
    }
    RegisterAnswer exchange(const io::EtcdRecord& record, const Id128& expected, const Id128& next,
                            Duration patience = 10s) {
        io::EtcdRegister etcd(loop_, record);
        std::optional<RegisterAnswer> answer;
        etcd.ask({"m", {}, ports::RegisterExchange{expected, {next, {}}}},
                 io::boot_now() + patience, [&](const RegisterAnswer& given) { answer = given; });
        turn_until([&] { return answer.has_value(); });
        return answer.value_or(RegisterAnswer{});
    }
    Result<> probe(const config::WitnessConfig& witness) {
        std::optional<Result<>> told;
        std::unique_ptr<io::EtcdProbe> probe;
        probe = std::make_unique<io::EtcdProbe>(loop_, witness, [&](const Result<>& given) {
            probe.reset();
            told = given;
        });
        EXPECT_FALSE(told) << "told from within the call";
        turn_until([&] { return told.has_value(); });
        return *told;
    }
    /// As `hamirrorctl witness add` asks for it.
    static config::WitnessConfig wanted(const EtcdCluster& etcd) {
        const auto record = etcd.record({});
        config::WitnessConfig out;
        out.etcd.emplace();
        out.etcd->endpoints = record.endpoints;
        out.etcd->ca = record.files.authorities;
        out.etcd->certificate = record.files.certificate;
        out.etcd->key = record.files.key;
        out.etcd->user = record.user;
        out.etcd->password_file = record.password_file;
        out.addresses.assign(record.endpoints.size(), "127.0.0.1");
        return out;
    }
};

TEST_F(EtcdSetUp, AStoreIsMadeOnceAndTriedByEachNode) {
    EtcdCluster etcd(1);
    const auto made = io::set_up_etcd(wanted(etcd), std::nullopt);
    ASSERT_TRUE(made) << made.error().text;
    const auto& witness = made->witness;
    EXPECT_FALSE(witness.store.none());
    EXPECT_TRUE(made->unanswered.empty());
    const auto tried = probe(witness);
    EXPECT_TRUE(tried) << tried.error().text;

    const auto again = io::set_up_etcd(wanted(etcd), witness);
    ASSERT_TRUE(again) << again.error().text;
    EXPECT_EQ(again->witness, witness) << "the same etcd keeps the pair's registers";
    auto elsewhere = witness;
    elsewhere.etcd->prefix = "/hamirror/other";
    const auto moved = io::set_up_etcd(elsewhere, witness);
    ASSERT_TRUE(moved) << moved.error().text;
    EXPECT_NE(moved->witness.store, witness.store);

    auto missing = witness;
    missing.store = io::random_id();
    EXPECT_NE(probe(missing).error().text.find("etcd has no key"), std::string::npos);
}

TEST_F(EtcdSetUp, AStoreThatIsNotWholeIsReplaced) {
    EtcdCluster etcd(1);
    const auto first = io::set_up_etcd(wanted(etcd), std::nullopt);
    ASSERT_TRUE(first) << first.error().text;
    const auto key = io::etcd_record_of(first->witness).store.own_key();
    for (const auto& done : {"put " + key + " by-hand", "del " + key}) {
        (void)etcd.ctl(done);
        const auto next = io::set_up_etcd(wanted(etcd), first->witness);
        ASSERT_TRUE(next) << next.error().text;
        EXPECT_NE(next->witness.store, first->witness.store) << done;
        EXPECT_EQ(next->witness.etcd->cluster, first->witness.etcd->cluster);
    }
}

TEST_F(EtcdSetUp, AMemberThatIsDownIsNamed) {
    EtcdCluster etcd(1);
    EtcdCluster gone(1);
    gone.kill();
    auto one_down = wanted(etcd);
    one_down.addresses.emplace_back("127.0.0.1");
    const auto down = wanted(gone).etcd->endpoints.front();
    one_down.etcd->endpoints.insert(one_down.etcd->endpoints.begin(), down);
    const auto made = io::set_up_etcd(one_down, std::nullopt);
    ASSERT_TRUE(made) << made.error().text;
    ASSERT_EQ(made->unanswered.size(), 1U);
    EXPECT_TRUE(made->unanswered[0].starts_with(down + ": ")) << made->unanswered[0];
    EXPECT_EQ(made->witness.etcd->endpoints, one_down.etcd->endpoints) << "it comes back";
    EXPECT_TRUE(probe(made->witness));

    const auto nobody = io::set_up_etcd(wanted(gone), std::nullopt, 1s);
    ASSERT_FALSE(nobody);
    EXPECT_TRUE(nobody.error().text.starts_with(down + ": ")) << nobody.error().text;
}

/// A copy that runs beside its original has its store and its values, but another id.
TEST_F(EtcdSetUp, ACopyOfTheEtcdDecidesNothing) {
    EtcdCluster etcd(1);
    const auto made = io::set_up_etcd(wanted(etcd), std::nullopt);
    ASSERT_TRUE(made) << made.error().text;
    const auto record = io::etcd_record_of(made->witness);
    const Id128 first = io::random_id();
    ASSERT_EQ(exchange(record, {}, first).outcome, RegisterOutcome::Won);
    (void)etcd.ctl("snapshot save " + etcd.directory() + "/snapshot");
    EtcdCluster copy(1);
    copy.kill();
    std::filesystem::remove_all(copy.data());
    (void)etcd.ctl("snapshot restore " + etcd.directory() + "/snapshot " + copy.restore_options());
    for (const char* file : {"/server.pem", "/server.key", "/ca.pem"}) {
        std::filesystem::copy_file(etcd.directory() + file, copy.directory() + file,
                                   std::filesystem::copy_options::overwrite_existing);
    }
    copy.start();

    auto misled = record;
    misled.known.clear();
    misled.endpoints = copy.record({}).endpoints;
    const auto alone = exchange(misled, first, io::random_id(), 2s);
    EXPECT_EQ(alone.refusal, RegisterRefusal::Unreachable) << alone.text;
    EXPECT_NE(alone.text.find("belongs to another etcd"), std::string::npos) << alone.text;
    auto trusting = misled;
    trusting.cluster = 0;
    EXPECT_NE(exchange(trusting, first, io::random_id()).outcome, RegisterOutcome::Refused)
        << "it is the id alone that tells them apart";

    misled.endpoints.push_back(record.endpoints.front());
    EXPECT_EQ(exchange(misled, first, io::random_id()).outcome, RegisterOutcome::Won)
        << "passed over";
    auto both = made->witness;
    both.etcd->endpoints = misled.endpoints;
    both.addresses.emplace_back("127.0.0.1");
    const auto refused = io::set_up_etcd(both, std::nullopt);
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().text.find(" belong to two etcds"), std::string::npos)
        << refused.error().text;
}

TEST_F(EtcdSetUp, NamesAreThoseThatWereRecordedAndNoOther) {
    EtcdCluster etcd(1);
    auto named = wanted(etcd);
    auto& endpoint = named.etcd->endpoints.front();
    endpoint.replace(endpoint.find("127.0.0.1"), 9, "etcd.test");
    const auto made = io::set_up_etcd(named, std::nullopt);
    ASSERT_TRUE(made) << made.error().text;
    auto record = io::etcd_record_of(made->witness);
    ASSERT_EQ(exchange(record, {}, io::random_id()).outcome, RegisterOutcome::Won);
    // Known by the hosts file, and not to us: who would ask for it would reach it.
    record.endpoints = wanted(etcd).etcd->endpoints;
    record.endpoints.front().replace(8, 9, "localhost");
    const auto unknown = exchange(record, {}, io::random_id(), 1s);
    EXPECT_EQ(unknown.refusal, RegisterRefusal::Unreachable);
    EXPECT_EQ(unknown.text.find("certificate"), std::string::npos) << unknown.text;
}

TEST_F(EtcdSetUp, AnotherPasswordIsReadWhenItIsNeeded) {
    EtcdCluster etcd(1);
    const auto made = io::set_up_etcd(wanted(etcd), std::nullopt);
    ASSERT_TRUE(made) << made.error().text;
    io::EtcdRegister node(loop_, io::etcd_record_of(made->witness));
    auto read = [&] {
        std::optional<RegisterAnswer> answer;
        node.read("m", {}, io::boot_now() + 5s,
                  [&](const RegisterAnswer& given) { answer = given; });
        turn_until([&] { return answer.has_value(); });
        return answer.value_or(RegisterAnswer{});
    };
    ASSERT_EQ(read().outcome, RegisterOutcome::Shown);
    const auto file = made->witness.etcd->password_file;
    std::ofstream(file) << "another\n";
    (void)etcd.ctl("user passwd hamirror --interactive=false < " + file);
    EXPECT_EQ(read().outcome, RegisterOutcome::Shown);
    std::filesystem::remove(file);
    EXPECT_EQ(read().outcome, RegisterOutcome::Shown) << "the token is good";
    (void)etcd.ctl("user passwd hamirror --interactive=false < " + etcd.directory() + "/ca.pem");
    const auto lost = read();
    EXPECT_EQ(lost.refusal, RegisterRefusal::Unreachable);
    EXPECT_NE(lost.text.find(file + ": No such file"), std::string::npos) << lost.text;
    EXPECT_EQ(lost.text.find("another"), std::string::npos) << "no secret in a message";
}

}  // namespace
}  // namespace ha::witness
