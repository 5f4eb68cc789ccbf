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

std::string describe(const ModuleStatus& module) {
    std::string text;
    for (const auto& node : module.nodes) text += (text.empty() ? "" : "; ") + describe(node);
    if (module.resync.running) text += " (" + progress(module.resync) + ")";
    return text;
}

}  // namespace

Waiter::Waiter(Order order, std::string module, const ClusterStatus& before)
    : order_(order), module_(std::move(module)), self_(before.node) {
    if (const auto* found = before.find(module_)) {
        before_ = found->on(self_);
        primary_before_ = found->primary;
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

}  // namespace ha::ctl
