// hamirror-witness against what a network, a disk and an administrator do to it.

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <random>

#include "core/witness/registers.h"
#include "io/boot_id.h"
#include "io/clock.h"
#include "io/durable_file.h"
#include "witness_process.h"

namespace ha::witness {
namespace {

using ports::RegisterAnswer;
using ports::RegisterOutcome;
using ports::RegisterRefusal;
using ports::RegisterValue;

namespace fs = std::filesystem;

RegisterValue value(std::size_t size = 100) {
    return {io::random_id(), std::vector<std::byte>(size, std::byte{5})};
}

std::string content(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

void overwrite(const std::string& path, const std::string& bytes) {
    std::ofstream(path, std::ios::binary) << bytes;
}

class WitnessDaemon : public testing::Test {
  protected:
    WitnessProcess witness_;
    io::Loop loop_;
    io::Identity one_ = io::Identity::generate("node1").value();
    io::Identity two_ = io::Identity::generate("node2").value();
    io::Identity stranger_ = io::Identity::generate("stranger").value();

    void SetUp() override { witness_.start(); }
    void turn_until(const std::function<bool()>& done, Duration limit = 20s) {
        const Instant end = io::boot_now() + limit;
        while (!done() && io::boot_now() < end) ASSERT_GE(sd_event_run(loop_.raw(), 1000), 0);
    }
    io::WitnessRecord paired() {
        auto record = witness_.pair(one_, two_);
        EXPECT_TRUE(record) << record.error().text;
        return record.value_or(io::WitnessRecord{});
    }
    std::unique_ptr<io::WitnessClient> open(const io::Identity& who,
                                            const io::WitnessRecord& record) {
        auto client =
            std::make_unique<io::WitnessClient>(loop_, io::TlsContext::create(who).value(), record);
        client->start();
        return client;
    }
    RegisterAnswer ask(ports::Register& node, ports::RegisterRequest request,
                       Duration patience = 10s) {
        std::optional<RegisterAnswer> answer;
        node.ask(std::move(request), io::boot_now() + patience,
                 [&](const RegisterAnswer& given) { answer = given; });
        turn_until([&] { return answer.has_value(); });
        return answer.value_or(RegisterAnswer{});
    }
    RegisterAnswer read(ports::Register& node) { return ask(node, {"m", {}, std::nullopt}); }
    RegisterAnswer exchange(ports::Register& node, const Id128& expected, RegisterValue next) {
        return ask(node, {"m", {}, ports::RegisterExchange{expected, std::move(next)}});
    }

    /// A connection that says whatever it likes; how it ended, or "open".
    struct Raw {
        std::unique_ptr<io::TlsStream> stream;
        bool ready = false;
        std::string ended = "open";
        std::vector<io::WitnessAnswer> answers;
    };
    std::unique_ptr<Raw> connect(const io::Identity& who,
                                 std::string_view protocol = io::kWitnessProtocol) {
        auto raw = std::make_unique<Raw>();
        io::TlsStream::Target target;
        target.address = "127.0.0.1";
        target.port = witness_.port();
        target.protocol = protocol;
        io::TlsStream::Callbacks callbacks;
        callbacks.on_ready = [here = raw.get()] { here->ready = true; };
        callbacks.on_frame = [here = raw.get()](std::span<const std::byte> frame) {
            auto answer = io::decode_witness_answer(frame);
            ASSERT_TRUE(answer);
            here->answers.push_back(*answer);
        };
        callbacks.on_closed = [here = raw.get()](const std::string& why) { here->ended = why; };
        raw->stream = io::TlsStream::connect(loop_, io::TlsContext::create(who).value(), target,
                                             std::move(callbacks));
        turn_until([&] { return raw->ready || raw->ended != "open"; });
        return raw;
    }
    void say(Raw& raw, const io::WitnessMessage& message) { raw.stream->send(io::encode(message)); }
    std::string end_of(Raw& raw, Duration limit = 5s) {
        turn_until([&] { return raw.ended != "open"; }, limit);
        return raw.ended;
    }
};

TEST_F(WitnessDaemon, PairsWithATokenAndOnlyOnce) {
    auto token = witness_.token();
    auto first = witness_.pair(one_, two_, token);
    ASSERT_TRUE(first) << first.error().text;
    auto other = witness_.pair(stranger_, two_, token);
    EXPECT_EQ(other.error().text,
              "the witness refused: the pairing token was used already; run `hamirror-witness "
              "token` there");
    auto again = witness_.pair(two_, one_, token);
    ASSERT_TRUE(again) << "the same pair only missed the last word: " << again.error().text;
    EXPECT_EQ(again->store, first->store);
    witness_.kill();
    witness_.start();
    again = witness_.pair(one_, two_, token);
    ASSERT_TRUE(again) << again.error().text;
    EXPECT_EQ(again->store, first->store);
    EXPECT_EQ(again->key, first->key);
}

TEST_F(WitnessDaemon, AWrongTokenIsCountedAndVoidAfterFive) {
    auto right = witness_.token();
    auto wrong = right;
    wrong.secret[0] ^= std::byte{1};
    for (int i = 0; i < 5; ++i) EXPECT_FALSE(witness_.pair(one_, two_, wrong));
    EXPECT_EQ(witness_.pair(one_, two_, right).error().text,
              "the witness refused: the pairing token was tried wrong 5 times and is void; run "
              "`hamirror-witness token` there");
    EXPECT_TRUE(witness_.pair(one_, two_));
}

TEST_F(WitnessDaemon, AnImpostorLearnsNothing) {
    auto token = witness_.token();
    token.issuer[0] ^= std::byte{1};
    EXPECT_EQ(witness_.pair(one_, two_, token).error().text,
              "the server there is not the one that issued the token; check the address, and that "
              "nobody is in between");
}

TEST_F(WitnessDaemon, ANodeThatIsNotPairedIsRefused) {
    auto record = paired();
    auto node = open(stranger_, record);
    auto answer = read(*node);
    EXPECT_EQ(answer.refusal, RegisterRefusal::NotPaired) << answer.text;
    auto none = record;
    none.store = io::random_id();
    EXPECT_EQ(read(*open(stranger_, none)).refusal, RegisterRefusal::NotPaired);
    EXPECT_EQ(read(*open(one_, none)).refusal, RegisterRefusal::Foreign);
}

TEST_F(WitnessDaemon, AnotherWitnessIsNotUsed) {
    auto record = paired();
    record.key = stranger_.fingerprint();
    auto node = open(one_, record);
    auto answer = ask(*node, {"m", {}, std::nullopt}, 500ms);
    EXPECT_EQ(answer.refusal, RegisterRefusal::Unreachable);
    EXPECT_NE(answer.text.find("not the one this node was paired with"), std::string::npos)
        << answer.text;
}

TEST_F(WitnessDaemon, EachPairSeesItsOwnRegisters) {
    auto record = paired();
    auto three = io::Identity::generate("node3").value();
    auto theirs = witness_.pair(three, stranger_);
    ASSERT_TRUE(theirs) << theirs.error().text;
    EXPECT_NE(theirs->store, record.store);
    auto ours = open(one_, record);
    auto other = open(three, *theirs);
    const auto mine = value();
    ASSERT_EQ(exchange(*ours, {}, mine).outcome, RegisterOutcome::Won);
    EXPECT_FALSE(read(*other).current);
    EXPECT_EQ(exchange(*other, {}, value()).outcome, RegisterOutcome::Won);
    EXPECT_EQ(read(*ours).current, mine);
    EXPECT_EQ(read(*open(three, record)).refusal, RegisterRefusal::Foreign);
}

TEST_F(WitnessDaemon, ANodeThatComesAgainReplacesItsConnection) {
    auto record = paired();
    auto first = connect(one_);
    say(*first, io::WitnessHello{io::kWitnessVersion, record.store});
    turn_until([&] { return !first->answers.empty(); });
    auto second = connect(one_);
    say(*second, io::WitnessHello{io::kWitnessVersion, record.store});
    EXPECT_NE(end_of(*first), "open");
    turn_until([&] { return !second->answers.empty(); });
    EXPECT_EQ(second->ended, "open");
}

TEST_F(WitnessDaemon, WhateverIsNoMessageEndsTheConnectionAndNothingElse) {
    auto record = paired();
    auto node = open(two_, record);
    const auto born = value();
    ASSERT_EQ(exchange(*node, {}, born).outcome, RegisterOutcome::Won);
    const auto hello =
        io::encode(io::WitnessMessage(io::WitnessHello{io::kWitnessVersion, record.store}));
    const auto good = io::encode(io::WitnessMessage(
        io::WitnessAsk{1, {"m", {}, ports::RegisterExchange{io::random_id(), value()}}}));
    std::mt19937 random(7);
    for (int i = 0; i < 60; ++i) {
        auto raw = connect(one_);
        if (i % 2 == 0) raw->stream->send(hello);
        auto bytes = good;
        if (i % 3 == 0) bytes.resize(random() % bytes.size());
        if (i % 3 == 1) bytes.assign(random() % 3000, static_cast<std::byte>(random()));
        if (i % 3 == 2) bytes[0] = static_cast<std::byte>(5 + random() % 250);
        raw->stream->send(bytes);
        EXPECT_NE(end_of(*raw), "open") << i;
    }
    for (std::size_t size : {std::size_t{4097}, std::size_t{100000}, io::kMaxFrame}) {
        auto raw = connect(one_);
        raw->stream->send(hello);
        raw->stream->send(std::vector<std::byte>(size, std::byte{4}));
        EXPECT_NE(end_of(*raw), "open") << size;
    }
    auto before = connect(one_);
    before->stream->send(good);
    EXPECT_NE(end_of(*before), "open") << "a request before the hello";
    auto twice = connect(one_);
    twice->stream->send(hello);
    twice->stream->send(hello);
    EXPECT_NE(end_of(*twice), "open") << "a second hello";
    auto control = connect(one_, io::kControlProtocol);
    EXPECT_NE(end_of(*control), "open") << "another protocol";
    EXPECT_TRUE(witness_.alive());
    EXPECT_EQ(read(*node).current, born);
}

TEST_F(WitnessDaemon, AnotherVersionIsToldSo) {
    auto record = paired();
    auto raw = connect(one_);
    say(*raw, io::WitnessHello{9, record.store});
    EXPECT_NE(end_of(*raw), "open");
    ASSERT_EQ(raw->answers.size(), 1U);
    EXPECT_EQ(raw->answers[0].answer.refusal, RegisterRefusal::Version);
}

TEST_F(WitnessDaemon, StrangersAreFewAndDoNotKeepNodesOut) {
    auto record = paired();
    std::vector<std::unique_ptr<Raw>> crowd;
    for (int i = 0; i < 12; ++i) crowd.push_back(connect(stranger_));
    turn_until([] { return false; }, 200ms);
    const auto open_ones = std::count_if(crowd.begin(), crowd.end(),
                                         [](const auto& one) { return one->ended == "open"; });
    EXPECT_EQ(open_ones, 8);
    auto node = open(one_, record);
    EXPECT_EQ(read(*node).outcome, RegisterOutcome::Shown);
}

TEST_F(WitnessDaemon, AFloodOfRequestsIsBounded) {
    auto record = paired();
    auto raw = connect(one_);
    say(*raw, io::WitnessHello{io::kWitnessVersion, record.store});
    for (std::uint64_t i = 1; i <= 1000 && raw->ended == "open"; ++i) {
        say(*raw, io::WitnessAsk{i, {"m", {}, ports::RegisterExchange{io::random_id(), value()}}});
    }
    turn_until([&] { return raw->answers.size() == 1001; });
    EXPECT_EQ(raw->answers.size(), 1001U) << raw->ended;
}

TEST_F(WitnessDaemon, ADamagedFileIsRefusedAndLeftAsItIs) {
    auto record = paired();
    auto three = io::Identity::generate("node3").value();
    auto theirs = witness_.pair(three, stranger_).value();
    ASSERT_EQ(exchange(*open(one_, record), {}, value()).outcome, RegisterOutcome::Won);
    const std::string file = witness_.file(record.store);
    const std::string good = content(file);
    std::vector<std::string> bad = {"", good.substr(0, 10), good.substr(0, good.size() - 1),
                                    good + "x", std::string(good.size(), '\0')};
    for (std::size_t at = 0; at < good.size(); at += 29) {
        bad.push_back(good);
        bad.back()[at] = static_cast<char>(bad.back()[at] ^ 0x10);
    }
    for (const auto& bytes : bad) {
        witness_.kill();
        overwrite(file, bytes);
        witness_.start();
        auto answer = read(*open(one_, record));
        EXPECT_EQ(answer.refusal, RegisterRefusal::Damaged) << answer.text;
        EXPECT_EQ(exchange(*open(two_, record), {}, value()).refusal, RegisterRefusal::Damaged);
        EXPECT_EQ(content(file), bytes) << "overwritten";
        EXPECT_EQ(read(*open(three, theirs)).outcome, RegisterOutcome::Shown);
    }
    auto listed = witness_.command("clusters");
    EXPECT_NE(listed.text.find(record.store.text() + "  cannot be used: "), std::string::npos)
        << listed.text;
    witness_.kill();
    overwrite(file, good);
    witness_.start();
    EXPECT_TRUE(read(*open(one_, record)).current) << "mended by the administrator";
}

TEST_F(WitnessDaemon, AFileUnderAnotherNameIsDamage) {
    auto record = paired();
    witness_.kill();
    auto moved = record;
    moved.store = io::random_id();
    fs::copy_file(witness_.file(record.store), witness_.file(moved.store));
    witness_.start();
    EXPECT_EQ(read(*open(one_, moved)).refusal, RegisterRefusal::Damaged);
    EXPECT_EQ(read(*open(one_, record)).outcome, RegisterOutcome::Shown);
}

TEST_F(WitnessDaemon, WhatACrashLeftUnfinishedIsNotUsed) {
    auto record = paired();
    const auto born = value();
    ASSERT_EQ(exchange(*open(one_, record), {}, born).outcome, RegisterOutcome::Won);
    witness_.kill();
    overwrite(witness_.file(record.store) + ".new", "half a file");
    witness_.start();
    auto node = open(two_, record);
    EXPECT_EQ(read(*node).current, born);
    EXPECT_EQ(exchange(*node, born.id, value()).outcome, RegisterOutcome::Won);
}

TEST_F(WitnessDaemon, OnAFullDiskNothingIsChangedAndReadsGoOn) {
    auto record = paired();
    auto node = open(one_, record);
    const auto born = value();
    ASSERT_EQ(exchange(*node, {}, born).outcome, RegisterOutcome::Won);
    witness_.fill_disk(true);
    const auto next = value();
    auto refused = exchange(*node, born.id, next);
    EXPECT_EQ(refused.refusal, RegisterRefusal::Unwritable) << refused.text;
    EXPECT_EQ(read(*node).current, born);
    witness_.fill_disk(false);
    auto won = exchange(*node, born.id, next);
    EXPECT_EQ(won.outcome, RegisterOutcome::Won) << won.text;
    EXPECT_EQ(won.stamp.counter, 2U);
}

TEST_F(WitnessDaemon, ADirectoryThatIsNotDurableMakesTheOutcomeUncertain) {
    auto record = paired();
    auto node = open(one_, record);
    const auto born = value();
    ASSERT_EQ(exchange(*node, {}, born).outcome, RegisterOutcome::Won);
    // The directory goes, so that neither writing nor reading back works.
    fs::rename(witness_.state() + "/clusters", witness_.state() + "/gone");
    auto lost = exchange(*node, born.id, value());
    EXPECT_EQ(lost.outcome, RegisterOutcome::Uncertain) << lost.text;
    fs::rename(witness_.state() + "/gone", witness_.state() + "/clusters");
    EXPECT_EQ(read(*node).refusal, RegisterRefusal::Damaged) << "until the file was read anew";
    witness_.kill();
    witness_.start();
    EXPECT_EQ(read(*open(two_, record)).current, born);
}

TEST_F(WitnessDaemon, AClusterIsRemovedWhileNobodyServes) {
    auto record = paired();
    EXPECT_EQ(witness_.command("remove " + record.store.text()).status, 1) << "it is running";
    auto listed = witness_.command("clusters");
    EXPECT_EQ(listed.text, record.store.text() + "  node1+node2  0 modules, 0 exchanges\n");
    witness_.kill();
    EXPECT_EQ(witness_.command("remove x").status, 1);
    EXPECT_EQ(witness_.command("remove " + io::random_id().text()).status, 1);
    EXPECT_EQ(witness_.command("remove " + record.store.text()).status, 0);
    witness_.start();
    EXPECT_EQ(read(*open(one_, record)).refusal, RegisterRefusal::NotPaired);
    auto anew = witness_.pair(one_, two_);
    ASSERT_TRUE(anew) << anew.error().text;
    EXPECT_NE(anew->store, record.store);
    EXPECT_EQ(read(*open(one_, record)).refusal, RegisterRefusal::Foreign);
    EXPECT_EQ(read(*open(one_, *anew)).outcome, RegisterOutcome::Shown);
}

TEST_F(WitnessDaemon, TwoDoNotServeOneStore) {
    auto second = witness_.command("serve --listen 127.0.0.2");
    EXPECT_EQ(second.status, 1);
    EXPECT_NE(second.text.find("a witness is running"), std::string::npos) << second.text;
}

TEST_F(WitnessDaemon, ALostKeyIsNotMadeAnewOverItsClusters) {
    paired();
    witness_.kill();
    fs::remove(witness_.state() + "/node.pem");
    auto refused = witness_.command("serve --listen 127.0.0.2");
    EXPECT_EQ(refused.status, 1);
    EXPECT_NE(refused.text.find("the key of this witness"), std::string::npos) << refused.text;
    EXPECT_FALSE(fs::exists(witness_.state() + "/node.pem"));
}

TEST_F(WitnessDaemon, TheCommandLineIsChecked) {
    for (const char* wrong : {"", "serve now", "frob", "remove", "--port", "serve --port 70000",
                              "serve --port 12x", "serve --colour red"}) {
        EXPECT_EQ(witness_.command(wrong).status, 2) << wrong;
    }
    WitnessProcess idle;
    EXPECT_EQ(idle.command("token").status, 1);
}

/// As after a switch came back: every pair decides at once.
TEST_F(WitnessDaemon, ManyClustersAtOnce) {
    constexpr std::size_t kClusters = 64;
    witness_.kill();
    std::vector<io::WitnessRecord> records;
    for (std::size_t i = 0; i < kClusters; ++i) {
        Cluster cluster;
        cluster.store = io::random_id();
        cluster.name = "cluster" + std::to_string(i);
        cluster.keys = {one_.fingerprint().bytes, two_.fingerprint().bytes};
        ASSERT_TRUE(io::write_durable(witness_.file(cluster.store), encode(cluster)));
        records.push_back({{"127.0.0.1"}, witness_.port(), {}, cluster.store});
    }
    witness_.start();
    const auto key = io::Identity::load(witness_.state()).value().fingerprint();
    std::vector<std::unique_ptr<io::WitnessClient>> nodes;
    for (auto& record : records) {
        record.key = key;
        nodes.push_back(open(one_, record));
    }
    turn_until([&] {
        return std::all_of(nodes.begin(), nodes.end(), [](const auto& one) { return one->up(); });
    });
    std::size_t won = 0;
    std::size_t answered = 0;
    for (auto& node : nodes) {
        node->exchange("m", {}, {}, value(), io::boot_now() + 20s,
                       [&](const RegisterAnswer& given) {
                           ++answered;
                           if (given.outcome == RegisterOutcome::Won) ++won;
                       });
    }
    turn_until([&] { return answered == kClusters; });
    EXPECT_EQ(won, kClusters);
}

}  // namespace
}  // namespace ha::witness
