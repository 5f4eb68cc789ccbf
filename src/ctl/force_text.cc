#include "ctl/force_text.h"

#include <algorithm>

#include "ctl/status_text.h"

namespace ha::ctl {
namespace {

bool serves(const NodeStatus& node) {
    return node.state == "primary" || node.state == "alone";
}

std::string changed(const NodeStatus& node) {
    return node.changed_alone ? " (" + changed_text(*node.changed_alone) + ")" : "";
}

std::string item(const std::string& text) {
    return wrap("  * " + text, 4, 0) + "\n";
}

std::string seen_text(const NodeStatus& node) {
    if (node.seen) return "is seen: " + node.state + "/" + node.readiness;
    if (node.last_seen_unix_ms == 0) {
        return "is NOT SEEN, and was not since ha-clusterd started on this node";
    }
    return "is NOT SEEN since " + date_text(node.last_seen_unix_ms);
}

std::string copy_text(const NodeStatus& node) {
    if (node.epoch == 0) return "what it has decided is not known";
    return "its newest decision known here is number " + std::to_string(node.epoch) +
           ", by which its copy is " +
           (node.in_sync        ? "in sync"
            : node.ever_in_sync ? "OUTDATED"
                                : "not complete yet");
}

std::string here_text(const NodeStatus& here) {
    if (here.epoch == 0) return here.node + " (here) is " + here.state + "; it has no data yet.";
    return here.node + " (here) is " + here.state + "/" + here.readiness + "; " + copy_text(here) +
           "." + (here.in_sync ? "" : " What was acknowledged since is not in it.");
}

/// What the newest decision that this node knows says of the other one.
std::string membership_text(const ModuleStatus& module, const NodeStatus& here,
                            const NodeStatus& other) {
    const auto& members = module.known.in_sync;
    if (std::ranges::find(members, other.node) == members.end()) {
        return "By number " + std::to_string(here.epoch) + ", the newest one " + here.node +
               " knows, " + other.node + " is not in sync.";
    }
    return "By number " + std::to_string(here.epoch) + ", the newest one " + here.node +
           " knows, " + other.node + " holds everything that was acknowledged.";
}

std::string given_up(const ModuleStatus& module, const NodeStatus& here, const NodeStatus& other) {
    const std::string what = "GIVEN UP, as soon as " + other.node + " is brought up to date: ";
    const auto& members = module.known.in_sync;
    const bool member = std::ranges::find(members, other.node) != members.end();
    if (here.reason_code == "diverged" || other.reason_code == "diverged") {
        return what + "everything that " + other.node + " changed alone" + changed(other) + ".";
    }
    if (!here.in_sync) {
        return what + "everything that was acknowledged while this copy was out of sync.";
    }
    if (member || !other.seen) {
        return what + "whatever " + other.node + " acknowledged that did not reach this node; " +
               (other.changed_alone ? changed_text(*other.changed_alone) + " that is known of."
                                    : "how much that is is not known.");
    }
    return what + "what its copy has that this one has not.";
}

}  // namespace

std::string force_text(const ModuleStatus& module, const std::string& here_name) {
    const NodeStatus here = module.on(here_name);
    const NodeStatus other = module.other_than(here_name);
    std::string text =
        wrap("start --force makes the copy of " + module.module + " on " + here_name +
                 " the module's, whatever the nodes know of it. Known "
                 "now:",
             0, 0) +
        "\n";
    text += item(here_text(here));
    text += item(other.node + " " + seen_text(other) + "; " + copy_text(other) + ".");
    for (const auto& node : {here, other}) {
        if (!node.changed_alone) continue;
        text += item(node.node + " changed alone, since it lost the other: " +
                     changed_text(*node.changed_alone) + ".");
    }
    if (here.epoch > 0) text += item(membership_text(module, here, other));
    text += item(given_up(module, here, other));
    if (!other.seen) {
        text += item("That " + other.node +
                     " lives and serves cannot be excluded: it is not seen. Then both serve from "
                     "now on, each for its own clients. Make sure that it is off.");
    } else if (serves(other)) {
        text += item(other.node + " SERVES the module now.");
    }
    return text;
}

}  // namespace ha::ctl
