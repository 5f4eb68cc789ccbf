#pragma once

namespace ha::vipd {

/// ExecStopPost= of ha-vipd.service: removes every address the daemon left behind, however it
/// ended. Only a planned restart keeps them, for the next run to adopt. Returns an exit status.
int drop_all();

}  // namespace ha::vipd
