#pragma once

#include <string>

#include "ctl/status_view.h"

namespace ha::ctl {

/// What an operator is shown before `start --force` on the node `here`: what is known of both
/// copies, what would be given up, and what cannot be known.
std::string force_text(const ModuleStatus& module, const std::string& here);

}  // namespace ha::ctl
