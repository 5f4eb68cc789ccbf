#include "ctl/status_text.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <ctime>
#include <string_view>

namespace ha::ctl {
namespace {

constexpr std::size_t kColumns = 80;
constexpr std::size_t kLabel = 13;  // "  addresses  "

std::string pad(const std::string& text, std::size_t width) {
    return text.size() >= width ? text + " " : text + std::string(width - text.size(), ' ');
}

std::string line(const std::string& label, const std::string& text) {
    return wrap(pad("  " + label, kLabel) + text, kLabel, 0) + "\n";
}

std::string join(const std::vector<std::string>& words) {
    std::string text;
    for (const auto& word : words) text += (text.empty() ? "" : ", ") + word;
    return text;
}

std::string node_line(const NodeStatus& node, const std::string& self) {
    std::string text = "  " + pad(node.node + (node.node == self ? " (here)" : ""), 20);
    if (!node.seen) return text + "not seen\n";
    text += pad(node.state, 10) + pad(node.readiness, 10);
    if (node.epoch == 0) return text + "new\n";
    const char* copy = node.in_sync        ? "in sync "
                       : node.ever_in_sync ? "outdated"
                                           : "not copied yet";
    return text + copy + "  epoch " + std::to_string(node.epoch) + "\n";
}

bool has_reason(const NodeStatus& node) {
    return node.seen && !node.reason.empty();
}

std::string reasons(const ModuleStatus& module) {
    std::string text;
    const auto& nodes = module.nodes;
    const bool same = nodes.size() == 2 && has_reason(nodes[0]) && has_reason(nodes[1]) &&
                      nodes[0].reason == nodes[1].reason &&
                      nodes[0].readiness == nodes[1].readiness;
    for (const auto& node : nodes) {
        if (!has_reason(node) || (same && &node == &nodes[1])) continue;
        text += line(node.readiness == "blocked" ? "NEEDED" : "now",
                     (same ? "" : node.node + ": ") + node.reason);
        const auto command = advice(module.module, node);
        if (!command.empty()) text += line("run", command);
    }
    return text;
}

/// The node that serves counts.
std::string resync_line(const ModuleStatus& module, const ClusterStatus& status) {
    if (module.resync.running) return line("resync", progress(module.resync));
    const bool target_here = module.on(status.node).is("secondary", "transient");
    if (!target_here || module.primary.empty()) return "";
    return line("resync", "how far it is: hamirrorctl status " + module.module + " (on " +
                              module.primary + ")");
}

/// What an operator set, where it is not as usual.
std::string switches(const ModuleStatus& module) {
    std::string text;
    if (!module.automatic_failover) {
        text += line("FAILOVER",
                     "OFF: when the primary is lost nobody takes over until a person "
                     "does. On again: hamirrorctl failover on " +
                         module.module);
    }
    if (!module.failover_recorded) {
        text += line("failover",
                     "as this node has it; whether the other has recorded it is not known.");
    }
    for (const auto& node : module.nodes) {
        if (node.at_boot != "never") continue;
        text += line("boot", "not started when " + node.node +
                                 " boots. To change that, there: "
                                 "hamirrorctl enable " +
                                 module.module);
    }
    if (!module.preferred_text.empty()) text += line("preferred", module.preferred_text);
    return text;
}

/// Where a reason does not say so already.
std::string changed_lines(const ModuleStatus& module) {
    std::string text;
    const auto diverged = [](const auto& node) { return node.reason_code == "diverged"; };
    if (std::ranges::any_of(module.nodes, diverged)) return text;
    for (const auto& node : module.nodes) {
        if (!node.changed_alone) continue;
        text +=
            line("alone",
                 node.node + " has what the other has not: " + changed_text(*node.changed_alone));
    }
    return text;
}

std::string block(const ModuleStatus& module, const ClusterStatus& status) {
    std::string text = module.module + ": ";
    text += module.primary.empty() ? "served by no node" : "served by " + module.primary;
    text += "\n" + line("safe", safety(module)) + switches(module);
    for (const auto& node : module.nodes) text += node_line(node, status.node);
    if (module.since_unix_ms > 0) {
        text += line("since", date_text(module.since_unix_ms) + " (state of " + status.node + ")");
    }
    text += reasons(module);
    text += changed_lines(module);
    text += resync_line(module, status);
    if (!module.witness.empty()) text += line("witness", module.witness);
    if (!module.ping_targets.empty()) text += line("ping", module.ping_targets);
    if (!module.virtual_ips.empty()) text += line("addresses", join(module.virtual_ips));
    return text;
}

}  // namespace

std::string wrap(const std::string& text, std::size_t indent, std::size_t first_column) {
    std::string result;
    std::size_t column = first_column;
    std::size_t begin = 0;
    while (begin < text.size()) {
        std::size_t end = text.find(' ', begin + (begin == 0 ? text.find_first_not_of(' ') : 0));
        end = end == std::string::npos ? text.size() : text.find_first_not_of(' ', end);
        if (end == std::string::npos) end = text.size();
        std::string word = text.substr(begin, end - begin);
        const auto visible = word.find_last_not_of(' ') + 1;
        if (column > indent && column + visible > kColumns) {
            result.erase(result.find_last_not_of(' ') + 1);
            result += "\n" + std::string(indent, ' ');
            column = indent;
        }
        result += word;
        column += word.size();
        begin = end;
    }
    return result;
}

std::string date_text(std::int64_t unix_ms) {
    const std::time_t seconds = unix_ms / 1000;
    std::tm local{};
    localtime_r(&seconds, &local);
    std::array<char, 32> text{};
    return {text.data(), std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M:%S", &local)};
}

std::string bytes_text(std::uint64_t bytes) {
    constexpr std::array<const char*, 5> kUnits{"B", "KiB", "MiB", "GiB", "TiB"};
    double value = static_cast<double>(bytes);
    std::size_t unit = 0;
    while (value >= 1024 && unit + 1 < kUnits.size()) {
        value /= 1024;
        ++unit;
    }
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), unit == 0 ? "%.0f %s" : "%.1f %s", value,
                  kUnits.at(unit));
    return text.data();
}

std::string progress(const ResyncStatus& resync) {
    std::string text;
    if (resync.files_total > 0) {
        text = std::to_string(resync.files_done) + " of " + std::to_string(resync.files_total) +
               " files, ";
    }
    return text + bytes_text(resync.bytes_examined) + " compared, " +
           bytes_text(resync.bytes_sent) + " sent";
}

std::string changed_text(const ChangedAloneStatus& changed) {
    return std::string(changed.at_least ? "at least " : "") + std::to_string(changed.operations) +
           (changed.operations == 1 ? " operation, " : " operations, ") +
           bytes_text(changed.bytes) + " written";
}

std::string safety(const ModuleStatus& module) {
    const auto serving = std::ranges::find_if(module.nodes, [](const NodeStatus& node) {
        return node.state == "primary" || node.state == "alone";
    });
    if (serving == module.nodes.end()) return "not served: the application runs on no node.";
    const auto both = std::ranges::count_if(module.nodes, [](const NodeStatus& node) {
        return node.state == "primary" || node.state == "alone";
    });
    if (both > 1) return "NO: both nodes serve, each with its own data.";
    const NodeStatus other = module.other_than(serving->node);
    if (serving->state == "primary") {
        if (other.is("secondary", "ready")) {
            return "yes: every change is on both nodes before it is acknowledged.";
        }
        return "yes for the data; " + other.node + " is not ready to take over.";
    }
    if (module.resync.running) {
        return "NOT YET: " + other.node + "'s copy is being brought up to date.";
    }
    return "NO: only " + serving->node + " has the newest data; there is nobody to take over.";
}

std::string advice(const std::string& module, const NodeStatus& node) {
    if (node.reason.find("hamirrorctl") != std::string::npos) return "";
    const std::string on = " (on " + node.node + ")";
    const std::string back =
        "bring the other node back: systemctl start ha-cluster.target there. If it is lost: "
        "hamirrorctl start " +
        module + " --force" + on;
    struct Entry {
        std::string_view code;
        std::string command;
    };
    const std::array entries{
        Entry{"peer-first", "hamirrorctl start " + module + " on the other node"},
        Entry{"outdated", back},
        Entry{"peer-needed", back},
        Entry{"unconfirmed", back},
        Entry{"ceding", back},
        Entry{"restarts-spent",
              "journalctl -u UNIT, repair it, then: hamirrorctl start " + module + on},
        Entry{"data-missing", "mount or restore the directories, then: hamirrorctl stop " + module +
                                  " && hamirrorctl start " + module + on},
        Entry{"witness-unreachable",
              "systemctl status ha-witness (on the witness), or the etcd; and the network to it"},
        Entry{"witness-pending", "bring the other node back, or: hamirrorctl start " + module +
                                     " --force (this node's data is kept)"},
        Entry{"register-lost", "hamirrorctl witness remove, then hamirrorctl witness add"},
        Entry{"register-foreign", "hamirrorctl events " + module + on},
        Entry{"copy-failed", "journalctl -u ha-replicatord@" + module + " -n 30" + on},
    };
    const auto found = std::ranges::find(entries, node.reason_code, &Entry::code);
    if (found != entries.end()) return found->command;
    if (node.readiness == "blocked") return "hamirrorctl events " + module + on;
    return "";
}

std::string cluster_text(const ClusterStatus& status) {
    if (!status.paired) {
        return wrap("This is " + status.node +
                        ", not paired yet. On the other server: hamirrorctl cluster pair HOST "
                        "--name NAME --address ADDRESS",
                    4, 0) +
               "\n";
    }
    std::string text = "This is " + status.node + "; " + status.peer() +
                       (status.control_connected ? " is connected.\n" : " is NOT connected.\n");
    for (const auto& network : status.networks) {
        text += line("network", network.local + " - " + network.peer +
                                    (network.heard ? "" : "  NOT HEARD on it"));
    }
    const auto& witness = status.witness;
    text += line("witness", !witness                ? "none"
                            : witness->etcd.empty() ? join(witness->addresses)
                                                    : "etcd: " + join(witness->etcd));
    if (!status.self_fencing.empty()) text += line("fencing", status.self_fencing);
    return text;
}

std::string status_text(const ClusterStatus& status) {
    std::string text = cluster_text(status);
    for (const auto& module : status.modules) text += "\n" + block(module, status);
    if (status.paired && status.modules.empty()) {
        text += "\nNo module yet: hamirrorctl apply FILE\n";
    }
    return text;
}

std::string module_text(const ModuleStatus& module, const ClusterStatus& status) {
    std::string text = block(module, status);
    text += line("units", join(module.units));
    text += line("paths", join(module.paths));
    text += line("mode", module.mode);
    text += line("policy",
                 module.policy + (module.policy_text.empty() ? "" : ": " + module.policy_text));
    return text;
}

}  // namespace ha::ctl
