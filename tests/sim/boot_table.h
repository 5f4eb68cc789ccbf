#pragma once

#include <string>

namespace ha::sim {

/// 2-safety, "Boot": a node that starts and sees nobody, for longer than boot_wait. As
/// play_matrix().
std::string play_boot(bool& good);

}  // namespace ha::sim
