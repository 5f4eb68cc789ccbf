#include "core/vip/holder.h"
#include "base/overloaded.h"

#include <gtest/gtest.h>

namespace ha::vip {
namespace {

std::string at(int index) {
    return " on " + std::to_string(index);
}

std::string spell(const Effect& effect) {
    return std::visit(
        Overloaded{
            [](const AddAddress& it) {
                return "add " + it.vip.address.text() + at(it.index) +
                       (it.prefix_route ? " with route" : "");
            },
            [](const RemoveAddress& it) { return "remove " + it.address.text() + at(it.index); },
            [](const Announce& it) {
                return (it.first ? "ask and announce " : "announce ") + it.address.text() +
                       at(it.index);
            },
            [](const ForgetAddress& it) { return "forget " + it.address.text(); },
            [](const ReportHeld& it) { return "HELD " + it.module; },
            [](const ReportDropped& it) { return "DROPPED " + it.module; },
            [](const ReportFailed& it) { return "FAILED " + it.module + ": " + it.text; },
            [](const TellConflict& it) { return "conflict " + it.address.text() + " " + it.mac; },
        },
        effect);
}

using Lines = std::vector<std::string>;
const Ipv4 kAddress = *Ipv4::parse("192.0.2.10");

class HolderTest : public ::testing::Test {
  protected:
    Lines tell(const Event& event) {
        std::vector<Effect> effects;
        holder_.step(now_, event, effects);
        Lines lines;
        for (const auto& effect : effects) lines.push_back(spell(effect));
        return lines;
    }
    Lines later(Duration time) {
        now_ += time;
        return tell(TimePassed{});
    }
    Lines dump() {
        tell(DumpBegun{});
        tell(LinkSeen{2, "eth0", true});
        tell(LinkSeen{3, "eth1", true});
        tell(AddressSeen{2, *Ipv4::parse("192.0.2.1"), 24});
        return tell(DumpEnded{});
    }
    Lines hold(const std::string& text = "192.0.2.10/24") {
        return tell(HoldOrdered{"db", {*Vip::parse(text)}});
    }
    Lines seen(int index = 2) { return tell(AddressSeen{index, kAddress, 24}); }
    void bring_up() {
        dump();
        hold();
        seen();
        for (int i = 0; i < 5; ++i) later(1s);
    }

    Holder holder_;
    Instant now_{1h};
};

TEST(VipText, ReadsWhatTheConfigurationSays) {
    EXPECT_EQ(Vip::parse("192.0.2.10/24")->text(), "192.0.2.10/24");
    EXPECT_EQ(Vip::parse("192.0.2.10/32@eth0.5")->interface, "eth0.5");
    for (const char* text :
         {"", "192.0.2.10", "192.0.2.10/", "192.0.2.10/33", "192.0.2.10/0", "192.0.2.256/24",
          "192.0.2/24", "192.0.2.10.1/24", "192.0.2.010/24", "192.0.2.10/24@", "192.0.2.10/24@a/b",
          " 192.0.2.10/24", "0.0.0.0/8", "192.0.2.10/24@0123456789abcdef", "2001:db8::1/64"})
        EXPECT_FALSE(Vip::parse(text)) << text;
}

TEST_F(HolderTest, TakesTheAddressWhereItsSubnetIs) {
    EXPECT_EQ(dump(), Lines{});
    EXPECT_EQ(hold(), Lines{"add 192.0.2.10 on 2"});
    EXPECT_EQ(seen(), (Lines{"ask and announce 192.0.2.10 on 2", "HELD db"}));
    EXPECT_EQ(seen(), Lines{});
}

TEST_F(HolderTest, ANamedInterfaceBringsTheRouteIfItIsTheFirst) {
    dump();
    EXPECT_EQ(hold("192.0.2.10/24@eth1"), Lines{"add 192.0.2.10 on 3 with route"});
}

TEST_F(HolderTest, AnOrderBeforeTheDumpWaitsForIt) {
    EXPECT_EQ(hold(), Lines{});
    EXPECT_EQ(dump(), Lines{"add 192.0.2.10 on 2"});
}

TEST_F(HolderTest, AnnouncesForSeconds) {
    dump();
    hold();
    seen();
    int announced = 0;
    for (int i = 0; i < 60; ++i) announced += static_cast<int>(later(100ms).size());
    EXPECT_EQ(announced, 5);
    EXPECT_EQ(holder_.next_deadline(), std::nullopt);
}

TEST_F(HolderTest, TheSameOrderIsAnsweredAgain) {
    bring_up();
    EXPECT_EQ(hold(), Lines{"HELD db"});
}

TEST_F(HolderTest, DropsAndRemembersThatItIsUnwanted) {
    bring_up();
    EXPECT_EQ(tell(DropOrdered{"db"}), Lines{"remove 192.0.2.10 on 2"});
    EXPECT_EQ(tell(AddressGone{2, kAddress}), (Lines{"forget 192.0.2.10", "DROPPED db"}));
    EXPECT_EQ(tell(DropOrdered{"db"}), Lines{"DROPPED db"});
    later(1s);
    EXPECT_EQ(seen(3), Lines{"remove 192.0.2.10 on 3"});
}

TEST_F(HolderTest, DroppingWhatNobodyHeldIsAnswered) {
    EXPECT_EQ(tell(DropOrdered{"db"}), Lines{});
    EXPECT_EQ(dump(), Lines{"DROPPED db"});
}

TEST_F(HolderTest, TakenAwayItIsAddedAgain) {
    bring_up();
    EXPECT_EQ(tell(AddressGone{2, kAddress}), Lines{"add 192.0.2.10 on 2"});
    EXPECT_EQ(seen(), Lines{"ask and announce 192.0.2.10 on 2"});
    EXPECT_EQ(tell(AddressGone{2, kAddress}), Lines{});
    EXPECT_EQ(holder_.next_deadline(), now_ + 100ms);
    EXPECT_EQ(later(100ms)[0], "add 192.0.2.10 on 2");
}

TEST_F(HolderTest, ALinkThatComesUpIsTold) {
    bring_up();
    EXPECT_EQ(tell(LinkSeen{2, "eth0", false}), Lines{});
    EXPECT_EQ(tell(LinkSeen{2, "eth0", true}), Lines{"ask and announce 192.0.2.10 on 2"});
}

TEST_F(HolderTest, AConflictIsAnnouncedAgainstButNotWithoutEnd) {
    bring_up();
    const ConflictSeen conflict{kAddress, "02:00:00:00:00:01"};
    EXPECT_EQ(tell(conflict),
              (Lines{"conflict 192.0.2.10 02:00:00:00:00:01", "ask and announce 192.0.2.10 on 2"}));
    EXPECT_EQ(tell(conflict), Lines{});
    now_ += 600ms;
    EXPECT_FALSE(tell(conflict).empty());
}

TEST_F(HolderTest, LeftoversWaitForAnOrderAndGoWithoutOne) {
    tell(LeftoverFound{"db", *Vip::parse("192.0.2.10/24@eth0")});
    tell(DumpBegun{});
    tell(LinkSeen{2, "eth0", true});
    tell(AddressSeen{2, *Ipv4::parse("192.0.2.1"), 24});
    seen();
    EXPECT_EQ(tell(DumpEnded{}), Lines{});
    EXPECT_EQ(later(1900ms), Lines{});
    EXPECT_EQ(later(100ms), Lines{"remove 192.0.2.10 on 2"});
}

TEST_F(HolderTest, ALeftoverIsAdopted) {
    tell(LeftoverFound{"db", *Vip::parse("192.0.2.10/24@eth0")});
    tell(DumpBegun{});
    tell(LinkSeen{2, "eth0", true});
    tell(AddressSeen{2, *Ipv4::parse("192.0.2.1"), 24});
    seen();
    tell(DumpEnded{});
    EXPECT_EQ(hold(), Lines{"HELD db"});
    EXPECT_EQ(later(1min), Lines{});
}

TEST_F(HolderTest, AnAddressThatLeftTheConfigurationGoes) {
    bring_up();
    EXPECT_EQ(hold("192.0.2.11/24"), (Lines{"remove 192.0.2.10 on 2", "add 192.0.2.11 on 2"}));
}

TEST_F(HolderTest, NoInterfaceIsSaidOnceAndMendedByItself) {
    dump();
    EXPECT_EQ(hold("198.51.100.7/24").size(), 1U);
    EXPECT_EQ(later(1s), Lines{});
    EXPECT_EQ(tell(AddressSeen{3, *Ipv4::parse("198.51.100.1"), 24}),
              Lines{"add 198.51.100.7 on 3"});
}

TEST_F(HolderTest, ARefusalIsSaidAndTriedAgain) {
    dump();
    hold();
    EXPECT_EQ(tell(ChangeFailed{kAddress, "no"}), Lines{"FAILED db: no"});
    EXPECT_EQ(later(999ms), Lines{});
    EXPECT_EQ(later(1ms), Lines{"add 192.0.2.10 on 2"});
}

TEST_F(HolderTest, SaysWhereAnAddressWouldBeOrWhyNowhere) {
    const auto place = [&](const std::string& text) {
        const auto found = holder_.place_for(*Vip::parse(text));
        return found ? std::to_string(*found) : found.error().text;
    };
    EXPECT_EQ(place("192.0.2.10/24"), "the links of this node are not known yet");
    dump();
    EXPECT_EQ(place("192.0.2.10/24"), "2");
    EXPECT_EQ(place("192.0.2.10/24@eth1"), "3");
    EXPECT_EQ(place("192.0.2.10/24@eth7"), "there is no interface eth7 for 192.0.2.10/24@eth7");
    EXPECT_NE(place("198.51.100.7/24").find("no interface has an address"), std::string::npos);
    tell(LinkSeen{2, "eth0", false});
    EXPECT_EQ(place("192.0.2.10/24"), "eth0 has no carrier");
}

}  // namespace
}  // namespace ha::vip
