#include "replicatord/fuse/mounts.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>

#include "io/fd.h"

namespace ha::replicatord::fuse {
namespace {

namespace fs = std::filesystem;

constexpr const char* kControl = "/sys/fs/fuse/connections";

/// mountinfo writes space, tab, newline and backslash as \ooo.
std::string unescape(const std::string& text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '\\' && i + 3 < text.size()) {
            out.push_back(static_cast<char>(std::stoi(text.substr(i + 1, 3), nullptr, 8)));
            i += 3;
        } else {
            out.push_back(text[i]);
        }
    }
    return out;
}

bool below(const std::string& path, const std::string& point) {
    return path == point || path.starts_with(point + "/");
}

std::string link_target(const std::string& path) {
    std::string target(PATH_MAX, '\0');
    ssize_t size = ::readlink(path.c_str(), target.data(), target.size());
    target.resize(size < 0 ? 0 : static_cast<std::size_t>(size));
    return target;
}

/// What find_holders() looks for.
struct Wanted {
    const std::string& point;
    std::optional<dev_t> device;
};

/// The device behind a link of /proc; statx(2) without synchronisation asks no file system.
bool on_device(const std::string& link, dev_t device) {
    struct statx status {};
    if (::statx(AT_FDCWD, link.c_str(), AT_STATX_DONT_SYNC, STATX_TYPE, &status) != 0) return false;
    return makedev(status.stx_dev_major, status.stx_dev_minor) == device;
}

bool holds(const std::string& link, const Wanted& wanted) {
    return below(link_target(link), wanted.point) &&
           (!wanted.device || on_device(link, *wanted.device));
}

/// A line of maps: "address permissions offset MAJOR:MINOR inode path", the numbers in hex.
bool maps(const std::string& line, const Wanted& wanted) {
    auto slash = line.find('/');
    if (slash == std::string::npos || !below(line.substr(slash), wanted.point)) return false;
    if (!wanted.device) return true;
    unsigned major = 0;
    unsigned minor = 0;
    if (std::sscanf(line.c_str(), "%*s %*s %*s %x:%x", &major, &minor) != 2) return false;
    return makedev(major, minor) == *wanted.device;
}

std::optional<std::string> held_by(const std::string& process, const Wanted& wanted) {
    for (const char* what : {"cwd", "root", "exe"})
        if (holds(process + "/" + what, wanted)) return what;
    std::error_code ignored;
    for (fs::directory_iterator at(process + "/fd", ignored), end; at != end; at.increment(ignored))
        if (holds(at->path(), wanted)) return "fd";
    std::ifstream lines(process + "/maps");
    for (std::string line; std::getline(lines, line);)
        if (maps(line, wanted)) return "map";
    return std::nullopt;
}

std::vector<Holder> find(const Wanted& wanted, int except) {
    std::vector<Holder> out;
    std::error_code ignored;
    for (fs::directory_iterator at("/proc", ignored), end; at != end; at.increment(ignored)) {
        const std::string name = at->path().filename();
        if (!std::all_of(name.begin(), name.end(), [](unsigned char c) { return std::isdigit(c); }))
            continue;
        Holder holder{std::stoi(name), {}, {}};
        if (holder.pid == except) continue;
        auto what = held_by(at->path(), wanted);
        if (!what) continue;
        holder.what = *what;
        std::ifstream(at->path() / "comm") >> holder.command;
        out.push_back(std::move(holder));
    }
    return out;
}

}  // namespace

std::vector<Mount> read_mounts() {
    std::vector<Mount> out;
    std::ifstream lines("/proc/thread-self/mountinfo");
    for (std::string line; std::getline(lines, line);) {
        std::istringstream words(line);
        Mount mount;
        std::string skipped, device, point, word;
        words >> skipped >> skipped >> device >> skipped >> point;
        while (words >> word && word != "-") {
        }
        words >> mount.type;
        mount.point = unescape(point);
        mount.minor = static_cast<unsigned>(std::stoul(device.substr(device.find(':') + 1)));
        out.push_back(std::move(mount));
    }
    return out;
}

bool uppermost(const std::string& point, unsigned connection) {
    auto mounts = read_mounts();
    auto top = std::find_if(mounts.rbegin(), mounts.rend(),
                            [&](const Mount& mount) { return mount.point == point; });
    return top != mounts.rend() && top->type == kMountType && top->minor == connection;
}

Result<Aborter> Aborter::open(const std::string& point, unsigned connection) {
    const std::string path = std::string(kControl) + "/" + std::to_string(connection) + "/abort";
    Aborter out;
    out.point_ = point;
    out.connection_ = connection;
    out.control_ = io::Fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
    // Nobody may have mounted the control file system. EBUSY: it is there.
    if (!out.control_ &&
        (::mount("fusectl", kControl, "fusectl", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr) == 0 ||
         errno == EBUSY))
        out.control_ = io::Fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
    if (!uppermost(point, connection))
        return fail("another mount than expected is on " + point, ESTALE);
    return out;
}

Result<> Aborter::abort() const {
    if (!control_) return force();
    if (::write(control_.get(), "1", 1) == 1) return {};
    return fail(std::string("cannot abort a FUSE connection: ") + std::strerror(errno), errno);
}

/// umount2(2) with MNT_FORCE aborts the connection before it looks whether the mount is busy, and
/// it is: we hold its root. Nothing is left to be done if the mount has gone.
Result<> Aborter::force() const {
    if (point_.empty() || !uppermost(point_, connection_)) return {};
    io::Fd root(::open(point_.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (root && ::umount2(point_.c_str(), MNT_FORCE | UMOUNT_NOFOLLOW) != 0 && errno == EBUSY)
        return {};
    return fail("cannot abort the FUSE connection of " + point_ + ": " + std::strerror(errno),
                errno);
}

Result<std::string> real_path(const std::string& path) {
    io::Fd fd(::open(path.c_str(), O_PATH | O_CLOEXEC));
    if (!fd) return fail("cannot open " + path + ": " + std::strerror(errno), errno);
    return link_target("/proc/self/fd/" + std::to_string(fd.get()));
}

Result<> clear_old_mounts(const std::string& path) {
    auto resolved = real_path(path);
    if (!resolved) return tl::unexpected(resolved.error());
    const std::string& point = *resolved;
    // Each round takes away the uppermost; a bound, should something mount again and again.
    for (int round = 0; round < 16; ++round) {
        auto mounts = read_mounts();
        auto old = std::find_if(mounts.rbegin(), mounts.rend(),
                                [&](const Mount& mount) { return mount.point == point; });
        if (old == mounts.rend() || old->type != kMountType) return {};
        auto aborter = Aborter::open(point, old->minor);
        if (!aborter) continue;  // it went by itself
        if (auto aborted = aborter->abort(); !aborted) return aborted;
        if (::umount2(point.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) != 0)
            return fail("cannot remove the old mount on " + point + ": " + std::strerror(errno),
                        errno);
    }
    return fail("an old mount on " + point + " comes back again and again", EBUSY);
}

std::vector<Holder> find_holders(const std::string& point) {
    return find({point, std::nullopt}, 0);
}

std::vector<Holder> find_holders(const std::string& point, dev_t device) {
    return find({point, device}, ::getpid());
}

}  // namespace ha::replicatord::fuse
