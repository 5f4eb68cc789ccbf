#include "io/boot_id.h"

#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <optional>

#include "base/assert.h"

namespace ha::io {
namespace {

Error system_error(const std::string& what, const std::string& path) {
    int code = errno;
    return Error{"cannot " + what + " " + path + ": " + std::strerror(code), code};
}

std::optional<Id128> read_id(const std::string& path) {
    int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return std::nullopt;
    char text[33] = {};
    auto got = read(fd, text, sizeof text);
    close(fd);
    if (got != sizeof text || text[32] != '\n') return std::nullopt;
    return Id128::parse(std::string_view(text, 32));
}

// Complete before it has its name: link(2) lets exactly one of several makers win.
Result<> publish(const std::string& path, const Id128& id) {
    std::string draft = path + "." + std::to_string(getpid());
    std::string line = id.text() + "\n";
    int fd = open(draft.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0) return tl::unexpected(system_error("create", draft));
    bool written = write(fd, line.data(), line.size()) == static_cast<ssize_t>(line.size());
    close(fd);
    bool linked = written && (link(draft.c_str(), path.c_str()) == 0 || errno == EEXIST);
    auto error = system_error("create", path);
    unlink(draft.c_str());
    if (!linked) return tl::unexpected(error);
    return {};
}

}  // namespace

Id128 random_id() {
    Id128 id;
    while (id.none()) {
        HA_ASSERT(getrandom(&id, sizeof id, 0) == static_cast<ssize_t>(sizeof id));
    }
    return id;
}

Result<Id128> boot_id(const std::string& directory) {
    std::string path = directory + "/boot-id";
    if (auto known = read_id(path)) return *known;
    if (mkdir(directory.c_str(), 0755) != 0 && errno != EEXIST) {
        return tl::unexpected(system_error("create", directory));
    }
    if (auto published = publish(path, random_id()); !published) {
        return tl::unexpected(published.error());
    }
    if (auto known = read_id(path)) return *known;
    return fail(path + " does not hold a boot id; remove it and restart hamirror");
}

}  // namespace ha::io
