#include "io/reset.h"

#include <sys/reboot.h>

namespace ha::io {

void reset_node() noexcept {
    ::reboot(RB_AUTOBOOT);
}

}  // namespace ha::io
