// Booted alone, without a witness, by a decision that nobody confirmed.
#include <gtest/gtest.h>

#include "pair.h"

namespace ha::cluster {
namespace {

constexpr Duration kAskAgain = 3s;
constexpr Duration kAnswerBound = 5s;

class Unconfirmed : public Pair {
  protected:
    void SetUp() override { boot(settings()); }

    static Settings settings() {
        Settings settings;
        settings.addresses = true;
        return settings;
    }
    /// The second node went on alone once and has booted now; nobody is heard in boot_wait.
    void boot(const Settings& settings, Confirmation confirmation = Confirmation::Alone) {
        Record record;
        record.wanted = true;
        record.module_id = {1, 1};
        record.chain.append(entry(1, InSync::both(), true));
        auto alone = entry(2, InSync::only(Node::Second), true);
        alone.decision.primary = Node::Second;
        alone.confirmation = confirmation;
        record.chain.append(alone);
        node_ = machine(Node::Second, record, settings);
        MirrorOpened opened;
        opened.marker_valid = true;
        step(node_, opened);
        for (const Event& event :
             std::initializer_list<Event>{AddressesDropped{}, UnitsGone{}, HeldFailed{}}) {
            step(node_, event);
        }
        lose(node_);
        boot_wait_ = settings.boot_wait;
        last_ = pass(boot_wait_);
    }
    std::vector<Effect> pass(Duration time) {
        now_ += time;
        return step(node_, DeadlinePassed{});
    }
    /// ha-vipd answers what it was asked last.
    void answer(AddressesProbed answer) {
        const auto* asked = find<ProbeAddresses>(last_);
        ASSERT_NE(asked, nullptr) << "nothing was asked";
        answer.token = asked->token;
        last_ = step(node_, answer);
    }
    void nobody() { answer({0, "", "", true, ""}); }
    void somebody() { answer({0, "192.0.2.10", "02:00:00:00:00:01", true, ""}); }
    void no_carrier() { answer({0, "", "", false, "eth0 has no carrier"}); }
    void ask_again() { last_ = pass(kAskAgain); }

    [[nodiscard]] bool serves() const { return node_.machine->serving(); }
    [[nodiscard]] Reason reason() const { return node_.machine->status().reason; }

    Side node_;
    Duration boot_wait_{};
    std::vector<Effect> last_;
};

TEST_F(Unconfirmed, AsksBeforeItServes) {
    EXPECT_FALSE(serves());
    EXPECT_EQ(reason().code, "address-probe");
    nobody();
    EXPECT_TRUE(serves());
}

TEST_F(Unconfirmed, WaitsWhileSomebodyAnswers) {
    somebody();
    EXPECT_FALSE(serves());
    EXPECT_EQ(node_.machine->status().state, State::Waiting);
    EXPECT_EQ(node_.machine->status().readiness, Readiness::Blocked);
    EXPECT_EQ(reason().code, "address-in-use");
    for (const char* part :
         {"192.0.2.10", "02:00:00:00:00:01", "node1", "on node2: hamirrorctl start db --force"}) {
        EXPECT_NE(reason().text.find(part), std::string::npos) << part << " in " << reason().text;
    }
    for (int i = 0; i < 100; ++i) {
        ask_again();
        somebody();
        ASSERT_FALSE(serves());
    }
    EXPECT_EQ(refusal(node_, StartRequested{}), "address-in-use");
}

TEST_F(Unconfirmed, ServesWhenNobodyAnswersAnyMore) {
    somebody();
    for (int i = 0; i < 3; ++i) {
        EXPECT_FALSE(serves()) << "one frame may be lost";
        EXPECT_EQ(reason().code, "address-in-use");
        ask_again();
        nobody();
    }
    EXPECT_TRUE(serves());
}

TEST_F(Unconfirmed, ASilenceOfBeforeAnAnswerCountsNothing) {
    somebody();
    for (int i = 0; i < 2; ++i) {
        ask_again();
        nobody();
    }
    ask_again();
    somebody();
    for (int i = 0; i < 2; ++i) {
        ask_again();
        nobody();
    }
    EXPECT_FALSE(serves());
}

TEST_F(Unconfirmed, WithoutCarrierItServesAfterAWhile) {
    no_carrier();
    EXPECT_EQ(count<Tell>(last_), 1U);
    Duration waited{};
    for (; !serves() && waited < 2 * boot_wait_; waited += kAskAgain) {
        EXPECT_NE(reason().text.find("eth0 has no carrier"), std::string::npos) << reason().text;
        ask_again();
        if (!serves()) no_carrier();
    }
    EXPECT_TRUE(serves());
    EXPECT_GE(waited, boot_wait_);
    EXPECT_LE(waited, boot_wait_ + kAskAgain);
}

TEST_F(Unconfirmed, ACarrierThatComesIsAskedOn) {
    no_carrier();
    ask_again();
    somebody();
    EXPECT_EQ(reason().code, "address-in-use");
}

/// What fails now may be this node's own cable.
TEST_F(Unconfirmed, WithoutCarrierAnAnswerOfBeforeStands) {
    somebody();
    for (int i = 0; i < 100; ++i) {
        ask_again();
        no_carrier();
        ASSERT_FALSE(serves());
    }
    EXPECT_EQ(reason().code, "address-in-use");
    EXPECT_NE(reason().text.find("eth0 has no carrier"), std::string::npos) << reason().text;
}

TEST_F(Unconfirmed, AVipdThatDoesNotAnswerIsAskedAgainAndNotForEver) {
    const auto first = *find<ProbeAddresses>(last_);
    last_ = pass(kAnswerBound);
    EXPECT_NE(reason().text.find("ha-vipd"), std::string::npos) << reason().text;
    ask_again();
    ASSERT_NE(find<ProbeAddresses>(last_), nullptr);
    step(node_, AddressesProbed{first.token, "", "", true, ""});
    EXPECT_FALSE(serves()) << "an answer to what was asked before";
    for (int i = 0; i < 10 && !serves(); ++i) {
        last_ = pass(kAnswerBound);
        if (!serves()) ask_again();
    }
    EXPECT_TRUE(serves());
}

TEST_F(Unconfirmed, WhatCouldNotBeAskedBesideIsSaid) {
    answer({0, "", "", true, "there is no interface eth7 for 192.0.2.11/24@eth7"});
    EXPECT_TRUE(serves());
    EXPECT_NE(find<Tell>(last_)->text.find("eth7"), std::string::npos);
}

TEST_F(Unconfirmed, APeerThatIsHeardEndsTheAsking) {
    const auto* asked = find<ProbeAddresses>(last_);
    ASSERT_NE(asked, nullptr);
    Report peer;
    peer.boot = {8, 8};
    peer.module_id = {1, 1};
    peer.chain.append(entry(1, InSync::both(), true));
    auto theirs = entry(2, InSync::only(Node::First), true);
    theirs.decision.id = {2, 7};
    peer.chain.append(theirs);
    peer.activity = Activity::Serving;
    step(node_, PeerReported{peer});
    step(node_, AddressesProbed{asked->token, "", "", true, ""});
    EXPECT_FALSE(serves());
    EXPECT_EQ(reason().code, "diverged");
}

TEST_F(Unconfirmed, AWitnessThatIsConfiguredMeanwhileIsWaitedFor) {
    const auto* asked = find<ProbeAddresses>(last_);
    ASSERT_NE(asked, nullptr);
    step(node_, WitnessConfigured{{7, 7}});
    step(node_, WitnessConfigured{});
    step(node_, AddressesProbed{asked->token, "", "", true, ""});
    EXPECT_FALSE(serves()) << "of before";
}

TEST_F(Unconfirmed, AnOperatorOverrules) {
    somebody();
    last_ = step(node_, StartRequested{false, node_.machine->knowledge()});
    const auto* flush = find<MakeDurable>(last_);
    ASSERT_NE(flush, nullptr);
    step(node_, MadeDurable{flush->token});
    EXPECT_TRUE(serves());
}

TEST_F(Unconfirmed, WithoutAddressesItServesAtOnce) {
    now_ = {};
    boot({});
    EXPECT_TRUE(serves());
    EXPECT_EQ(count<ProbeAddresses>(last_), 0U);
}

TEST_F(Unconfirmed, AConfirmedOneServesAtOnce) {
    now_ = {};
    boot(settings(), Confirmation::PeerConsent);
    EXPECT_TRUE(serves());
}

TEST_F(Unconfirmed, UnderSafeItWaits) {
    Settings safe = settings();
    safe.policy = Policy::Safe;
    now_ = {};
    boot(safe);
    EXPECT_EQ(reason().code, "unconfirmed");
    EXPECT_EQ(count<ProbeAddresses>(last_), 0U);
}

}  // namespace
}  // namespace ha::cluster
