#include <gtest/gtest.h>

#include "past.h"

// An operator's word for a node's data: --as-source where nobody has any, --force where the module
// knows better.

namespace ha::cluster {
namespace {

/// node2, which was in sync when it saw node1, the primary, last.
class Force : public testing::Test {
  protected:
    void SetUp() override {
        record_.wanted = true;
        record_.module_id = {1, 1};
        record_.chain.append(entry(1, InSync::only(Node::First), true));
        record_.chain.append(entry(2, InSync::both(), true));
    }
    void begin() {
        Settings settings = settings_of(Node::Second);
        settings.witness = record_.witness;
        machine_.emplace(settings, record_, Id128{9, 9}, Id128{1, 2});
        std::vector<Effect> effects;
        machine_->begin(Instant{}, effects);
        machine_->workers_ready(Instant{}, effects);
    }
    static MirrorOpened opened(bool marked) {
        MirrorOpened fact;
        fact.marker_valid = marked;
        fact.marker_absent = !marked;
        return fact;
    }
    void wait() {
        begin();
        for (const Event& event : std::initializer_list<Event>{opened(true), AddressesDropped{},
                                                               UnitsGone{}, HeldFailed{}}) {
            step(event);
        }
        ASSERT_EQ(machine_->phase(), Phase::Waiting);
    }
    std::vector<Effect> step(const Event& event) {
        std::vector<Effect> effects;
        machine_->step(Instant{}, event, effects);
        return effects;
    }
    static std::string refused(const std::vector<Effect>& effects) {
        for (const Effect& effect : effects) {
            if (const auto* refuse = std::get_if<Refuse>(&effect)) return refuse->code;
        }
        return "";
    }
    std::string refusal(const Event& event) { return refused(step(event)); }
    StartRequested forced() { return {false, machine_->knowledge()}; }
    std::vector<Effect> sealed_and_flushed() {
        const auto effects = step(Sealed{machine_->record().chain.head().decision.number});
        for (const Effect& effect : effects) {
            if (const auto* flush = std::get_if<MakeDurable>(&effect)) {
                return step(MadeDurable{flush->token});
            }
        }
        ADD_FAILURE() << "no flush";
        return {};
    }
    /// Of node1, by default as this node saw it last.
    Report peer(Activity activity = Activity::Waiting) {
        Report report;
        report.module_id = record_.module_id;
        report.chain = record_.chain;
        report.activity = activity;
        report.data_ok = true;
        return report;
    }
    /// node1 has gone on alone and so has this node.
    void diverge() {
        ChainEntry mine = entry(3, InSync::only(Node::Second), true);
        mine.decision.primary = Node::Second;
        record_.chain.append(mine);
    }
    Report diverged_peer(Activity activity = Activity::Waiting) {
        Report report = peer(activity);
        report.chain = Chain{};
        for (std::uint64_t number : {1, 2}) {
            report.chain.append(
                entry(number, number == 1 ? InSync::only(Node::First) : InSync::both(), true));
        }
        ChainEntry theirs = entry(3, InSync::only(Node::First), true);
        theirs.decision.id = {3, 8};
        report.chain.append(theirs);
        return report;
    }
    [[nodiscard]] const Decision& head() const { return machine_->record().chain.head().decision; }

    Record record_;
    std::optional<Machine> machine_;
};

TEST_F(Force, OverrulesWhatTheModuleKnows) {
    wait();
    EXPECT_EQ(refusal(forced()), "");
    sealed_and_flushed();
    EXPECT_EQ(machine_->phase(), Phase::Promoting);
    EXPECT_EQ(head().cause, Cause::Forced);
    EXPECT_EQ(head().in_sync, InSync::only(Node::Second));
}

TEST_F(Force, AsSourceIsForAModuleWithoutData) {
    wait();
    const auto effects = step(StartRequested{true});
    EXPECT_EQ(refused(effects), "has-data");
    EXPECT_NE(std::get<Refuse>(effects.front()).text.find("hamirrorctl start db --force"),
              std::string::npos);
    EXPECT_EQ(machine_->phase(), Phase::Waiting);
    EXPECT_EQ(count<SealMirror>(effects), 0U);
}

TEST_F(Force, AsSourceDoesNotOpenAModuleWithData) {
    record_.wanted = false;
    begin();
    const auto effects = step(StartRequested{true});
    EXPECT_EQ(refused(effects), "has-data");
    EXPECT_EQ(count<OpenMirror>(effects), 0U);
    EXPECT_EQ(machine_->phase(), Phase::Stopped);
}

TEST_F(Force, NothingIsThereToForceWithoutData) {
    record_ = Record{};
    record_.wanted = true;
    begin();
    for (const Event& event : std::initializer_list<Event>{opened(false), AddressesDropped{},
                                                           UnitsGone{}, HeldFailed{}}) {
        step(event);
    }
    EXPECT_EQ(refusal(forced()), "no-data");
    EXPECT_EQ(refusal(StartRequested{true}), "");
    EXPECT_EQ(head().cause, Cause::Birth);
}

TEST_F(Force, AnOrderOnAnOutdatedViewIsRefused) {
    wait();
    const StartRequested order = forced();
    step(PeerReported{peer(Activity::Opening)});
    EXPECT_EQ(refusal(order), "view-outdated") << "it is seen now";
    step(PeerSilent{});
    EXPECT_EQ(refusal(order), "view-outdated") << "its last decision is known now";
    EXPECT_EQ(head().number, Epoch{2});
    EXPECT_EQ(refusal(forced()), "");
    EXPECT_EQ(machine_->phase(), Phase::Sealing);
}

TEST_F(Force, ANewerDecisionHereIsAnotherViewToo) {
    wait();
    const StartRequested order = forced();
    Report newer = peer(Activity::Serving);
    newer.chain.append(entry(3, InSync::only(Node::First), true));
    step(PeerReported{newer});
    EXPECT_EQ(refusal(order), "view-outdated");
    EXPECT_EQ(head().number, Epoch{3});
}

TEST_F(Force, APeerThatShowsUpDuringTheFlushStopsIt) {
    wait();
    ASSERT_EQ(refusal(forced()), "");
    step(PeerReported{peer(Activity::Serving)});
    const auto effects = sealed_and_flushed();
    EXPECT_EQ(count<ServeMirror>(effects), 0U);
    EXPECT_EQ(machine_->phase(), Phase::Waiting);
    EXPECT_EQ(head().number, Epoch{2});
}

TEST_F(Force, AStoppedModuleIsOpenedAndTheViewLookedAtAgain) {
    record_.wanted = false;
    begin();
    const auto opening = step(forced());
    EXPECT_EQ(refused(opening), "");
    EXPECT_EQ(count<OpenMirror>(opening), 1U);
    step(PeerReported{peer(Activity::Waiting)});
    step(opened(true));
    step(AddressesDropped{});
    step(UnitsGone{});
    EXPECT_EQ(refused(step(HeldFailed{})), "view-outdated");
    EXPECT_EQ(head().number, Epoch{2});
}

TEST_F(Force, ALivingPrimaryIsNotOverruled) {
    wait();
    step(PeerReported{peer(Activity::Opening)});
    EXPECT_EQ(refusal(forced()), "peer-has-data");
    EXPECT_EQ(machine_->phase(), Phase::Waiting);
}

TEST_F(Force, ADivergenceIsResolvedWhereNobodyServes) {
    diverge();
    wait();
    step(PeerReported{diverged_peer()});
    ASSERT_EQ(machine_->status().reason.code, "diverged");
    EXPECT_NE(machine_->status().reason.text.find("hamirrorctl start db --force"),
              std::string::npos);
    EXPECT_EQ(refusal(StartRequested{true}), "has-data");
    ASSERT_EQ(refusal(forced()), "");
    step(MadeDurable{});
    for (std::uint64_t token = 0; machine_->phase() == Phase::Sealing && token < 4; ++token) {
        step(MadeDurable{token});
    }
    EXPECT_EQ(machine_->phase(), Phase::Promoting);
    EXPECT_EQ(head().overrides, (Id128{3, 8}));
}

TEST_F(Force, TheSideThatServesIsChosenLive) {
    diverge();
    wait();
    step(PeerSilent{});
    step(PeerOverdue{});
    std::vector<Effect> effects;
    machine_->step(Instant{} + 31s, DeadlinePassed{}, effects);
    ASSERT_EQ(machine_->phase(), Phase::Promoting);
    step(MirrorServing{});
    step(AddressesHeld{});
    step(UnitsStarted{});
    ASSERT_EQ(machine_->phase(), Phase::Serving);
    EXPECT_EQ(refusal(forced()), "already-serving");
    const StartRequested before = forced();
    step(PeerReported{diverged_peer()});
    EXPECT_EQ(refusal(before), "view-outdated");
    EXPECT_EQ(refusal(StartRequested{true}), "has-data");
    EXPECT_EQ(refusal(forced()), "");
    EXPECT_EQ(head().overrides, (Id128{3, 8}));
    EXPECT_EQ(machine_->phase(), Phase::Serving);
}

/// R10: neither knows of the other's data.
TEST_F(Force, OfTwoModulesOfOneNameOneIsNamedAsSource) {
    wait();
    Report stranger = peer();
    stranger.module_id = {2, 2};
    stranger.chain = Chain{};
    ChainEntry birth = entry(1, InSync::only(Node::First), true);
    birth.decision.id = {1, 7};
    stranger.chain.append(birth);
    step(PeerReported{stranger});
    ASSERT_EQ(machine_->status().reason.code, "foreign");
    EXPECT_EQ(refusal(StartRequested{true}), "");
    EXPECT_EQ(machine_->phase(), Phase::Sealing);
}

TEST_F(Force, ASecondaryHasNothingToOverrule) {
    begin();
    MirrorOpened following = opened(true);
    following.following = true;
    following.term = {5, 5};
    step(following);
    ASSERT_EQ(machine_->phase(), Phase::Secondary);
    EXPECT_EQ(refusal(forced()), "peer-has-data");
    EXPECT_EQ(refusal(StartRequested{true}), "has-data");
    EXPECT_EQ(refusal(StartRequested{}), "");
    EXPECT_EQ(machine_->phase(), Phase::Secondary);
}

/// It has sealed and may not be told to serve; stopped and started it may.
TEST_F(Force, WhoWaitsForItsWitnessSaysWhatCanBeDone) {
    record_.witness = {7, 7};
    begin();
    MirrorOpened following = opened(true);
    following.following = true;
    following.term = {5, 5};
    step(following);
    step(PeerSilent{});
    step(PeerOverdue{});
    sealed_and_flushed();
    ASSERT_EQ(machine_->phase(), Phase::Sealing);
    ASSERT_EQ(machine_->status().readiness, Readiness::Blocked);
    EXPECT_EQ(refusal(forced()), "witness-unreachable");
    EXPECT_EQ(refusal(StartRequested{}), "witness-unreachable");
}

}  // namespace
}  // namespace ha::cluster
