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

}  // namespace
}  // namespace ha::cluster
