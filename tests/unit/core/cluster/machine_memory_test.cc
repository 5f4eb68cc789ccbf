// A node whose disk is an older one: what it is told of says that it was a member, and it recorded
// no part in that.
#include <gtest/gtest.h>

#include "pair.h"

namespace ha::cluster {
namespace {

class Forgetful : public testing::Test {
  protected:
    static constexpr Id128 kModule{1, 1};

    void SetUp() override {
        record_.wanted = true;
        record_.module_id = kModule;
        record_.chain.append(entry(1, InSync::only(Node::First), true));
        record_.chain.append(entry(2, InSync::both(), true));
    }
    void open() {
        machine_.emplace(settings_, record_, Id128{9, 9}, Id128{1, 2});
        std::vector<Effect> effects;
        machine_->begin(Instant{}, effects);
        machine_->workers_ready(Instant{}, effects);
        MirrorOpened opened;
        opened.marker_valid = true;
        step(opened);
        for (const Event& event :
             std::initializer_list<Event>{AddressesDropped{}, UnitsGone{}, HeldFailed{}}) {
            step(event);  // nothing of an earlier process is left
        }
        ASSERT_EQ(machine_->phase(), Phase::Waiting);
    }
    std::vector<Effect> step(const Event& event) {
        std::vector<Effect> effects;
        machine_->step(Instant{}, event, effects);
        return effects;
    }
    /// The other node's, which waits: there and back again.
    [[nodiscard]] Report swapped_twice() const {
        Report report;
        report.module_id = kModule;
        report.chain = record_.chain;
        report.chain.append(swap(3, Node::Second));
        report.chain.append(swap(4, Node::First));
        report.activity = Activity::Waiting;
        report.data_ok = true;
        report.witness = report.witness_configured = settings_.witness;
        return report;
    }
    static ChainEntry swap(std::uint64_t number, Node to) {
        ChainEntry made = entry(number, InSync::both(), true);
        made.decision.primary = to;
        made.decision.cause = Cause::Swap;
        return made;
    }
    [[nodiscard]] bool leads(const std::vector<Effect>& effects) const {
        const auto* said = find<SendReport>(effects);
        return count<ServeMirror>(effects) > 0 || machine_->phase() == Phase::Promoting ||
               (said != nullptr && said->report.proposal);
    }

    Settings settings_ = settings_of(Node::First);
    Record record_;
    std::optional<Machine> machine_;
};

TEST_F(Forgetful, SwapsThatItKnowsNothingOfMakeItOutdated) {
    open();
    const auto effects = step(PeerReported{swapped_twice()});
    EXPECT_EQ(machine_->record().chain.head().decision.number, Epoch{4});
    EXPECT_EQ(machine_->record().chain.head().decision.primary, Node::First);
    EXPECT_TRUE(machine_->record().outdated);
    EXPECT_FALSE(leads(effects));
}

TEST_F(Forgetful, SoDoesALeaveAndAJoin) {
    open();
    Report report = swapped_twice();
    report.chain = record_.chain;
    ChainEntry left = entry(3, InSync::only(Node::Second), true);
    left.decision.primary = Node::Second;
    report.chain.append(left);
    report.chain.append(swap(4, Node::Second));
    step(PeerReported{report});
    EXPECT_TRUE(machine_->record().outdated);
}

TEST_F(Forgetful, WhoRecordedThatItCedesHasNotForgotten) {
    record_.ceding = swap(3, Node::Second).decision;
    open();
    Report report = swapped_twice();
    report.chain = record_.chain;
    report.chain.append(swap(3, Node::Second));
    step(PeerReported{report});
    EXPECT_EQ(machine_->record().chain.head().decision.number, Epoch{3});
    EXPECT_FALSE(machine_->record().outdated);
}

TEST_F(Forgetful, TheWitnessTellsItToo) {
    settings_.witness = record_.witness = {7, 7};
    open();
    Chain chain = record_.chain;
    chain.append(swap(3, Node::First));
    step(RegisterShown{registered(kModule, chain, 0)});
    EXPECT_EQ(machine_->record().chain.head().decision.number, Epoch{3});
    EXPECT_TRUE(machine_->record().outdated);
}

/// It may be agreed to and heard of only by a later process.
TEST_F(Forgetful, WhatItProposesItRecordsFirst) {
    Report report = swapped_twice();
    record_.chain.append(swap(3, Node::First));
    open();
    report.chain = record_.chain;
    report.outdated = true;
    const auto flush = step(PeerReported{report});
    ASSERT_NE(find<MakeDurable>(flush), nullptr);
    const auto effects = step(MadeDurable{find<MakeDurable>(flush)->token});
    ASSERT_TRUE(leads(effects));
    std::size_t recorded = effects.size();
    for (std::size_t i = 0; i < effects.size(); ++i) {
        const auto* persist = std::get_if<Persist>(&effects[i]);
        if (persist != nullptr && persist->record.proposed) recorded = std::min(recorded, i);
        const bool said = std::holds_alternative<SendReport>(effects[i]);
        EXPECT_TRUE(!said || recorded < i);
    }
    record_ = machine_->record();
    const auto agreed = find<SendReport>(effects)->report.proposal;
    ASSERT_TRUE(agreed);
    open();
    report.chain.append({*agreed, false, Confirmation::PeerConsent});
    step(PeerReported{report});
    EXPECT_FALSE(machine_->record().outdated) << "agreed to, and heard of by a later process";
}

}  // namespace
}  // namespace ha::cluster
