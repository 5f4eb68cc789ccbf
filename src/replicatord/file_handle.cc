#include "replicatord/file_handle.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/ioctl.h>
#include <sys/statfs.h>

#include <cerrno>
#include <cstring>
#include <string>

namespace ha::replicatord {
namespace {

struct RawHandle {
    unsigned bytes;
    int type;
    std::array<unsigned char, FileHandle::kCapacity> data;
};
static_assert(offsetof(RawHandle, type) == offsetof(file_handle, handle_type));
static_assert(offsetof(RawHandle, data) == sizeof(file_handle));

// The first version of XFS_IOC_FSGEOMETRY, which every XFS answers; the UUID starts at byte 64.
struct XfsGeometry {
    std::array<unsigned char, 64> sizes;
    std::array<std::uint64_t, 2> uuid;
    std::array<std::uint32_t, 8> rest;
};
static_assert(sizeof(XfsGeometry) == 112);
constexpr unsigned long kXfsGeometry = _IOR('X', 100, XfsGeometry);

}  // namespace

tl::unexpected<Error> call_failed(const char* what, int error) {
    return fail(std::string("cannot ") + what + ": " + std::strerror(error), error);
}

Result<HandleAt> handle_at(int fd, const char* name) {
    RawHandle raw{};
    raw.bytes = FileHandle::kCapacity;
    HandleAt out;
    int flags = *name == '\0' ? AT_EMPTY_PATH : 0;
    auto* handle = reinterpret_cast<file_handle*>(&raw);
    if (::name_to_handle_at(fd, name, handle, &out.mount_id, flags) != 0)
        return call_failed("take a file handle", errno);
    out.handle.type = raw.type;
    out.handle.length = static_cast<std::uint8_t>(raw.bytes);
    std::memcpy(out.handle.bytes.data(), raw.data.data(), raw.bytes);
    return out;
}

Result<io::Fd> open_handle(int mount, const FileHandle& handle, int flags) {
    RawHandle raw{};
    raw.bytes = handle.length;
    raw.type = handle.type;
    std::memcpy(raw.data.data(), handle.bytes.data(), handle.length);
    io::Fd fd(::open_by_handle_at(mount, reinterpret_cast<file_handle*>(&raw), flags | O_CLOEXEC));
    if (!fd) return call_failed("open a file by its handle", errno);
    return fd;
}

Result<std::uint64_t> file_system_id(int fd) {
    struct statfs info {};
    if (::fstatfs(fd, &info) != 0) return call_failed("statfs", errno);
    if (info.f_type == XFS_SUPER_MAGIC) {  // its f_fsid is a device number
        XfsGeometry geometry{};
        if (::ioctl(fd, kXfsGeometry, &geometry) != 0) return call_failed("read XFS's UUID", errno);
        return geometry.uuid[0] ^ geometry.uuid[1];
    }
    std::uint64_t id = 0;
    static_assert(sizeof(info.f_fsid) == sizeof(id));
    std::memcpy(&id, &info.f_fsid, sizeof(id));
    return id;
}

}  // namespace ha::replicatord
