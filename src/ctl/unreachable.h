#pragma once

#include <string>

namespace ha::ctl {

/// Why the cluster daemon of this node may not answer, as far as systemd knows, and what to do.
std::string explain_unreachable();

/// The same from what is known; for tests. `load` and `active` are systemd's LoadState and
/// ActiveState of ha-clusterd.service, empty if systemd does not answer either.
std::string explain_unreachable(const std::string& load, const std::string& active,
                                bool initialised);

}  // namespace ha::ctl
