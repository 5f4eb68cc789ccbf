#pragma once

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "past.h"

// Two machines that are a pair, for tests of what an operator tells them.

namespace ha::cluster {

template <typename E>
const E* find(const std::vector<Effect>& effects) {
    const E* found = nullptr;
    for (const auto& effect : effects) {
        if (const auto* match = std::get_if<E>(&effect)) found = match;
    }
    return found;
}

/// The first node serves, the second follows.
class Pair : public testing::Test {
  protected:
    static constexpr Id128 kTerm{5, 5};

    struct Side {
        std::optional<Machine> machine;
        std::optional<Report> said;
    };

    void SetUp() override {
        Record record;
        record.wanted = true;
        record.module_id = {1, 1};
        record.chain.append(entry(1, InSync::only(Node::First), true));
        record.chain.append(entry(2, InSync::both(), true));
        meet(record, {});
    }
    /// Both know this record; the settings but for self and names.
    void meet(const Record& record, const Settings& settings) {
        primary_ = machine(Node::First, record, settings);
        secondary_ = machine(Node::Second, record, settings);
        MirrorOpened serving;
        serving.marker_valid = serving.serving = true;
        serving.term = kTerm;
        step(primary_, serving);
        step(primary_, UnitsStarted{});
        MirrorOpened following;
        following.marker_valid = following.following = true;
        following.term = kTerm;
        step(secondary_, following);
        talk();
        ASSERT_EQ(primary_.machine->phase(), Phase::Serving);
        ASSERT_EQ(secondary_.machine->phase(), Phase::Secondary);
    }
    static Side machine(Node self, const Record& record, Settings settings) {
        settings.self = self;
        settings.module = "db";
        Side made;
        const Id128 seed{1, self == Node::First ? 2U : 4U};
        made.machine.emplace(settings, record, Id128{9, 9}, seed);
        std::vector<Effect> effects;
        made.machine->begin(Instant{}, effects);
        made.machine->workers_ready(Instant{}, effects);
        return made;
    }
    std::vector<Effect> step(Side& side, const Event& event) {
        std::vector<Effect> effects;
        side.machine->step(now_, event, effects);
        if (const auto* sent = find<SendReport>(effects)) side.said = sent->report;
        return effects;
    }
    /// Each hears the other's last report.
    void talk() {
        step(secondary_, PeerReported{*primary_.said});
        step(primary_, PeerReported{*secondary_.said});
        step(secondary_, PeerReported{*primary_.said});
    }
    static const std::optional<Report>& said_by(const Side& side) { return side.said; }
    /// The code of the refusal; empty: it was none.
    std::string refusal(Side& side, const Event& event) {
        const auto effects = step(side, event);
        const auto* refused = find<Refuse>(effects);
        return refused == nullptr ? "" : refused->code;
    }
    /// No word from the other node for take_after.
    void lose(Side& survivor) {
        step(survivor, PeerSilent{});
        step(survivor, PeerOverdue{});
    }

    Instant now_{};
    Side primary_;
    Side secondary_;
};

}  // namespace ha::cluster
