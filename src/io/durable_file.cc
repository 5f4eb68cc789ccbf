#include "io/durable_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "base/bytes.h"
#include "io/fd.h"

namespace ha::io {
namespace {

constexpr std::uint64_t kMagic = 0x3146726f7272694dULL;
constexpr std::size_t kHeader = 24;  // magic, length, checksum

tl::unexpected<Error> failed(const std::string& what, const std::string& path, int error) {
    return fail(what + " " + path + ": " + std::strerror(error), error);
}

std::uint64_t checksum(std::span<const std::byte> content) {
    return XXH3_64bits_withSeed(content.data(), content.size(), kMagic ^ content.size());
}

std::string directory_of(const std::string& path) {
    auto slash = path.rfind('/');
    if (slash == std::string::npos) return ".";
    return slash == 0 ? "/" : path.substr(0, slash);
}

/// 0 or errno.
int write_all(int fd, std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
        ssize_t count = ::write(fd, bytes.data(), bytes.size());
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return errno;
        bytes = bytes.subspan(static_cast<std::size_t>(count));
    }
    return 0;
}

/// The number of bytes read, fewer than asked only at the end of the file; or -errno.
ssize_t read_all(int fd, std::span<std::byte> bytes) {
    std::size_t done = 0;
    while (done < bytes.size()) {
        ssize_t count = ::read(fd, bytes.data() + done, bytes.size() - done);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return -errno;
        if (count == 0) break;
        done += static_cast<std::size_t>(count);
    }
    return static_cast<ssize_t>(done);
}

Result<> write_temporary(const std::string& path, std::span<const std::byte> content) {
    Fd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!fd) return failed("cannot create", path, errno);
    std::vector<std::byte> header;
    ByteWriter writer(header);
    writer.u64(kMagic);
    writer.u64(content.size());
    writer.u64(checksum(content));
    if (int error = write_all(fd.get(), header)) return failed("cannot write", path, error);
    if (int error = write_all(fd.get(), content)) return failed("cannot write", path, error);
    if (::fsync(fd.get()) != 0) return failed("cannot make durable", path, errno);
    return {};
}

}  // namespace

Result<> sync_directory(const std::string& path) {
    Fd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd) return failed("cannot open directory", path, errno);
    if (::fsync(fd.get()) != 0) return failed("cannot make durable directory", path, errno);
    return {};
}

Result<> write_durable(const std::string& path, std::span<const std::byte> content) {
    const std::string temporary = path + ".new";
    if (auto written = write_temporary(temporary, content); !written) {
        ::unlink(temporary.c_str());
        return written;
    }
    if (::rename(temporary.c_str(), path.c_str()) != 0) {
        int error = errno;
        ::unlink(temporary.c_str());
        return failed("cannot rename into place", path, error);
    }
    return sync_directory(directory_of(path));
}

Result<> make_directories_durable(const std::string& path, mode_t mode) {
    const std::string above = directory_of(path);
    struct stat attributes {};
    if (::stat(above.c_str(), &attributes) != 0) {
        if (auto made = make_directories_durable(above, 0755); !made) return made;
    }
    if (::mkdir(path.c_str(), mode) != 0 && errno != EEXIST)
        return failed("cannot create", path, errno);
    return sync_directory(above);
}

Result<> settle_durable(const std::string& path) {
    Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    if (!fd) return failed("cannot open", path, errno);
    if (::fsync(fd.get()) != 0) return failed("cannot make durable", path, errno);
    return sync_directory(directory_of(path));
}

Result<std::optional<std::vector<std::byte>>> read_durable(const std::string& path,
                                                           std::size_t limit) {
    Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    if (!fd && errno == ENOENT) return std::nullopt;
    if (!fd) return failed("cannot open", path, errno);
    struct stat attributes {};
    if (::fstat(fd.get(), &attributes) != 0) return failed("cannot stat", path, errno);
    if (!S_ISREG(attributes.st_mode)) return fail(path + " is not a regular file");
    auto size = static_cast<std::size_t>(attributes.st_size);
    if (size < kHeader) return fail(path + " is damaged: shorter than its header", EBADMSG);
    if (size - kHeader > limit) return fail(path + " is longer than it may be", EFBIG);
    std::vector<std::byte> raw(size);
    ssize_t count = read_all(fd.get(), raw);
    if (count < 0) return failed("cannot read", path, static_cast<int>(-count));
    ByteReader reader(std::span<const std::byte>(raw).first(kHeader));
    const bool magic = reader.u64() == kMagic;
    const bool length = reader.u64() == size - kHeader && static_cast<std::size_t>(count) == size;
    const std::uint64_t expected = reader.u64();
    raw.erase(raw.begin(), raw.begin() + kHeader);
    if (!magic || !length || checksum(raw) != expected)
        return fail(path + " is damaged: its checksum does not match", EBADMSG);
    return raw;
}

}  // namespace ha::io
