// Under which decisions a node holds what it holds on a lease, and when that begins and ends.
#include "core/cluster/lease_keeper.h"

#include <gtest/gtest.h>

#include "past.h"

namespace ha::cluster {
namespace {

constexpr Instant kNow{1000s};
constexpr Duration kBound = 1500ms;

class LeaseOfAPrimary : public testing::Test {
  protected:
    void SetUp() override {
        settings_ = settings_of(Node::First);
        record_.wanted = true;
        record_.module_id = {1, 1};
        record_.chain.append(entry(1, InSync::only(Node::First), true));
        record_.chain.append(entry(2, InSync::both(), true));
    }
    void start() {
        machine_.emplace(settings_, record_, Id128{9, 9}, Id128{1, 2});
        std::vector<Effect> effects;
        machine_->begin(kNow, effects);
        machine_->workers_ready(kNow, effects);
        began_ = update();
    }
    /// A mirror that an earlier process of clusterd had serving.
    void adopt() {
        MirrorOpened opened;
        opened.marker_valid = opened.serving = true;
        opened.term = {5, 5};
        step(opened);
    }
    void follow(Instant now = kNow) {
        Report peer;
        peer.module_id = record_.module_id;
        peer.chain = record_.chain;
        peer.activity = Activity::Following;
        peer.term = {5, 5};
        peer.data_ok = true;
        peer.witness = peer.witness_configured = settings_.witness;
        step(PeerReported{peer}, now);
    }
    bool step(const Event& event, Instant now = kNow) {
        effects_.clear();
        machine_->step(now, event, effects_);
        return began_ = update(true, now);
    }
    bool update(bool durable = true, Instant now = kNow) {
        return keeper_.update(*machine_, lease_, durable, now);
    }
    /// The answer to the flush that the last step ordered.
    bool flushed() {
        std::uint64_t token = 0;
        for (const Effect& effect : effects_) {
            if (const auto* flush = std::get_if<MakeDurable>(&effect)) token = flush->token;
        }
        return step(MadeDurable{token});
    }

    Settings settings_;
    Record record_;
    std::optional<Machine> machine_;
    std::vector<Effect> effects_;
    LeaseKeeper keeper_{kBound};
    Lease lease_;
    bool began_ = false;
};

TEST_F(LeaseOfAPrimary, ItIsBoundWhileTheOtherNodeMayTakeOver) {
    start();
    EXPECT_FALSE(lease_.bounded());
    lease_.confirm(Lease::By::Mirror, kNow - 1s);
    adopt();
    EXPECT_TRUE(began_);
    EXPECT_EQ(lease_.expiry(), kNow - 1s + kBound) << "nobody has agreed to anything now";
}

TEST_F(LeaseOfAPrimary, UnderSafeNobodyTakesOverUnasked) {
    settings_.policy = Policy::Safe;
    start();
    adopt();
    EXPECT_FALSE(lease_.bounded());
}

TEST_F(LeaseOfAPrimary, AloneByItsPolicyItIsNotBound) {
    start();
    lease_.confirm(Lease::By::Mirror, kNow);
    adopt();
    follow();
    step(PeerSilent{});
    EXPECT_FALSE(machine_->bounded()) << "it goes on alone as soon as its copy is durable";
    flushed();
    EXPECT_EQ(machine_->record().chain.head().decision.in_sync, InSync::only(Node::First));
    EXPECT_FALSE(lease_.bounded());
}

/// That this node hears again says nothing of when the other one heard it.
TEST_F(LeaseOfAPrimary, ASilenceThatEndsGivesNoTime) {
    start();
    lease_.confirm(Lease::By::Mirror, kNow);
    adopt();
    follow();
    step(PeerSilent{}, kNow + 1s);
    ASSERT_FALSE(lease_.bounded()) << "its copy is not durable yet";
    follow(kNow + 1200ms);
    EXPECT_TRUE(began_);
    EXPECT_EQ(lease_.expiry(), kNow + kBound);
}

/// It cannot have taken over before it is told, and that is later.
TEST_F(LeaseOfAPrimary, AJoinerIsCountedFromNow) {
    record_.chain.append(entry(3, InSync::only(Node::First), true));
    start();
    lease_.confirm(Lease::By::Mirror, kNow - 1s);
    adopt();
    step(AddressesHeld{});
    step(UnitsStarted{});
    Report peer;
    peer.module_id = record_.module_id;
    peer.chain = record_.chain;
    peer.activity = Activity::Rebuilding;
    peer.outdated = peer.data_ok = true;
    peer.term = {5, 5};
    peer.attempt = 4;
    step(PeerReported{peer});
    std::uint64_t token = 0;
    for (const Effect& effect : effects_) {
        if (const auto* resync = std::get_if<StartResync>(&effect)) token = resync->token;
    }
    ASSERT_FALSE(lease_.bounded());
    step(JoinReady{token});
    ASSERT_EQ(count<TellIn>(effects_), 1U);
    EXPECT_EQ(lease_.expiry(), kNow + kBound);
}

TEST_F(LeaseOfAPrimary, WithAWitnessItIsBoundUntilThatHasSpoken) {
    settings_.witness = record_.witness = {7, 7};
    start();
    lease_.confirm(Lease::By::Mirror, kNow);
    adopt();
    follow();
    step(RegisterShown{registered(record_.module_id, record_.chain, 0)});
    step(PeerSilent{});
    flushed();
    ASSERT_EQ(count<AskWitness>(effects_), 1U);
    EXPECT_TRUE(lease_.bounded());
    const auto asked = machine_->record().exchange->decision;
    Chain chain = record_.chain;
    chain.append({asked});
    step(RegisterShown{registered(record_.module_id, chain, 0)});
    EXPECT_FALSE(lease_.bounded());
}

TEST_F(LeaseOfAPrimary, ItEndsWhenWhatEndsItIsDurable) {
    lease_.begin(kNow, kBound);
    record_.chain.append(entry(3, InSync::only(Node::First), true));
    start();
    EXPECT_TRUE(lease_.bounded()) << "what an earlier process holds is not given up yet";
    MirrorOpened opened;
    opened.marker_valid = opened.serving = true;
    effects_.clear();
    machine_->step(kNow, opened, effects_);
    update(false);
    EXPECT_TRUE(lease_.bounded());
    update(true);
    EXPECT_FALSE(lease_.bounded());
}

TEST_F(LeaseOfAPrimary, WhatIsAdoptedIsAdoptedUnderItsLease) {
    lease_.begin(kNow - 9s, kBound);
    start();
    adopt();
    EXPECT_FALSE(began_);
    EXPECT_TRUE(lease_.expired(kNow));
}

/// The other node's silence began when it heard this one last, not when the witness agreed.
TEST_F(LeaseOfAPrimary, WhatIsHandedOverIsHeldByWhatWasConfirmed) {
    settings_ = settings_of(Node::Second);
    settings_.witness = record_.witness = {7, 7};
    start();
    MirrorOpened opened;
    opened.marker_valid = opened.following = true;
    opened.term = {5, 5};
    step(opened);
    step(RegisterShown{registered(record_.module_id, record_.chain, 0)});
    Report ceding;
    ceding.module_id = record_.module_id;
    ceding.chain = record_.chain;
    ceding.activity = Activity::Ceding;
    ceding.witness = ceding.witness_configured = settings_.witness;
    ceding.ceding = entry(3, InSync::both(), false).decision;
    ceding.ceding->primary = Node::Second;
    ceding.ceding->cause = Cause::Swap;
    step(PeerReported{ceding}, kNow - 1s);
    lease_.confirm(Lease::By::Heartbeat, kNow - 1s);
    step(Sealed{Epoch{2}});
    flushed();
    ASSERT_EQ(count<AskWitness>(effects_), 1U);
    Chain chain = record_.chain;
    chain.append({*ceding.ceding});
    step(RegisterShown{registered(record_.module_id, chain, 0)});
    ASSERT_EQ(machine_->phase(), Phase::Promoting);
    EXPECT_TRUE(began_);
    EXPECT_EQ(lease_.expiry(), kNow - 1s + kBound);
}

TEST_F(LeaseOfAPrimary, RunOutItGivesTheModuleUpByForce) {
    start();
    adopt();
    follow();
    step(LeaseExpired{});
    EXPECT_EQ(machine_->phase(), Phase::Demoting);
    EXPECT_EQ(count<DropAddresses>(effects_), 1U);
    EXPECT_EQ(count<KillUnits>(effects_), 1U);
    EXPECT_EQ(count<FailHeld>(effects_), 1U);
    EXPECT_TRUE(lease_.bounded()) << "not before everything is given up";
    for (const Event& event : std::initializer_list<Event>{AddressesDropped{}, UnitsGone{}}) {
        step(event);
    }
    step(HeldFailed{});
    EXPECT_EQ(machine_->phase(), Phase::Waiting);
    EXPECT_FALSE(lease_.bounded());
}

/// The workers have let go by then, each by itself: a machine that is not told serves nothing.
TEST_F(LeaseOfAPrimary, RunOutItDoesNotEndBeforeTheMachineIsTold) {
    start();
    lease_.confirm(Lease::By::Heartbeat, kNow);
    adopt();
    follow();
    const Instant later = kNow + kBound;
    ASSERT_TRUE(lease_.expired(later)) << "a worker asks first";
    step(PeerSilent{}, later);
    ASSERT_FALSE(machine_->bounded());
    EXPECT_TRUE(lease_.expired(later)) << "or LeaseExpired never comes";
    step(LeaseExpired{}, later);
    EXPECT_EQ(machine_->phase(), Phase::Demoting);
}

TEST_F(LeaseOfAPrimary, RunOutItEndsWhenTheNodeServesAnewAlone) {
    settings_.witness = record_.witness = {7, 7};
    start();
    lease_.confirm(Lease::By::Heartbeat, kNow);
    adopt();
    follow();
    step(RegisterShown{registered(record_.module_id, record_.chain, 0)});
    ASSERT_TRUE(lease_.expired(kNow + kBound));
    step(PeerSilent{});
    flushed();
    Chain chain = record_.chain;
    chain.append({machine_->record().exchange->decision});
    step(RegisterShown{registered(record_.module_id, chain, 0)});
    for (const Event& event : std::initializer_list<Event>{LeaseExpired{}, AddressesDropped{},
                                                           UnitsGone{}, HeldFailed{}}) {
        EXPECT_TRUE(lease_.expired(kNow));
        step(event);
    }
    EXPECT_EQ(machine_->phase(), Phase::Promoting);
    EXPECT_FALSE(lease_.bounded());
}

/// What it was agreed by may have been long on its way, and the other one has waited since.
TEST_F(LeaseOfAPrimary, WhoBeginsToServeHoldsByWhatWasConfirmed) {
    settings_ = settings_of(Node::Second);
    settings_.witness = record_.witness = {7, 7};
    start();
    MirrorOpened opened;
    opened.marker_valid = opened.following = true;
    opened.term = {5, 5};
    step(opened);
    step(RegisterShown{registered(record_.module_id, record_.chain, 0)});
    lease_.confirm(Lease::By::Heartbeat, kNow);
    ChainEntry swap = entry(3, InSync::both(), false);
    swap.decision.primary = Node::Second;
    swap.decision.cause = Cause::Swap;
    Report peer;
    peer.module_id = record_.module_id;
    peer.chain = record_.chain;
    peer.activity = Activity::Ceding;
    peer.ceding = swap.decision;
    peer.witness = peer.witness_configured = settings_.witness;
    step(PeerReported{peer});
    step(Sealed{Epoch{2}});
    flushed();
    ASSERT_EQ(count<AskWitness>(effects_), 1U);
    Chain chain = record_.chain;
    chain.append(swap);
    const Instant later = kNow + 20s;
    step(RegisterShown{registered(record_.module_id, chain, 0)}, later);
    ASSERT_EQ(machine_->phase(), Phase::Promoting);
    EXPECT_EQ(lease_.expiry(), kNow + kBound);
    EXPECT_TRUE(lease_.expired(later));
}

/// R4: a node without a role that was the other one's member leaves a living primary its time.
TEST_F(LeaseOfAPrimary, ANodeWithoutARoleTakesOverNoSoonerThanASecondary) {
    settings_ = settings_of(Node::Second);
    settings_.witness = record_.witness = {7, 7};
    start();
    MirrorOpened opened;
    opened.marker_valid = true;
    step(opened);
    for (const Event& event :
         std::initializer_list<Event>{AddressesDropped{}, UnitsGone{}, HeldFailed{}}) {
        step(event);
    }
    ASSERT_EQ(machine_->phase(), Phase::Waiting);
    step(PeerSilent{}, kNow + 1s);
    step(RegisterShown{registered(record_.module_id, record_.chain, 0)}, kNow + 1s);
    step(DeadlinePassed{}, kNow + 31s);  // boot_wait
    EXPECT_EQ(count<MakeDurable>(effects_), 0U);
    step(PeerOverdue{}, kNow + 32s);
    EXPECT_EQ(count<MakeDurable>(effects_), 1U);
}

}  // namespace
}  // namespace ha::cluster
