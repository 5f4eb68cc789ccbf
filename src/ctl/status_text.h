#pragma once

#include <string>

#include "ctl/status_view.h"

// `hamirrorctl status` for people: who is primary, is it safe, since when, why not, what to run.
// At most 80 columns wherever the words allow it.

namespace ha::ctl {

/// The pair and a block for each module.
std::string status_text(const ClusterStatus& status);
/// One module with its paths, units and policy.
std::string module_text(const ModuleStatus& module, const ClusterStatus& status);
/// The pair, its networks and its witness.
std::string cluster_text(const ClusterStatus& status);

/// One sentence: does every change survive the loss of one server?
std::string safety(const ModuleStatus& module);
/// The command that resolves what this reason says; empty: none, or the reason names it itself.
std::string advice(const std::string& module, const NodeStatus& node);
/// "34 %, 1.2 GiB compared, 20.0 MiB sent".
std::string progress(const ResyncStatus& resync);
std::string bytes_text(std::uint64_t bytes);
/// "at least 12 operations, 4.0 KiB written".
std::string changed_text(const ChangedAloneStatus& changed);
/// In local time, to the second.
std::string date_text(std::int64_t unix_ms);

/// Breaks at spaces so that no line is longer than 80; later lines begin with `indent` spaces.
std::string wrap(const std::string& text, std::size_t indent, std::size_t first_column);

}  // namespace ha::ctl
