#include "replicatord/closed_paths.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "io/fd.h"
#include "replicatord/fuse/mounts.h"

namespace ha::replicatord {

Result<> make_closed_durable(const std::vector<std::string>& paths) {
    for (const std::string& path : paths) {
        if (auto cleared = fuse::clear_old_mounts(path); !cleared) return cleared;
        // An error of writing back that nobody was told of yet comes here, too (errseq_t).
        const io::Fd directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        if (!directory || ::syncfs(directory.get()) != 0) {
            return fail("cannot make " + path + " durable", errno);
        }
    }
    return {};
}

}  // namespace ha::replicatord
