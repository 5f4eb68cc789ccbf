// Which witness is in force (R14), and what else two nodes must agree on before one joins.
#include <gtest/gtest.h>

#include "past.h"

namespace ha::cluster {
namespace {

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
                withdrawn_ = sent->report.withdrawn;
            }
        }
    }
    /// The other node, ready to be rebuilt under our term.
    Report joiner(const Id128& witness) {
        Report peer;
        peer.module_id = record_.module_id;
        peer.chain = record_.chain;
        peer.rules = settings_.rules;
        peer.activity = Activity::Rebuilding;
        peer.outdated = true;
        peer.term = {5, 5};
        peer.attempt = 4;
        peer.witness = peer.witness_configured = witness;
        return peer;
    }
    std::optional<std::uint64_t> ordered_resync() {
        for (const Effect& effect : effects_)
            if (const auto* start = std::get_if<StartResync>(&effect)) return start->token;
        return std::nullopt;
    }
    RegisterShown shows_head() {
        return {registered(record_.module_id, record_.chain, settings_.rules)};
    }
    [[nodiscard]] const Id128& in_force() const { return machine_->record().witness; }

    Settings settings_;
    Record record_;
    Id128 mark_;  // of the machine's last report
    Id128 withdrawn_;
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
    EXPECT_TRUE(machine_->bounded());
    step(LeaseExpired{});
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
    const Report peer = joiner({});
    step(PeerReported{peer});
    const auto given_up = ordered_resync();
    step(PeerSilent{});
    step(PeerReported{peer});
    const auto last = ordered_resync();
    ASSERT_TRUE(given_up && last);
    step(JoinReady{*given_up});
    EXPECT_EQ(machine_->record().chain.head().decision.number, Epoch{3});
    step(JoinReady{*last});
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
    const Report peer = joiner({});
    step(PeerReported{peer});
    const auto token = ordered_resync();
    ASSERT_TRUE(token);
    step(WitnessConfigured{kNew});
    step(shows_head());
    ASSERT_EQ(in_force(), kNew);
    step(JoinReady{*token});
    EXPECT_FALSE(machine_->record().exchange);
    EXPECT_EQ(count<StopResync>(effects_), 1U);
}

/// What it said of its witness was forgotten with the rest: nobody knows by what it decides.
TEST_F(WitnessChange, NoJoinWithoutAReport) {
    record_.chain.append(entry(3, InSync::only(Node::First), true));
    serve({7, 7});
    step(shows_head());
    const Report peer = joiner({7, 7});
    step(PeerReported{peer});
    const auto token = ordered_resync();
    ASSERT_TRUE(token);
    step(PeerAhead{});
    step(JoinReady{*token});
    EXPECT_FALSE(machine_->record().exchange);
    EXPECT_EQ(count<StopResync>(effects_), 1U);
    step(PeerReported{peer});
    EXPECT_EQ(count<StartResync>(effects_), 1U);
}

/// Both gave up, for the register cannot decide between them. They see each other again: nobody
/// waits for the register then, the primary of before leads by agreement (R11).
TEST_F(WitnessChange, AWitnessThatCannotDecideDoesNotKeepThePairFromElecting) {
    Chain other_chain;
    other_chain.append(entry(77, InSync::only(Node::Second), true));
    for (const RegisterShown& useless :
         {RegisterShown{}, RegisterShown{registered({6, 6}, other_chain, 0)}}) {
        follow({7, 7});
        step(useless);
        step(PeerSilent{});
        step(PeerOverdue{});
        step(Sealed{Epoch{2}});
        for (const Effect& effect : std::vector<Effect>(effects_)) {
            if (const auto* flush = std::get_if<MakeDurable>(&effect)) {
                step(MadeDurable{flush->token});
            }
        }
        ASSERT_EQ(machine_->phase(), Phase::Sealing);
        Report peer = joiner({7, 7});
        peer.outdated = false;
        peer.activity = Activity::Waiting;
        peer.data_ok = true;
        step(PeerReported{peer});
        EXPECT_EQ(machine_->phase(), Phase::Waiting) << machine_->status().reason.text;
        peer.withdrawn_heard = withdrawn_;
        peer.proposal = entry(3, InSync::only(Node::First), false).decision;
        step(PeerReported{peer});
        EXPECT_EQ(machine_->record().chain.head().decision.number, Epoch{3});
    }
}

/// The primary gave it up, and power was lost there before this node heard so.
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

/// The register has a join of this node's that may or may not have arrived; both have another
/// witness in their files and meet, neither serves.
class OpenJoin : public WitnessChange {
  protected:
    void meet() {
        record_.chain.append(entry(3, InSync::only(Node::First), true));
        record_.witness = {7, 7};
        Decision join = entry(4, InSync::both(), false).decision;
        join.cause = Cause::Join;
        record_.exchange = Exchange{join.parent, join};
        settings_ = settings_of(Node::First);
        settings_.witness = kNew;
        open();
        waits();
    }
    void open() {
        start();
        MirrorOpened opened;
        opened.marker_valid = true;
        step(opened);
        let_go();
    }
    void let_go() {
        for (const Event& event :
             std::initializer_list<Event>{AddressesDropped{}, UnitsGone{}, HeldFailed{}}) {
            step(event);
        }
    }
    void waits() {
        Report peer = joiner({7, 7});
        peer.witness_configured = kNew;
        peer.activity = Activity::Waiting;
        step(PeerReported{peer});
    }
    /// Out with the joiner, by a decision that is not the one asked for.
    Decision propose() {
        for (const Effect& effect : std::vector<Effect>(effects_)) {
            if (const auto* flush = std::get_if<MakeDurable>(&effect))
                step(MadeDurable{flush->token});
        }
        std::optional<Decision> proposal;
        for (const Effect& effect : effects_) {
            if (const auto* sent = std::get_if<SendReport>(&effect))
                proposal = sent->report.proposal;
        }
        EXPECT_TRUE(proposal);
        return proposal.value_or(Decision{});
    }
    /// None, or what the register is to hold in place of this.
    Id128 asked_instead_of(const Id128& expected) {
        for (const Effect& effect : effects_) {
            const auto* asked = std::get_if<AskWitness>(&effect);
            if (asked != nullptr && asked->expected == expected) return asked->value.decision.id;
        }
        return {};
    }
    Report agrees(const Decision& decision) {
        Report peer = joiner({7, 7});
        peer.witness_configured = kNew;
        peer.activity = Activity::Waiting;
        peer.chain.append({decision, false, Confirmation::PeerConsent});
        return peer;
    }
};

/// It was given up and agreed to all the same, while this node began to serve anew.
TEST_F(OpenJoin, WhatWasProposedAndGivenUpIsRemembered) {
    meet();
    const Decision proposed = propose();
    step(LeaseExpired{});
    let_go();
    waits();
    ASSERT_EQ(machine_->phase(), Phase::Promoting);
    record_ = machine_->record();
    step(PeerReported{agrees(proposed)});
    EXPECT_EQ(machine_->record().chain.head().decision.id, proposed.id);
    EXPECT_FALSE(machine_->record().outdated);
    open();
    step(PeerReported{agrees(proposed)});
    EXPECT_FALSE(machine_->record().outdated) << "heard of by a later process";
}

TEST_F(OpenJoin, UntilTheOtherNodeHasHeardThatItIsGivenUp) {
    meet();
    propose();
    step(LeaseExpired{});
    let_go();
    waits();
    EXPECT_TRUE(machine_->record().proposed);
    Report peer = joiner({7, 7});
    peer.witness_configured = kNew;
    peer.activity = Activity::Waiting;
    peer.withdrawn_heard = withdrawn_;
    step(PeerReported{peer});
    EXPECT_FALSE(machine_->record().proposed);
    EXPECT_EQ(count<Persist>(effects_), 1U);
}

/// One file went back to the witness of before when the two agreed on something else; the exchange
/// is still on its way there.
TEST_F(OpenJoin, WhatWasAskedBesideAnAgreementIsNotAskedAgain) {
    meet();
    const Id128 join = record_.exchange->decision.id;
    const RegisterShown before = shows_head();
    const Decision proposed = propose();
    Report peer = agrees(proposed);
    peer.witness_configured = {7, 7};
    step(PeerReported{peer});
    ASSERT_EQ(machine_->record().chain.head().decision.id, proposed.id);
    EXPECT_FALSE(machine_->record().exchange);
    EXPECT_FALSE(machine_->peer_required()) << "it is out by agreement, whatever was asked";
    step(WitnessConfigured{{7, 7}});
    peer.witness_heard = mark_;
    step(PeerReported{peer});
    ASSERT_FALSE(machine_->record().witness_open);
    Chain late = record_.chain;
    late.append({record_.exchange->decision});
    for (const bool restarted : {false, true}) {
        if (restarted) {
            record_ = machine_->record();
            settings_.witness = {7, 7};
            open();
        }
        step(before);
        EXPECT_EQ(asked_instead_of(before.value->decision.id), proposed.id);
        step(RegisterShown{registered(record_.module_id, late, settings_.rules)});
        EXPECT_EQ(asked_instead_of(join), proposed.id) << "it arrived, and nobody goes by it";
        EXPECT_EQ(machine_->record().chain.head().decision.id, proposed.id);
    }
    record_ = machine_->record();
    step(shows_head());
    EXPECT_TRUE(machine_->record().abandoned.none());
    EXPECT_EQ(count<Persist>(effects_), 1U);
}

TEST_F(OpenJoin, ARecordThatHoldsBothIsRead) {
    record_.chain.append(entry(3, InSync::only(Node::First), true));
    record_.witness = settings_.witness = {7, 7};
    const RegisterShown before = shows_head();
    Decision join = entry(4, InSync::both(), false).decision;
    join.cause = Cause::Join;
    record_.exchange = Exchange{join.parent, join};
    join.id = {4, 10};
    join.in_sync = InSync::only(Node::First);
    record_.chain.append({join, false, Confirmation::PeerConsent});
    open();
    step(before);
    EXPECT_EQ(asked_instead_of(before.value->decision.id), join.id);
}

}  // namespace
}  // namespace ha::cluster
