#include "io/unit_group.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <string_view>
#include <vector>

#include "io/fd.h"

namespace ha::io {
namespace {

namespace fs = std::filesystem;

bool gone(int code) {
    return code == ENOENT || code == ENODEV;
}

tl::unexpected<Error> failed(const char* verb, const std::string& path) {
    return fail(std::string("cannot ") + verb + " " + path + ": " + std::strerror(errno), errno);
}

}  // namespace

std::string find_unit_group(const std::string& unit, const std::string& root) {
    std::vector<fs::path> slices{root};
    while (!slices.empty()) {
        const auto slice = std::move(slices.back());
        slices.pop_back();
        std::error_code error;
        for (fs::directory_iterator at(slice, error), end; !error && at != end;
             at.increment(error)) {
            std::error_code unreadable;
            if (!at->is_directory(unreadable)) continue;
            const auto name = at->path().filename().string();
            // systemd puts an underscore before names the kernel uses itself.
            if (name == unit || name == "_" + unit) return at->path().string();
            if (name.ends_with(".slice") && name != "user.slice") slices.push_back(at->path());
        }
    }
    return "";
}

Result<> kill_group(const std::string& group) {
    const auto path = group + "/cgroup.kill";
    Fd file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
    if (file && ::write(file.get(), "1", 1) == 1) return {};
    if (gone(errno)) {
        std::error_code error;
        if (!fs::exists(group, error)) return {};
    }
    return failed("write", path);
}

Result<bool> group_populated(const std::string& group) {
    const auto path = group + "/cgroup.events";
    Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    std::array<char, 512> buffer{};
    const auto length = file ? ::read(file.get(), buffer.data(), buffer.size()) : -1;
    if (length < 0 && gone(errno)) return false;
    if (length < 0) return failed("read", path);
    const std::string_view text(buffer.data(), static_cast<std::size_t>(length));
    return text.find("populated 1") != std::string_view::npos;
}

}  // namespace ha::io
