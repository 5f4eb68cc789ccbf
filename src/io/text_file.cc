#include "io/text_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "io/durable_file.h"
#include "io/fd.h"

namespace ha::io {
namespace {

tl::unexpected<Error> failed(const std::string& what, const std::string& path) {
    int code = errno;
    return fail("cannot " + what + " " + path + ": " + std::strerror(code), code);
}

bool write_all(int fd, std::string_view text) {
    while (!text.empty()) {
        auto written = write(fd, text.data(), text.size());
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) return false;
        text.remove_prefix(static_cast<std::size_t>(written));
    }
    return true;
}

}  // namespace

Result<> write_text_durable(const std::string& path, std::string_view text, mode_t mode) {
    std::string draft = path + ".new";
    unlink(draft.c_str());  // one that a crash left may have another mode
    Fd fd(open(draft.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode));
    if (!fd) return failed("create", draft);
    if (fchmod(fd.get(), mode) != 0 || !write_all(fd.get(), text) || fsync(fd.get()) != 0) {
        auto error = failed("write", draft);
        unlink(draft.c_str());
        return error;
    }
    if (rename(draft.c_str(), path.c_str()) != 0) return failed("replace", path);
    return sync_directory(std::filesystem::path(path).parent_path());
}

Result<> make_directory(const std::string& path, mode_t mode) {
    struct stat attributes {};
    const bool fresh = stat(path.c_str(), &attributes) != 0;
    auto made = make_directories_durable(path, mode);
    if (!made) return made;
    if (fresh && chmod(path.c_str(), mode) != 0) return failed("set the mode of", path);
    return {};
}

}  // namespace ha::io
