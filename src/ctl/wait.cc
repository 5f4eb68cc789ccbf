#include "ctl/wait.h"

#include <algorithm>

#include "ctl/status_text.h"

namespace ha::ctl {
namespace {

using Kind = Verdict::Kind;

bool serving(const NodeStatus& node) {
    return node.state == "primary" || node.state == "alone";
}

std::string describe(const NodeStatus& node) {
    if (!node.seen) return node.node + " is not seen";
    std::string text = node.node + " is " + node.state + "/" + node.readiness;
    return node.reason.empty() ? text : text + ": " + node.reason;
}

std::string describe_nodes(const ModuleStatus& module) {
    std::string text;
    for (const auto& node : module.nodes) text += (text.empty() ? "" : "; ") + describe(node);
    return text;
}

std::string describe(const ModuleStatus& module) {
    std::string text = describe_nodes(module);
    if (module.resync.running) text += " (" + progress(module.resync) + ")";
    return text;
}

}  // namespace

Waiter::Waiter(Order order, std::string module, const ClusterStatus& before, std::string to)
    : order_(order), module_(std::move(module)), self_(before.node), to_(std::move(to)) {
    if (const auto* found = before.find(module_)) {
        before_ = found->on(self_);
        since_before_ = found->since_unix_ms;
        primary_before_ = to_.empty() ? found->primary : found->other_than(to_).node;
    }
}

Verdict Waiter::look(const ClusterStatus& now, bool settled) {
    const auto* module = now.find(module_);
    if (module == nullptr) return {Kind::Stuck, "Module " + module_ + " is gone."};
    switch (order_) {
        case Order::Start:
            return look_start(*module, settled);
        case Order::Stop:
        case Order::StopAll:
            return look_stop(*module);
        case Order::Swap:
            return look_swap(*module);
        case Order::Lead:
            return look_lead(*module);
        case Order::Restart:
            return look_restart(*module, settled);
    }
    return {};
}

Verdict Waiter::look_start(const ModuleStatus& module, bool settled) const {
    const NodeStatus here = module.on(self_);
    if (here.readiness == "ready" && (serving(here) || here.state == "secondary")) {
        return {Kind::Done, describe(here)};
    }
    const bool as_before = here.state == before_.state && here.readiness == before_.readiness &&
                           here.reason_code == before_.reason_code;
    if (here.readiness == "blocked" && (settled || !as_before)) {
        const auto command = advice(module_, here);
        return {Kind::Stuck, describe(here) + (command.empty() ? "" : "\n    " + command)};
    }
    return {Kind::Pending, describe(module)};
}

Verdict Waiter::look_stop(const ModuleStatus& module) const {
    const bool all = std::ranges::all_of(
        module.nodes, [](const NodeStatus& node) { return !node.seen || node.state == "stopped"; });
    const NodeStatus here = module.on(self_);
    if (here.state == "stopped" && (order_ == Order::Stop || all)) {
        return {Kind::Done, describe(module)};
    }
    return {Kind::Pending, describe(module)};
}

Verdict Waiter::look_swap(const ModuleStatus& module) {
    const NodeStatus old = module.on(primary_before_);
    const NodeStatus fresh = module.other_than(primary_before_);
    if (serving(fresh) && fresh.readiness == "ready" && !serving(old)) {
        if (fresh.state == "primary" && old.is("secondary", "ready")) {
            return {Kind::Done, describe(module)};
        }
        moved_ = true;
        return {Kind::Pending, describe(module)};
    }
    if (!old.is("primary", "ready")) moved_ = true;
    if (moved_ && old.is("primary", "ready")) {
        return {Kind::Stuck, "The swap was undone; " + describe(old)};
    }
    return {Kind::Pending, describe(module)};
}

Verdict Waiter::look_lead(const ModuleStatus& module) const {
    const NodeStatus node = module.on(to_);
    const bool leads = serving(node) && node.readiness == "ready";
    return {leads ? Kind::Done : Kind::Pending, describe(module)};
}

/// One that was over before anybody looked shows here in since when this node's state holds, and of
/// the other node in that nothing moves any more.
Verdict Waiter::look_restart(const ModuleStatus& module, bool settled) {
    const NodeStatus node = module.on(primary_before_);
    if (serving(node) && node.readiness == "ready") {
        const bool over =
            moved_ || settled || (node.node == self_ && module.since_unix_ms != since_before_);
        return {over ? Kind::Done : Kind::Pending, describe(module)};
    }
    moved_ = true;
    const bool elsewhere = serving(module.other_than(primary_before_)) && !serving(node);
    if (elsewhere || node.readiness == "blocked") {
        return {Kind::Stuck, "The application was not restarted there; " + describe(module)};
    }
    return {Kind::Pending, describe(module)};
}

Verdict look_synced(const ClusterStatus& now, const std::string& module, const std::string& to) {
    const auto* found = now.find(module);
    const bool known_node = to.empty() || std::ranges::find(now.nodes, to) != now.nodes.end();
    if (found == nullptr || !known_node) return {Kind::Done, ""};
    if (!to.empty() && found->primary == to) return {Kind::Done, ""};
    const bool synced = found->on(found->primary).is("primary", "ready") &&
                        found->other_than(found->primary).is("secondary", "ready");
    return {synced ? Kind::Done : Kind::Pending, describe_nodes(*found)};
}

}  // namespace ha::ctl
