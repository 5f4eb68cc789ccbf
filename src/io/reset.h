#pragma once

namespace ha::io {

/// Resets this node at once, without a sync: reboot(2), RB_AUTOBOOT. Returns only if the kernel
/// refuses.
void reset_node() noexcept;

}  // namespace ha::io
