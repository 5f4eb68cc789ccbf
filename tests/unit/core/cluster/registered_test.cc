#include "core/cluster/registered.h"

#include <gtest/gtest.h>

namespace ha::cluster {
namespace {

constexpr Id128 kModule{1, 1};

Id128 id(std::uint64_t low) {
    return {2, low};
}

/// Decisions first..last of one line; each id is its number.
Chain line(std::uint64_t first, std::uint64_t last) {
    Chain out;
    for (std::uint64_t number = first; number <= last; ++number) {
        Decision decision;
        decision.number = Epoch{number};
        decision.id = id(number);
        if (number > first) decision.parent = id(number - 1);
        decision.in_sync = InSync::both();
        out.append({decision, false, Confirmation::Register});
    }
    return out;
}

Registered shows(std::uint64_t last) {
    return registered(kModule, line(1, last), 77);
}

TEST(RegisteredValue, ComesBackAndFits) {
    const auto longest = shows(200);
    EXPECT_EQ(longest.ancestors.size(), Registered::kMaxAncestors);
    EXPECT_EQ(longest.ancestors.front(), id(199));
    auto value = to_register(longest);
    EXPECT_EQ(value.id, id(200));
    EXPECT_LE(value.content.size(), ports::kMaxRegisterContent);
    EXPECT_EQ(from_register(value).value(), longest);
    EXPECT_EQ(from_register(to_register(shows(1))).value(), shows(1));
}

TEST(RegisteredValue, OnlyTheWholeIsRead) {
    auto value = to_register(shows(3));
    for (std::size_t size = 0; size < value.content.size(); ++size) {
        auto cut = value;
        cut.content.resize(size);
        EXPECT_FALSE(from_register(cut)) << size;
    }
    value.content.push_back(std::byte{0});
    EXPECT_FALSE(from_register(value));
    auto renamed = to_register(shows(3));
    renamed.id = id(4);
    EXPECT_FALSE(from_register(renamed));
}

TEST(RegisteredValue, StandsToAChainInOneOfSixWays) {
    const auto ours = line(1, 5);
    EXPECT_EQ(standing(kModule, {}, std::nullopt), RegisterStanding::Unborn);
    EXPECT_EQ(standing(kModule, ours, std::nullopt), RegisterStanding::Lost);
    EXPECT_EQ(standing(kModule, ours, shows(5)), RegisterStanding::Same);
    EXPECT_EQ(standing(kModule, ours, shows(2)), RegisterStanding::Behind);
    EXPECT_EQ(standing(kModule, ours, shows(6)), RegisterStanding::Ahead);
    EXPECT_EQ(standing(kModule, ours, shows(60)), RegisterStanding::Ahead);
    EXPECT_EQ(standing({}, {}, shows(3)), RegisterStanding::Ahead);
    auto forked = shows(6);
    forked.decision.id = id(106);
    forked.ancestors.front() = id(105);
    EXPECT_EQ(standing(kModule, ours, forked), RegisterStanding::Foreign);
    EXPECT_EQ(standing(kModule, ours, shows(100)), RegisterStanding::Foreign)
        << "away for too long";
    auto other = shows(5);
    other.module_id = {9, 9};
    EXPECT_EQ(standing(kModule, ours, other), RegisterStanding::Foreign);
}

}  // namespace
}  // namespace ha::cluster
