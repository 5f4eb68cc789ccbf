#include "core/config/values.h"

#include <gtest/gtest.h>

namespace ha::config {
namespace {

TEST(Values, Durations) {
    EXPECT_EQ(parse_duration("100ms"), 100ms);
    EXPECT_EQ(parse_duration("2s"), 2s);
    EXPECT_EQ(parse_duration("15min"), 15min);
    EXPECT_EQ(parse_duration("24h"), 24h);
    EXPECT_EQ(parse_duration("7d"), 7 * 24h);
    for (auto bad : {"", "1", "s", "1.5s", "-1s", "1 s", "1m", "400d", "99999999999999999999s"}) {
        EXPECT_FALSE(parse_duration(bad)) << bad;
    }
    EXPECT_EQ(format_duration(1500ms), "1500ms");
    EXPECT_EQ(format_duration(24h), "1d");
    EXPECT_EQ(format_duration(90min), "90min");
    EXPECT_EQ(format_duration(2015ms + 1ns), "2016ms");
    EXPECT_EQ(format_duration(0s), "0s");
}

TEST(Values, Restarts) {
    auto restarts = parse_restarts("3 per 24h");
    ASSERT_TRUE(restarts);
    EXPECT_EQ(restarts->count, 3U);
    EXPECT_EQ(restarts->within, 24h);
    for (auto bad : {"3", "3 per", "3 per 0s", "3 in 24h", "1001 per 1h", "-1 per 1h"}) {
        EXPECT_FALSE(parse_restarts(bad)) << bad;
    }
}

TEST(Values, Addresses) {
    EXPECT_EQ(parse_ipv4("192.0.2.10"), (Ipv4{192, 0, 2, 10}));
    for (auto bad :
         {"", "1.2.3", "1.2.3.4.5", "256.1.1.1", "01.2.3.4", "1..2.3", "1.2.3.4 ", "a"}) {
        EXPECT_FALSE(parse_ipv4(bad)) << bad;
    }
    auto ip = parse_virtual_ip("192.0.2.10/24@eth0.5");
    ASSERT_TRUE(ip);
    EXPECT_EQ(ip->prefix, 24);
    EXPECT_EQ(ip->interface, "eth0.5");
    for (auto bad : {"1.2.3.4", "1.2.3.4/", "1.2.3.4/0", "1.2.3.4/33", "1.2.3.4/24@",
                     "1.2.3.4/24@a/b", "1.2.3.4/24@sixteen-letters-", "1.2.3.4/24 "}) {
        EXPECT_FALSE(parse_virtual_ip(bad)) << bad;
    }
    EXPECT_TRUE(same_subnet({10, 0, 1, 1}, {10, 0, 1, 200}, 24));
    EXPECT_FALSE(same_subnet({10, 0, 1, 1}, {10, 0, 1, 200}, 25));
}

TEST(Values, Names) {
    EXPECT_TRUE(valid_module_name("a-1"));
    EXPECT_FALSE(valid_module_name("-a"));
    EXPECT_FALSE(valid_module_name(std::string(32, 'a')));
    EXPECT_TRUE(valid_node_name("srv1.example.org"));
    EXPECT_FALSE(valid_node_name("none"));
    EXPECT_TRUE(valid_unit_name("a@b\\x2dc.service"));
    for (auto bad : {"a", ".service", "a@.service", "@a.service", "a b.service", "a/b.service"}) {
        EXPECT_FALSE(valid_unit_name(bad)) << bad;
    }
    EXPECT_TRUE(at_or_below("/a/b", "/a"));
    EXPECT_TRUE(at_or_below("/a", "/a"));
    EXPECT_FALSE(at_or_below("/ab", "/a"));
}

}  // namespace
}  // namespace ha::config
