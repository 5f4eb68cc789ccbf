#pragma once

#include <string>

#include "clusterd/face.h"

namespace ha::clusterd {

/// What `systemctl status ha-clusterd` shows to somebody who has never seen this product:
/// "postgresql: primary, redundant; web: waiting, see hamirrorctl status".
std::string status_line(const ClusterView& view);

}  // namespace ha::clusterd
