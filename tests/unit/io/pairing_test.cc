#include "io/pairing.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <optional>
#include <thread>

#include "io/clock.h"
#include "io/pairing_wire.h"
#include "io/text_file.h"

namespace ha::io {
namespace {

// The listener of node1 lives in a thread of its own, as it does in ha-clusterd; node2 is the
// blocking side.
class Pairing : public testing::Test {
  protected:
    std::string base_ = testing::TempDir() + "/pairing." + std::to_string(getpid());
    NodePaths one_ = paths("/one"), two_ = paths("/two"), three_ = paths("/three");
    config::NodeConfig self_one_{"node1", {"10.0.1.1", "10.0.2.1"}};
    config::NodeConfig self_two_{"node2", {"10.0.1.2", "10.0.2.2"}};
    std::string token_;
    std::vector<std::string> refused_;
    std::optional<PeerRecord> paired_;
    std::uint16_t port_ = 0;
    Loop* loop_ = nullptr;
    std::thread server_;

    NodePaths paths(const std::string& name) {
        auto root = base_ + name;
        return {root + "/etc", root + "/etc/keys", root + "/state", root + "/run"};
    }
    void SetUp() override {
        auto init = init_cluster(one_, self_one_);
        ASSERT_TRUE(init) << init.error().text;
        token_ = init->token;
        std::atomic<bool> up = false;
        server_ = std::thread([&] { serve(up); });
        while (!up) std::this_thread::yield();
    }
    void serve(std::atomic<bool>& up) {
        Loop loop;
        auto identity = Identity::load(one_.keys).value();
        PairingServer pairing(loop, one_, identity,
                              {[this](const PeerRecord& peer) { paired_ = peer; },
                               [this](const std::string& why) { refused_.push_back(why); }});
        TlsListener listener(loop, TlsContext::create(identity).value(),
                             {[&](std::unique_ptr<TlsStream> stream) {
                                  EXPECT_EQ(stream->protocol(), kPairingProtocol);
                                  pairing.adopt(std::move(stream));
                              },
                              {}});
        port_ = listener.listen("127.0.0.1", 0).value();
        loop_ = &loop;
        up = true;
        (void)loop.run();
    }
    void stop_server() {
        if (!server_.joinable()) return;
        loop_->post([this] { loop_->stop(); });
        server_.join();
    }
    void TearDown() override {
        stop_server();
        std::filesystem::remove_all(base_);
    }
    Result<PeerRecord> pair(const NodePaths& paths, const std::string& token,
                            const config::NodeConfig& self) {
        return pair_with(paths, {"127.0.0.1", port_, PairingToken::parse(token).value(), self});
    }
    bool unchanged(const NodePaths& paths) {
        return !std::filesystem::exists(paths.keys) && !std::filesystem::exists(paths.state) &&
               !std::filesystem::exists(paths.cluster_file());
    }
};

TEST_F(Pairing, TwoNodesKnowEachOtherAfterwards) {
    auto outcome = pair(two_, token_, self_two_);
    ASSERT_TRUE(outcome) << outcome.error().text;
    stop_server();
    EXPECT_EQ(outcome->name, "node1");
    EXPECT_EQ(load_peer(two_.state).value()->fingerprint, Identity::load(one_.keys)->fingerprint());
    EXPECT_EQ(load_peer(one_.state).value()->fingerprint, Identity::load(two_.keys)->fingerprint());
    EXPECT_EQ(paired_->name, "node2");
    auto text = read_config_text(one_.cluster_file()).value();
    EXPECT_EQ(read_config_text(two_.cluster_file()).value(), text);
    auto cluster = parse_cluster(text, "cluster.yaml");
    ASSERT_TRUE(cluster.value) << cluster.messages();
    EXPECT_EQ(cluster.value->nodes[0].name, "node1");
    EXPECT_EQ(cluster.value->nodes[1].addresses, self_two_.addresses);
    EXPECT_EQ(TokenStore(one_.run).current()->state, TokenStore::State::Used);
}

TEST_F(Pairing, ARepeatedPairingOfTheSameTwoIsNoError) {
    ASSERT_TRUE(pair(two_, token_, self_two_));
    // The last word was lost: node2 has its key but nothing else.
    std::filesystem::remove_all(two_.state);
    std::filesystem::remove(two_.cluster_file());
    auto again = pair(two_, token_, self_two_);
    ASSERT_TRUE(again) << again.error().text;
    EXPECT_TRUE(load_peer(two_.state).value());
    ASSERT_TRUE(pair(two_, token_, self_two_));
    auto renamed = pair(two_, token_, {"node9", self_two_.addresses});
    EXPECT_EQ(renamed.error().text,
              "the other node knows this one under another name or other addresses; give the same "
              "--name and --address as the first time");
}

TEST_F(Pairing, ANewPairHasNoWitnessYet) {
    config::ClusterConfig before{{self_one_}, 7400};
    before.witness = config::WitnessConfig{{"10.0.9.9"}, 7401, std::string(64, 'a'), Id128{1, 2}};
    ASSERT_TRUE(write_text_durable(one_.cluster_file(), render(before), 0644));
    ASSERT_TRUE(pair(two_, token_, self_two_));
    auto cluster = parse_cluster(read_config_text(two_.cluster_file()).value(), "cluster.yaml");
    ASSERT_TRUE(cluster.value) << cluster.messages();
    EXPECT_FALSE(cluster.value->witness);
}

TEST_F(Pairing, AThirdNodeIsRefused) {
    ASSERT_TRUE(pair(two_, token_, self_two_));
    auto third = pair(three_, token_, {"node3", {"10.0.1.3", "10.0.2.3"}});
    EXPECT_EQ(third.error().text, "the other node refused: this node is already paired with node2");
    EXPECT_TRUE(unchanged(three_));
}

TEST_F(Pairing, AWrongTokenIsRefusedAndFiveTriesBurnIt) {
    auto wrong = PairingToken::parse(token_).value();
    wrong.secret[0] ^= std::byte{1};
    for (int i = 0; i < 5; ++i) {
        EXPECT_EQ(pair(two_, wrong.text(), self_two_).error().text,
                  "the other node refused: the pairing token is wrong; it is not the one issued "
                  "last; run `hamirrorctl cluster token` on the node that issued it");
    }
    EXPECT_EQ(pair(two_, token_, self_two_).error().text,
              "the other node refused: the pairing token was tried wrong 5 times and is void; run "
              "`hamirrorctl cluster token` on the node that issued it");
    EXPECT_TRUE(unchanged(two_));
    EXPECT_FALSE(*load_peer(one_.state));
    auto fresh = new_token(one_);
    ASSERT_TRUE(fresh) << fresh.error().text;
    auto outcome = pair(two_, fresh->token, self_two_);
    EXPECT_TRUE(outcome) << outcome.error().text;
}

TEST_F(Pairing, AnExpiredTokenIsRefused) {
    auto past = TokenStore(one_.run, [] { return boot_now() - kTokenLife; });
    auto token = past.issue(Identity::load(one_.keys)->fingerprint()).value();
    EXPECT_EQ(pair(two_, token.text(), self_two_).error().text,
              "the other node refused: the pairing token has expired (it is valid for 15 minutes); "
              "run `hamirrorctl cluster token` on the node that issued it");
    EXPECT_TRUE(unchanged(two_));
}

TEST_F(Pairing, AUsedTokenIsRefused) {
    ASSERT_TRUE(TokenStore(one_.run).use_up());
    EXPECT_EQ(pair(two_, token_, self_two_).error().text,
              "the other node refused: the pairing token was used already; run `hamirrorctl "
              "cluster token` on the node that issued it");
    EXPECT_TRUE(unchanged(two_));
}

TEST_F(Pairing, AnImpostorGetsNothing) {
    auto token = PairingToken::parse(token_).value();
    token.issuer[3] ^= std::byte{1};
    EXPECT_EQ(pair(two_, token.text(), self_two_).error().text,
              "the server there is not the one that issued the token; check the address, and that "
              "nobody is in between");
    stop_server();
    EXPECT_TRUE(refused_.empty());  // nothing was sent that could be refused
    EXPECT_TRUE(unchanged(two_));
    EXPECT_EQ(TokenStore(one_.run).current()->state, TokenStore::State::Open);
}

TEST_F(Pairing, NobodyThereIsSaid) {
    stop_server();
    auto port = std::to_string(port_);
    EXPECT_EQ(pair(two_, token_, self_two_).error().text,
              "cannot pair: cannot reach 127.0.0.1 port " + port +
                  ": Connection refused; ha-clusterd must be running there and TCP port " + port +
                  " open");
    EXPECT_TRUE(unchanged(two_));
}

TEST_F(Pairing, NodesThatDoNotFitAreRefusedAndTheTokenStays) {
    EXPECT_EQ(pair(two_, token_, {"node1", self_two_.addresses}).error().text,
              "the other node refused: both nodes are called \"node1\"");
    EXPECT_EQ(pair(two_, token_, {"node2", {"10.0.1.2"}}).error().text,
              "the other node refused: the nodes have 2 and 1 addresses; give each node one for "
              "each network, in the same order");
    EXPECT_TRUE(unchanged(two_));
    EXPECT_EQ(TokenStore(one_.run).current()->state, TokenStore::State::Open);
    EXPECT_TRUE(pair(two_, token_, self_two_));
}

TEST_F(Pairing, InitAgainKeepsTheKeyAndAfterPairingIsRefused) {
    auto key = Identity::load(one_.keys)->fingerprint();
    auto again = init_cluster(one_, self_one_);
    ASSERT_TRUE(again) << again.error().text;
    EXPECT_EQ(again->fingerprint, key);
    ASSERT_TRUE(pair(two_, again->token, self_two_));
    EXPECT_EQ(init_cluster(one_, self_one_).error().text, "this node is already paired with node2");
    EXPECT_EQ(new_token(two_).error().text, "this node is already paired with node1");
}

TEST_F(Pairing, FramesOutOfOrderOrDamagedAreRefused) {
    PairingChannel channel{Identity::load(one_.keys)->fingerprint(), Fingerprint{}, {}};
    auto refused = [&](std::span<const std::byte> frame) {
        PairingIssuer machine(one_, TokenStore(one_.run), channel);
        auto step = machine.on_frame(frame);
        return step.end && !step.refused.empty() && !step.paired;
    };
    EXPECT_TRUE(refused({}));
    EXPECT_TRUE(refused(pairing::bare(pairing::Type::Commit)));
    EXPECT_TRUE(refused(pairing::bare(pairing::Type::Done)));
    auto secret = PairingToken::parse(token_)->secret;
    auto good = pairing::propose({pairing::proof_of(secret, channel), self_two_});
    for (std::size_t length = 0; length < good.size(); ++length) {
        EXPECT_TRUE(refused(std::span<const std::byte>(good).first(length))) << length;
    }
    PairingIssuer machine(one_, TokenStore(one_.run), channel);
    EXPECT_TRUE(machine.on_frame(good).refused.empty());
    EXPECT_FALSE(machine.on_frame(good).refused.empty());  // twice
}

TEST_F(Pairing, AProofIsBoundToItsChannel) {
    PairingChannel channel{Identity::load(one_.keys)->fingerprint(), Fingerprint{}, {}};
    auto secret = PairingToken::parse(token_)->secret;
    auto stolen = pairing::propose({pairing::proof_of(secret, channel), self_two_});
    channel.binding[0] = std::byte{1};
    PairingIssuer machine(one_, TokenStore(one_.run), channel);
    EXPECT_FALSE(machine.on_frame(stolen).refused.empty());
}

}  // namespace
}  // namespace ha::io
