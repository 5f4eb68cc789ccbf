#include "io/disk_reserve.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/fd.h"

namespace ha::io {

void DiskReserve::keep() const {
    struct stat attributes {};
    if (::stat(path_.c_str(), &attributes) == 0) return;
    Fd fd(::open(path_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!fd) return;
    if (::posix_fallocate(fd.get(), 0, bytes_) != 0) ::unlink(path_.c_str());
}

bool DiskReserve::give_up() const {
    return ::unlink(path_.c_str()) == 0;
}

}  // namespace ha::io
