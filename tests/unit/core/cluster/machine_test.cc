// What the machine answers; what it does is the simulator's (tests/sim).
#include "core/cluster/machine.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "past.h"

namespace ha::cluster {
namespace {

class NewModule : public testing::Test {
  protected:
    void SetUp() override {
        Settings settings;
        settings.module = "db";
        Record record;
        record.wanted = true;
        machine_.emplace(settings, record, Id128{9, 9}, Id128{1, 2});
        std::vector<Effect> effects;
        machine_->begin(Instant{}, effects);
        machine_->workers_ready(Instant{}, effects);
        MirrorOpened opened;
        opened.marker_absent = true;
        step(opened);
        step(AddressesDropped{});
        step(UnitsGone{});
        step(HeldFailed{});
    }
    std::vector<Effect> step(const Event& event) {
        std::vector<Effect> effects;
        machine_->step(Instant{}, event, effects);
        return effects;
    }
    /// The text of the refusal; empty: it was none.
    std::string refusal(const Event& event) {
        std::string text;
        for (const auto& effect : step(event)) {
            if (const auto* refuse = std::get_if<Refuse>(&effect)) text = refuse->text;
        }
        return text;
    }

    std::optional<Machine> machine_;
};

TEST_F(NewModule, RefusalsRepeatWhatIsNeeded) {
    const Status status = machine_->status();
    EXPECT_EQ(status.reason.code, "nobody-knows");
    EXPECT_EQ(status.readiness, Readiness::Blocked);
    EXPECT_EQ(refusal(StartRequested{}), status.reason.text);
    EXPECT_EQ(refusal(SwapRequested{}), "There are no roles to exchange. " + status.reason.text);
}

TEST_F(NewModule, ASourceIsNoRefusal) {
    StartRequested start;
    start.as_source = true;
    EXPECT_EQ(refusal(start), "");
    EXPECT_EQ(machine_->status().state, State::Alone);
}

/// An operator who types it right after the target was started meets the clearing away of what may
/// have been left here.
TEST(Machine, ASourceThatIsNamedWhileTheModuleOpensIsTheSource) {
    Settings settings = settings_of(Node::First);
    Record record;
    record.wanted = true;
    Machine machine(settings, record, Id128{9, 9}, Id128{1, 2});
    std::vector<Effect> effects;
    machine.begin(Instant{}, effects);
    machine.workers_ready(Instant{}, effects);
    MirrorOpened opened;
    opened.marker_absent = true;
    machine.step(Instant{}, opened, effects);
    ASSERT_EQ(machine.phase(), Phase::Demoting);
    effects.clear();
    machine.step(Instant{}, StartRequested{true}, effects);
    EXPECT_EQ(count<Refuse>(effects), 0U);
    for (const Event& event :
         std::initializer_list<Event>{AddressesDropped{}, UnitsGone{}, HeldFailed{}}) {
        machine.step(Instant{}, event, effects);
    }
    EXPECT_EQ(machine.status().state, State::Alone);
    EXPECT_EQ(machine.record().chain.head().decision.cause, Cause::Birth);
}

TEST(Machine, NothingIsOverruledWhileAModuleIsGivenUp) {
    Record record;
    record.wanted = true;
    record.module_id = {1, 1};
    record.chain.append(entry(1, InSync::only(Node::First), true));
    Machine machine(settings_of(Node::First), record, Id128{9, 9}, Id128{1, 2});
    std::vector<Effect> effects;
    machine.begin(Instant{}, effects);
    machine.workers_ready(Instant{}, effects);
    MirrorOpened opened;
    opened.marker_valid = true;
    machine.step(Instant{}, opened, effects);
    ASSERT_EQ(machine.phase(), Phase::Demoting);
    effects.clear();
    machine.step(Instant{}, StartRequested{true}, effects);
    EXPECT_EQ(count<Refuse>(effects), 1U);
    effects.clear();
    machine.step(Instant{}, StartRequested{}, effects);
    EXPECT_EQ(count<Refuse>(effects), 0U) << "it is being started";
}

// ---- machines with a past

TEST(Machine, AnOvertakenNodeWaitsForTheReportOfTheDecision) {
    Record record;
    record.wanted = true;
    record.module_id = {1, 1};
    record.chain.append(entry(1, InSync::only(Node::First), true));
    record.chain.append(entry(2, InSync::both(), true));
    Machine machine(settings_of(Node::Second), record, Id128{9, 9}, Id128{1, 2});
    std::vector<Effect> effects;
    machine.begin(Instant{}, effects);
    machine.workers_ready(Instant{}, effects);
    MirrorOpened opened;
    opened.marker_valid = opened.following = true;
    opened.term = {5, 5};
    machine.step(Instant{}, opened, effects);
    Report peer;
    peer.module_id = {1, 1};
    peer.chain = record.chain;
    peer.activity = Activity::Serving;
    peer.term = {5, 5};
    peer.data_ok = true;
    machine.step(Instant{}, PeerReported{peer}, effects);
    machine.step(Instant{}, PeerSilent{}, effects);
    machine.step(Instant{}, PeerOverdue{}, effects);
    ASSERT_EQ(machine.phase(), Phase::Sealing);
    machine.step(Instant{}, Sealed{Epoch{2}}, effects);
    effects.clear();
    machine.step(Instant{}, PeerAhead{}, effects);
    EXPECT_EQ(machine.phase(), Phase::Waiting);
    EXPECT_FALSE(machine.in_contact()) << "what it said before it decided holds no more";
    EXPECT_EQ(count<FollowMirror>(effects), 0U);

    peer.chain.append(entry(3, InSync::only(Node::First), true));
    machine.step(Instant{}, PeerReported{peer}, effects);
    EXPECT_EQ(machine.phase(), Phase::Rebuilding);
    EXPECT_FALSE(machine.overtaken(Epoch{3}, Id128{3, 9}));
}

class BornHere : public testing::Test {
  protected:
    void open(bool used, bool never_stamped) {
        Record record;
        record.wanted = true;
        record.module_id = {1, 1};
        record.chain.append(entry(1, InSync::only(Node::First), used));
        machine_.emplace(settings_of(Node::First), record, Id128{9, 9}, Id128{1, 2});
        std::vector<Effect> effects;
        machine_->begin(Instant{}, effects);
        machine_->workers_ready(Instant{}, effects);
        MirrorOpened opened;
        opened.marker_absent = true;
        opened.never_stamped = never_stamped;
        machine_->step(Instant{}, opened, effects);
    }
    std::optional<Machine> machine_;
};

TEST_F(BornHere, ATreeThatWasNotMarkedYetIsTheModules) {
    open(false, true);
    EXPECT_NE(machine_->status().reason.code, "data-missing");
}

TEST_F(BornHere, ATreeThatLostItsMarkIsNot) {
    open(false, false);
    EXPECT_EQ(machine_->status().reason.code, "data-missing");
    open(true, true);
    EXPECT_EQ(machine_->status().reason.code, "data-missing") << "something was promised";
}

TEST(Machine, AStopWhoseWorkersNeverComeEnds) {
    Record record;
    record.wanted = true;
    Machine machine(settings_of(Node::First), record, Id128{9, 9}, Id128{1, 2});
    std::vector<Effect> effects;
    machine.begin(Instant{}, effects);
    machine.step(Instant{}, StopRequested{false, true}, effects);
    auto deadline = machine.next_deadline();
    ASSERT_TRUE(deadline);
    effects.clear();
    machine.step(*deadline, DeadlinePassed{}, effects);
    EXPECT_EQ(count<CloseMirror>(effects), 1U);
    machine.step(*deadline, MirrorFailed{"start-failed", "shutting down"}, effects);
    EXPECT_EQ(machine.phase(), Phase::Stopped);
}

/// The witness took an operator's word while this node was stopped, and the other node, which heard
/// of it first, is the one that says so.
TEST(Machine, AForcedDecisionThatThePeerReportsIsStillOurs) {
    Record record;
    record.module_id = {1, 1};
    record.outdated = true;
    record.chain.append(entry(1, InSync::only(Node::First), true));
    Decision forced;
    forced.number = Epoch{2};
    forced.id = {2, 2};
    forced.parent = record.chain.head().decision.id;
    forced.primary = Node::Second;
    forced.in_sync = InSync::only(Node::Second);
    forced.cause = Cause::Forced;
    record.exchange = Exchange{forced.parent, forced};
    Machine machine(settings_of(Node::Second), record, Id128{9, 9}, Id128{1, 2});
    std::vector<Effect> effects;
    machine.begin(Instant{}, effects);
    Report peer;
    peer.module_id = record.module_id;
    peer.chain = record.chain;
    peer.chain.append({forced});
    peer.outdated = true;
    machine.step(Instant{}, PeerReported{peer}, effects);
    EXPECT_EQ(machine.record().chain.head().decision.id, forced.id);
    EXPECT_FALSE(machine.record().outdated);
}

/// R12 for an operator's word, too: what the lost primary sent must not be applied after it.
TEST(Machine, AForcedStartSealsAndFlushesFirst) {
    Record record;
    record.wanted = true;
    record.module_id = {1, 1};
    record.chain.append(entry(1, InSync::only(Node::First), true));
    record.chain.append(entry(2, InSync::both(), true));
    Machine machine(settings_of(Node::Second), record, Id128{9, 9}, Id128{1, 2});
    std::vector<Effect> effects;
    machine.begin(Instant{}, effects);
    machine.workers_ready(Instant{}, effects);
    MirrorOpened opened;
    opened.marker_valid = true;
    for (const Event& event :
         std::initializer_list<Event>{opened, AddressesDropped{}, UnitsGone{}, HeldFailed{},
                                      StartRequested{false, machine.knowledge()}}) {
        machine.step(Instant{}, event, effects);
    }
    EXPECT_EQ(count<SealMirror>(effects), 1U);
    EXPECT_EQ(count<ServeMirror>(effects), 0U);
    machine.step(Instant{}, Sealed{Epoch{2}}, effects);
    ASSERT_EQ(count<MakeDurable>(effects), 1U);
    std::uint64_t token = 0;
    for (const Effect& effect : effects) {
        if (const auto* flush = std::get_if<MakeDurable>(&effect)) token = flush->token;
    }
    machine.step(Instant{}, MadeDurable{token}, effects);
    EXPECT_EQ(count<ServeMirror>(effects), 1U);
    EXPECT_EQ(machine.record().chain.head().decision.cause, Cause::Forced);
}

/// A secondary of a pair with a witness whose primary is gone, sealed and flushed.
class WithWitness : public testing::Test {
  protected:
    void SetUp() override {
        record_.wanted = true;
        record_.module_id = {1, 1};
        record_.chain.append(entry(1, InSync::only(Node::First), true));
        record_.chain.append(entry(2, InSync::both(), true));
        settings_ = settings_of(Node::Second);
        settings_.witness = record_.witness = {7, 7};
        machine_.emplace(settings_, record_, Id128{9, 9}, Id128{1, 2});
        machine_->begin(Instant{}, effects_);
        machine_->workers_ready(Instant{}, effects_);
        MirrorOpened opened;
        opened.marker_valid = opened.following = true;
        opened.term = {5, 5};
        step(opened);
    }
    void step(const Event& event) {
        effects_.clear();
        machine_->step(Instant{}, event, effects_);
    }
    RegisterShown shows(const Chain& chain) {
        return {registered(record_.module_id, chain, settings_.rules)};
    }
    void lose_primary() {
        step(PeerSilent{});
        step(PeerOverdue{});
        step(Sealed{Epoch{2}});
        std::uint64_t token = 0;
        for (const Effect& effect : effects_) {
            if (const auto* flush = std::get_if<MakeDurable>(&effect)) token = flush->token;
        }
        step(MadeDurable{token});
    }
    bool told(const std::string& code) const {
        return std::any_of(effects_.begin(), effects_.end(), [&](const Effect& effect) {
            const auto* tell = std::get_if<Tell>(&effect);
            return tell != nullptr && tell->code == code;
        });
    }
    /// What is asked for, which has to be recorded before.
    std::optional<Registered> asked() {
        bool recorded = false;
        for (const Effect& effect : effects_) {
            const auto* persist = std::get_if<Persist>(&effect);
            if (persist != nullptr) recorded = persist->record.exchange.has_value();
            const auto* ask = std::get_if<AskWitness>(&effect);
            if (ask == nullptr) continue;
            EXPECT_TRUE(recorded || machine_->record().exchange.has_value());
            return ask->value;
        }
        return std::nullopt;
    }

    Settings settings_;
    Record record_;
    std::optional<Machine> machine_;
    std::vector<Effect> effects_;
};

TEST_F(WithWitness, ATakeoverIsDecidedWhenTheRegisterShowsIt) {
    step(shows(record_.chain));
    lose_primary();
    auto wanted = asked();
    ASSERT_TRUE(wanted);
    EXPECT_EQ(count<ServeMirror>(effects_), 0U);

    step(shows(record_.chain));  // it may still arrive: asked again under the same id
    auto again = asked();
    ASSERT_TRUE(again);
    EXPECT_EQ(again->decision, wanted->decision);

    EXPECT_FALSE(told("takeover"));

    step(RegisterShown{wanted});
    EXPECT_EQ(count<ServeMirror>(effects_), 1U);
    EXPECT_TRUE(told("takeover"));
    EXPECT_EQ(machine_->record().chain.head().confirmation, Confirmation::Register);
    EXPECT_FALSE(machine_->record().exchange);
}

TEST_F(WithWitness, WhoeverLosesTheExchangeObeys) {
    step(shows(record_.chain));
    lose_primary();
    ASSERT_TRUE(asked());
    Chain theirs = record_.chain;
    theirs.append(entry(3, InSync::only(Node::First), true));
    step(shows(theirs));
    EXPECT_EQ(count<ServeMirror>(effects_), 0U);
    EXPECT_TRUE(machine_->record().outdated);
    EXPECT_FALSE(machine_->record().exchange);
    EXPECT_EQ(machine_->phase(), Phase::Waiting);
}

TEST_F(WithWitness, NobodyTakesOverWhileTheWitnessIsAway) {
    lose_primary();
    EXPECT_FALSE(asked());
    EXPECT_FALSE(machine_->record().exchange) << "nothing was sent, so nothing binds";
    EXPECT_EQ(machine_->phase(), Phase::Sealing);
    step(shows(record_.chain));
    EXPECT_TRUE(asked());
}

TEST_F(WithWitness, AnOpenExchangeSurvivesARestartAndConsentsToNothing) {
    step(shows(record_.chain));
    lose_primary();
    auto wanted = asked();
    ASSERT_TRUE(wanted);
    record_ = machine_->record();
    machine_.emplace(settings_, record_, Id128{9, 9}, Id128{7, 7});
    effects_.clear();
    machine_->begin(Instant{}, effects_);
    Report peer;
    peer.module_id = {1, 1};
    peer.chain = record_.chain;
    peer.activity = Activity::Serving;
    peer.proposal = entry(3, InSync::only(Node::First), false).decision;
    for (const Effect& effect : effects_) {
        const auto* sent = std::get_if<SendReport>(&effect);
        if (sent != nullptr) peer.withdrawn_heard = sent->report.withdrawn;
    }
    step(PeerReported{peer});
    EXPECT_EQ(machine_->record().chain.head().decision.number, Epoch{2});
    step(shows(record_.chain));
    ASSERT_TRUE(asked());
    EXPECT_EQ(asked()->decision, wanted->decision);
}

/// R7: what the sender lost may be here, and the two have met: this node leads.
TEST_F(WithWitness, NobodyAgreesToLeaveForANodeThatLostPower) {
    Report peer;
    peer.module_id = {1, 1};
    peer.chain = record_.chain;
    peer.witness = peer.witness_configured = settings_.witness;
    peer.activity = Activity::Waiting;
    peer.data_ok = true;
    peer.power_lost = true;
    peer.proposal = entry(3, InSync::only(Node::First), false).decision;
    step(PeerReported{peer});
    EXPECT_FALSE(machine_->record().outdated);
    EXPECT_EQ(machine_->record().chain.head().decision.number, Epoch{2});
}

TEST_F(WithWitness, ALossThatWasAcceptedIsNotProposed) {
    settings_ = settings_of(Node::First);
    settings_.witness = record_.witness;
    record_.open_boot = {3, 3};
    machine_.emplace(settings_, record_, Id128{9, 9}, Id128{1, 2});
    machine_->begin(Instant{}, effects_);
    machine_->workers_ready(Instant{}, effects_);
    MirrorOpened opened;
    opened.marker_valid = true;
    for (const Event& event : std::initializer_list<Event>{opened, AddressesDropped{}, UnitsGone{},
                                                           HeldFailed{}, shows(record_.chain)}) {
        step(event);
    }
    effects_.clear();
    const Instant boot_wait = *machine_->next_deadline();
    machine_->step(boot_wait, DeadlinePassed{}, effects_);
    const auto* flush = std::get_if<MakeDurable>(&effects_.at(0));
    ASSERT_NE(flush, nullptr);
    step(MadeDurable{flush->token});
    ASSERT_TRUE(asked()) << "the other node was not seen, and the witness answers";

    Report peer;
    peer.module_id = {1, 1};
    peer.chain = record_.chain;
    peer.witness = peer.witness_configured = settings_.witness;
    peer.activity = Activity::Following;
    peer.data_ok = true;
    step(PeerReported{peer});
    for (const Effect& effect : effects_) {
        const auto* sent = std::get_if<SendReport>(&effect);
        EXPECT_TRUE(sent == nullptr || !sent->report.proposal);
    }
    EXPECT_TRUE(machine_->record().exchange) << "it may still arrive (R6)";
}

}  // namespace
}  // namespace ha::cluster
