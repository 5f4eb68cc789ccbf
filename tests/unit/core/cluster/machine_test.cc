// What the machine answers; what it does is the simulator's (tests/sim).
#include "core/cluster/machine.h"

#include <gtest/gtest.h>

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

}  // namespace
}  // namespace ha::cluster
