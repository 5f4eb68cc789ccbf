// What the machine answers; what it does is the simulator's (tests/sim).
#include "core/cluster/machine.h"

#include <gtest/gtest.h>

#include <algorithm>

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

// ---- machines with a past

ChainEntry entry(std::uint64_t number, InSync in_sync, bool used) {
    ChainEntry made;
    made.decision.number = Epoch{number};
    made.decision.id = Id128{number, 9};
    if (number > 1) made.decision.parent = Id128{number - 1, 9};
    made.decision.in_sync = in_sync;
    made.used = used;
    return made;
}

Settings settings_of(Node self) {
    Settings settings;
    settings.self = self;
    settings.module = "db";
    return settings;
}

template <typename E>
std::size_t count(const std::vector<Effect>& effects) {
    return static_cast<std::size_t>(
        std::count_if(effects.begin(), effects.end(),
                      [](const Effect& effect) { return std::holds_alternative<E>(effect); }));
}

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
    for (const Event& event : std::initializer_list<Event>{opened, AddressesDropped{}, UnitsGone{},
                                                           HeldFailed{}, StartRequested{true}}) {
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

    step(RegisterShown{wanted});
    EXPECT_EQ(count<ServeMirror>(effects_), 1U);
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
    step(PeerReported{peer});
    EXPECT_EQ(machine_->record().chain.head().decision.number, Epoch{2});
    step(shows(record_.chain));
    ASSERT_TRUE(asked());
    EXPECT_EQ(asked()->decision, wanted->decision);
}

/// R14: a primary and its secondary, and cluster.yaml names another witness.
class WitnessChange : public testing::Test {
  protected:
    static constexpr Id128 kNew{8, 8};

    void SetUp() override {
        record_.wanted = true;
        record_.module_id = {1, 1};
        record_.chain.append(entry(1, InSync::only(Node::First), true));
        record_.chain.append(entry(2, InSync::both(), true));
    }
    void serve(const Id128& in_force) {
        settings_ = settings_of(Node::First);
        settings_.witness = record_.witness = in_force;
        start();
        MirrorOpened opened;
        opened.marker_valid = opened.serving = true;
        opened.term = {5, 5};
        for (const Event& event : std::initializer_list<Event>{
                 opened, MirrorServing{{5, 5}, record_.chain.head().decision.id}, AddressesHeld{},
                 UnitsStarted{}}) {
            step(event);
        }
        hear(in_force, in_force);
    }
    void follow(const Id128& in_force) {
        settings_ = settings_of(Node::Second);
        settings_.witness = record_.witness = in_force;
        start();
        MirrorOpened opened;
        opened.marker_valid = opened.following = true;
        opened.term = {5, 5};
        step(opened);
        hear(in_force, in_force);
    }
    void hear(const Id128& in_force, const Id128& configured) {
        Report peer;
        peer.module_id = record_.module_id;
        peer.chain = record_.chain;
        peer.rules = settings_.rules;
        const bool serves = settings_.self == Node::Second;
        peer.activity = serves ? Activity::Serving : Activity::Following;
        peer.term = {5, 5};
        peer.data_ok = true;
        peer.witness = in_force;
        peer.witness_configured = configured;
        if (hears_) peer.witness_heard = mark_;
        step(PeerReported{peer});
    }
    void start() {
        machine_.emplace(settings_, record_, Id128{9, 9}, Id128{1, 2});
        machine_->begin(Instant{}, effects_);
        machine_->workers_ready(Instant{}, effects_);
    }
    void step(const Event& event) {
        effects_.clear();
        machine_->step(Instant{}, event, effects_);
        for (const Effect& effect : effects_) {
            if (const auto* sent = std::get_if<SendReport>(&effect)) {
                mark_ = sent->report.witness_mark;
            }
        }
    }
    RegisterShown shows_head() {
        return {registered(record_.module_id, record_.chain, settings_.rules)};
    }
    [[nodiscard]] const Id128& in_force() const { return machine_->record().witness; }

    Settings settings_;
    Record record_;
    Id128 mark_;  // of the machine's last report
    bool hears_ = true;
    std::optional<Machine> machine_;
    std::vector<Effect> effects_;
};

TEST_F(WitnessChange, ItIsInstalledWhenBothHaveItAndInForceWhenItShowsOurHead) {
    serve({});
    step(WitnessConfigured{kNew});
    step(RegisterShown{});
    EXPECT_EQ(count<AskWitness>(effects_), 0U) << "the other node has the old file";
    hear({}, kNew);
    ASSERT_EQ(count<AskWitness>(effects_), 1U);
    EXPECT_EQ(in_force(), Id128{}) << "the exchange may be lost";
    step(shows_head());
    EXPECT_EQ(in_force(), kNew);
    EXPECT_EQ(count<Persist>(effects_), 1U);
}

TEST_F(WitnessChange, TheSecondaryChangesOverAfterThePrimary) {
    follow({});
    step(WitnessConfigured{kNew});
    step(shows_head());
    EXPECT_EQ(in_force(), Id128{});
    hear(kNew, kNew);
    EXPECT_EQ(in_force(), kNew);
}

TEST_F(WitnessChange, NobodyDecidesAloneWhileOneIsReplaced) {
    serve({7, 7});
    step(shows_head());
    step(WitnessConfigured{kNew});
    step(PeerSilent{});
    std::uint64_t token = 0;
    for (const Effect& effect : effects_) {
        if (const auto* flush = std::get_if<MakeDurable>(&effect)) token = flush->token;
    }
    step(MadeDurable{token});
    step(shows_head());
    EXPECT_EQ(machine_->record().chain.head().decision.number, Epoch{2});
    EXPECT_EQ(count<AskWitness>(effects_), 0U);
    ASSERT_TRUE(machine_->next_deadline());
    step(DeadlinePassed{});
    effects_.clear();
    machine_->step(*machine_->next_deadline(), DeadlinePassed{}, effects_);
    EXPECT_EQ(machine_->phase(), Phase::Demoting);
}

TEST_F(WitnessChange, ARemovedOneIsGivenUpByThePrimaryFirst) {
    follow({7, 7});
    step(WitnessConfigured{});
    hear({}, {7, 7});
    EXPECT_EQ(in_force(), (Id128{7, 7}));
    hear({}, {});
    EXPECT_EQ(in_force(), Id128{});
    serve({7, 7});
    step(WitnessConfigured{});
    EXPECT_EQ(in_force(), (Id128{7, 7}));
    hear({7, 7}, {});
    EXPECT_EQ(in_force(), Id128{});
}

/// It acknowledged again what was flushed for by nobody, and then the other one's consent came.
TEST_F(WitnessChange, AProposalIsRememberedByTheNextProcess) {
    serve({});
    step(PeerCopyFailed{"disk"});
    std::uint64_t token = 0;
    for (const Effect& effect : effects_) {
        if (const auto* flush = std::get_if<MakeDurable>(&effect)) token = flush->token;
    }
    step(MadeDurable{token});
    ASSERT_EQ(count<Persist>(effects_), 1U);
    ASSERT_EQ(count<SendReport>(effects_), 1U);
    const auto first = std::find_if(effects_.begin(), effects_.end(), [](const Effect& effect) {
        return std::holds_alternative<Persist>(effect) ||
               std::holds_alternative<SendReport>(effect);
    });
    ASSERT_TRUE(std::holds_alternative<Persist>(*first)) << "before it is said";
    record_ = std::get<Persist>(*first).record;
    start();
    MirrorOpened opened;
    opened.marker_valid = opened.serving = true;
    opened.term = {5, 5};
    step(opened);
    EXPECT_EQ(count<ResumeMirror>(effects_), 0U);
    EXPECT_EQ(machine_->phase(), Phase::Demoting);
}

/// The end of a comparison that was given up, said before the mirror was told: it is no join.
TEST_F(WitnessChange, AJoinIsOfTheResyncThatWasOrderedLast) {
    record_.chain.append(entry(3, InSync::only(Node::First), true));
    serve({});
    Report peer;
    peer.module_id = record_.module_id;
    peer.chain = record_.chain;
    peer.rules = settings_.rules;
    peer.activity = Activity::Rebuilding;
    peer.outdated = true;
    peer.term = {5, 5};
    peer.attempt = 4;
    std::vector<std::uint64_t> tokens;
    const auto ordered = [&] {
        for (const Effect& effect : effects_)
            if (const auto* start = std::get_if<StartResync>(&effect))
                tokens.push_back(start->token);
    };
    step(PeerReported{peer});
    ordered();
    step(PeerSilent{});
    step(PeerReported{peer});
    ordered();
    ASSERT_EQ(tokens.size(), 2U);
    step(JoinReady{tokens[0]});
    EXPECT_EQ(machine_->record().chain.head().decision.number, Epoch{3});
    step(JoinReady{tokens[1]});
    EXPECT_EQ(machine_->record().chain.head().decision.number, Epoch{4});
}

/// The primary may go by the new one already; this node's file went back to the old one unheard.
TEST_F(WitnessChange, WhatTheOtherWasToldIsNotTakenBackByTheFile) {
    follow({7, 7});
    step(shows_head());
    step(WitnessConfigured{kNew});
    EXPECT_EQ(count<Persist>(effects_), 1U) << "before the report says so";
    hears_ = false;
    for (const bool restarted : {false, true}) {
        if (restarted) {
            record_ = machine_->record();
            follow({7, 7});
        }
        step(WitnessConfigured{{7, 7}});
        step(shows_head());
        step(PeerSilent{});
        step(PeerOverdue{});
        step(Sealed{Epoch{2}});
        for (const Effect& effect : std::vector<Effect>(effects_)) {
            if (const auto* flush = std::get_if<MakeDurable>(&effect)) {
                step(MadeDurable{flush->token});
            }
        }
        EXPECT_EQ(count<AskWitness>(effects_), 0U);
        EXPECT_FALSE(machine_->record().exchange);
    }
    hear({7, 7}, {7, 7});
    EXPECT_TRUE(machine_->record().witness_open);
    hears_ = true;
    hear({7, 7}, {7, 7});
    EXPECT_FALSE(machine_->record().witness_open);
}

TEST_F(WitnessChange, NoJoinWithAnotherWitnessInTheOtherFile) {
    record_.chain.append(entry(3, InSync::only(Node::First), true));
    record_.chain.mark_confirmed(record_.chain.head().decision.id, Confirmation::PeerConsent);
    serve({});
    Report peer;
    peer.module_id = record_.module_id;
    peer.chain = record_.chain;
    peer.rules = settings_.rules;
    peer.activity = Activity::Rebuilding;
    peer.outdated = true;
    peer.term = {5, 5};
    peer.attempt = 4;
    step(PeerReported{peer});
    ASSERT_EQ(count<StartResync>(effects_), 1U);
    const auto token =
        std::get<StartResync>(*std::find_if(effects_.begin(), effects_.end(),
                                            [](const Effect& effect) {
                                                return std::holds_alternative<StartResync>(effect);
                                            }))
            .token;
    step(WitnessConfigured{kNew});
    step(shows_head());
    ASSERT_EQ(in_force(), kNew);
    step(JoinReady{token});
    EXPECT_FALSE(machine_->record().exchange);
    EXPECT_EQ(count<StopResync>(effects_), 1U);
}

/// The primary gave it up, and power was lost there before this node heard so.
/// What it said of its witness was forgotten with the rest: nobody knows by what it decides.
TEST_F(WitnessChange, NoJoinWithoutAReport) {
    record_.chain.append(entry(3, InSync::only(Node::First), true));
    serve({7, 7});
    step(shows_head());
    Report peer;
    peer.module_id = record_.module_id;
    peer.chain = record_.chain;
    peer.rules = settings_.rules;
    peer.activity = Activity::Rebuilding;
    peer.outdated = true;
    peer.term = {5, 5};
    peer.attempt = 4;
    peer.witness = peer.witness_configured = {7, 7};
    step(PeerReported{peer});
    const auto start = std::find_if(effects_.begin(), effects_.end(), [](const Effect& effect) {
        return std::holds_alternative<StartResync>(effect);
    });
    ASSERT_NE(start, effects_.end());
    const JoinReady ready{std::get<StartResync>(*start).token};
    step(PeerAhead{});
    step(ready);
    EXPECT_FALSE(machine_->record().exchange);
    EXPECT_EQ(count<StopResync>(effects_), 1U);
    step(PeerReported{peer});
    EXPECT_EQ(count<StartResync>(effects_), 1U);
}

TEST_F(WitnessChange, ARemovedOneDoesNotKeepThePairFromElecting) {
    settings_ = settings_of(Node::Second);
    record_.witness = {7, 7};
    start();
    MirrorOpened opened;
    opened.marker_valid = true;
    for (const Event& event :
         std::initializer_list<Event>{opened, AddressesDropped{}, UnitsGone{}, HeldFailed{}}) {
        step(event);
    }
    ASSERT_EQ(machine_->phase(), Phase::Waiting);
    Report peer;
    peer.module_id = record_.module_id;
    peer.chain = record_.chain;
    peer.rules = settings_.rules;
    peer.power_lost = true;
    peer.activity = Activity::Waiting;
    peer.data_ok = true;
    step(PeerReported{peer});
    for (const Effect& effect : std::vector<Effect>(effects_)) {
        if (const auto* flush = std::get_if<MakeDurable>(&effect)) step(MadeDurable{flush->token});
    }
    EXPECT_EQ(machine_->status().reason.code, "agreeing");
}

/// The exchange of its birth went to a witness that is gone.
TEST_F(WitnessChange, AModuleIsBornAtTheWitnessThatReplacesOneThatDied) {
    record_ = Record{};
    record_.wanted = true;
    settings_ = settings_of(Node::First);
    settings_.witness = {7, 7};
    start();
    MirrorOpened opened;
    opened.marker_absent = true;
    for (const Event& event : std::initializer_list<Event>{opened, AddressesDropped{}, UnitsGone{},
                                                           HeldFailed{}, RegisterShown{}}) {
        step(event);
    }
    StartRequested source;
    source.as_source = true;
    step(source);
    ASSERT_TRUE(machine_->record().exchange);
    step(WitnessLost{});
    step(WitnessConfigured{kNew});
    step(RegisterShown{});
    step(source);
    EXPECT_EQ(count<Refuse>(effects_), 0U);
    ASSERT_EQ(count<AskWitness>(effects_), 1U);
    for (const Effect& effect : std::vector<Effect>(effects_)) {
        if (const auto* asked = std::get_if<AskWitness>(&effect)) step(RegisterShown{asked->value});
    }
    EXPECT_EQ(machine_->phase(), Phase::Promoting);
    EXPECT_EQ(in_force(), kNew);
}

TEST_F(WitnessChange, WhatAnEarlierTimeLeftThereIsReplacedWhenBothAgree) {
    serve({});
    step(WitnessConfigured{kNew});
    Chain other_chain;
    other_chain.append(entry(77, InSync::only(Node::Second), true));
    step(RegisterShown{registered({6, 6}, other_chain, 0)});
    EXPECT_EQ(count<AskWitness>(effects_), 0U) << "the other node may go by it";
    hear({}, kNew);
    ASSERT_EQ(count<AskWitness>(effects_), 1U);
}

}  // namespace
}  // namespace ha::cluster
