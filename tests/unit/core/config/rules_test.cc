#include "core/config/rules.h"

#include <gtest/gtest.h>

#include <functional>

namespace ha::config {
namespace {

ModuleConfig module() {
    ModuleConfig module;
    module.name = "db";
    module.replicate = {{"/srv/db", {"a"}}, {"/srv/log", {}}};
    module.virtual_ips = {"192.0.2.10/24"};
    module.units = {"a.service", "b.service"};
    module.port = 7410;
    return module;
}

TEST(Rules, EverythingThatDecisionsRestOnCounts) {
    const auto before = rules_digest(module());
    EXPECT_NE(before, 0U);
    EXPECT_EQ(before, rules_digest(module()));
    const std::function<void(ModuleConfig&)> changes[] = {
        [](auto& it) { it.policy = Policy::Safe; },
        [](auto& it) { it.failover.automatic = false; },
        [](auto& it) { it.timing.heartbeat *= 2; },
        [](auto& it) { it.timing.silent_after *= 2; },
        [](auto& it) { it.timing.demote_after *= 2; },
        [](auto& it) { it.timing.kill_bound *= 2; },
        [](auto& it) { it.timing.take_after *= 2; },
        [](auto& it) { it.replicate.pop_back(); },
        [](auto& it) { it.replicate[1].path = "/srv/lo"; },
        [](auto& it) { it.replicate[0].exclude.clear(); },
        [](auto& it) { std::swap(it.units[0], it.units[1]); },
        [](auto& it) { it.port = 7411; },
        [](auto& it) { it.ping_targets = {"10.0.0.9"}; },
    };
    int number = 0;
    for (const auto& change : changes) {
        auto changed = module();
        change(changed);
        EXPECT_NE(before, rules_digest(changed)) << number;
        ++number;
    }
}

TEST(Rules, WhatNoDecisionRestsOnMayDiffer) {
    auto other = module();
    other.virtual_ips = {"192.0.2.10/24@eth1"};
    other.failover.preferred = "node2";
    EXPECT_EQ(rules_digest(module()), rules_digest(other));
}

}  // namespace
}  // namespace ha::config
