#pragma once

#include "vipd/records.h"

namespace ha::vipd {

/// ExecStopPost= of ha-vipd.service: removes every address the daemon left behind, however it
/// ended. Only a planned restart keeps them, for the next run to adopt. Returns an exit status.
int drop_all(const Places& places = {});

}  // namespace ha::vipd
