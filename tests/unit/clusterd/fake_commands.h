#pragma once

#include <string>
#include <vector>

#include "clusterd/face.h"

namespace ha::clusterd {

/// Shows what it is told to and writes down every order.
class FakeCommands : public Commands {
  public:
    ClusterView shown;
    std::vector<std::string> orders;
    tl::expected<std::string, CommandError> answer = std::string();

    FakeCommands() {
        shown.node = "node2";
        shown.nodes = {"node1", "node2"};
        shown.paired = true;
        shown.networks = {{"10.0.0.2", "10.0.0.1", true}};
        shown.modules.push_back(module("web-shop"));
    }
    static ModuleView module(const std::string& name) {
        ModuleView view;
        view.module = name;
        view.nodes[0] = {"node1", true, "primary", "ready", "", "", 7, true, true};
        view.nodes[1] = {"node2",
                         true,
                         "secondary",
                         "transient",
                         "resynchronising",
                         "The copy is being compared.",
                         6,
                         false,
                         false};
        view.primary = "node1";
        view.known = {{0, 6}, {0, 7}, true};
        view.known_in_sync = {"node1"};
        view.policy = "available";
        view.mode = "strict";
        view.virtual_ips = {"192.0.2.10/24"};
        view.units = {"shop.service"};
        view.paths = {"/srv/shop"};
        return view;
    }

    static std::string text(const cluster::Knowledge& known) {
        return known.decision.text().substr(30) + " " + known.peer_decision.text().substr(30) +
               (known.peer_seen ? " seen" : "");
    }

    ClusterView view() const override { return shown; }
    void start(const std::string& name, const cluster::StartRequested& order, Done done) override {
        orders.push_back("start " + name + (order.as_source ? " as-source" : "") +
                         (order.force ? " forced, shown " + text(*order.force) : ""));
        done(answer);
    }
    void stop(const std::string& name, bool all, Done done) override {
        orders.push_back("stop " + name + (all ? " all" : ""));
        done(answer);
    }
    void swap(const std::string& name, const std::string& to, Done done) override {
        orders.push_back("swap " + name + (to.empty() ? "" : " to " + to));
        done(answer);
    }
    void restart(const std::string& name, Done done) override {
        orders.push_back("restart " + name);
        done(answer);
    }
    void set_failover(const std::string& name, bool automatic, Done done) override {
        orders.push_back("failover " + name + (automatic ? " on" : " off"));
        done(answer);
    }
    void set_at_boot(const std::string& name, bool starts, Done done) override {
        orders.push_back((starts ? "enable " : "disable ") + name);
        done(answer);
    }
    void apply(const std::string& yaml, const std::string& file_name, bool dry_run,
               bool without_peer, Done done) override {
        orders.push_back("apply " + yaml + " " + file_name + (dry_run ? " dry-run" : "") +
                         (without_peer ? " without-peer" : ""));
        done(answer);
    }
    void set_witness(std::optional<config::WitnessConfig> witness, Done done) override {
        orders.push_back("set-witness " + (witness ? witness->addresses.at(0) : "none"));
        done(answer);
    }
};

}  // namespace ha::clusterd
