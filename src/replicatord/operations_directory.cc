#include <dirent.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstring>

#include "replicatord/operations_impl.h"

// Directories are read without state: each request opens the directory anew at the offset the last
// entry named, so that neither a restart nor a million of open directories matters. Offsets are the
// lower file system's own and stay valid while names come and go.

namespace ha::replicatord {
namespace {

/// As getdents64(2) writes it; the C library has no name for it.
struct LowerEntry {
    std::uint64_t inode;
    std::int64_t next_offset;
    std::uint16_t length;
    std::uint8_t type;
    char name[1];
};

bool dots(const char* name) {
    return std::strcmp(name, ".") == 0 || std::strcmp(name, "..") == 0;
}

/// A reply being filled with fuse_dirent or fuse_direntplus records.
class Listing {
  public:
    Listing(std::span<std::byte> room, bool plus)
        : room_(room), head_(plus ? FUSE_NAME_OFFSET_DIRENTPLUS : FUSE_NAME_OFFSET) {}

    [[nodiscard]] bool fits(std::size_t name_length) const {
        return used_ + FUSE_REC_ALIGN(head_ + name_length) <= room_.size();
    }
    void add(const fuse_direntplus& entry, std::string_view name) {
        std::byte* at = room_.data() + used_;
        const bool plus = head_ == FUSE_NAME_OFFSET_DIRENTPLUS;
        const std::size_t size = FUSE_REC_ALIGN(head_ + name.size());
        std::memset(at, 0, size);
        if (plus)
            std::memcpy(at, &entry, FUSE_NAME_OFFSET_DIRENTPLUS);
        else
            std::memcpy(at, &entry.dirent, FUSE_NAME_OFFSET);
        std::memcpy(at + head_, name.data(), name.size());
        used_ += size;
    }
    [[nodiscard]] std::span<const std::byte> bytes() const { return room_.first(used_); }
    [[nodiscard]] bool empty() const { return used_ == 0; }

  private:
    std::span<std::byte> room_;
    std::size_t head_;
    std::size_t used_ = 0;
};

}  // namespace

/// One READDIR or READDIRPLUS.
struct Operations::Reading {
    FileId directory;
    int fd = -1;
    bool plus = false;
    Listing listing;
    std::vector<FileId> referred;  // references given out
};

Operations::Outcome Operations::opendir(Request& request) {
    auto fd = shared_.tree.cached(id_of(request), kDirectory);
    if (!fd) return failed(fd.error());
    fuse_open_out out{};
    if (serving()) out.open_flags = FOPEN_CACHE_DIR | FOPEN_KEEP_CACHE;
    request.prepare(out);
    return done();
}

Operations::Outcome Operations::releasedir(Request&) {
    return done();
}
Operations::Outcome Operations::readdir(Request& request) {
    return list(request, false);
}
Operations::Outcome Operations::readdirplus(Request& request) {
    return list(request, true);
}

/// "." and "..": an inode number, never a reference.
std::uint64_t Operations::dots_inode(const Reading& reading, const char* name,
                                     std::uint64_t lower) {
    if (std::strcmp(name, ".") == 0) return reading.directory.value;
    if (reading.directory == Tree::root_id(root_)) return lower;
    Fd parent(::openat(reading.fd, "..", O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!parent) return lower;
    auto id = shared_.tree.identity(parent.get());
    return id && id->value != 0 ? id->value : lower;
}

/// false: the entry is gone, or none of the caller's business.
bool Operations::describe(Reading& reading, const char* name, std::uint64_t lower,
                          fuse_direntplus& out) {
    if (dots(name)) {
        out.dirent.ino = dots_inode(reading, name, lower);
        out.entry_out.attr.ino = out.dirent.ino;
        out.entry_out.attr.mode = S_IFDIR;
        return true;
    }
    struct stat attributes {};
    auto id = shared_.tree.lookup(reading.directory, name, &attributes, unknown());
    if (!id) return id.error().code != ENOENT;  // else a bare name; a look at it tells the error
    out.dirent.ino = id->value;
    out.dirent.type = (attributes.st_mode & S_IFMT) >> 12U;
    if (!reading.plus || !refer(*id)) return true;
    reading.referred.push_back(*id);
    fill(out.entry_out, *id, attributes);
    return true;
}

/// Puts lower entries into the reply; false: it is full. Whatever of `entries` is left over is read
/// again by the next request, from the offset of the last one that fitted.
bool Operations::add_entries(Reading& reading, std::span<const std::byte> entries) {
    while (!entries.empty()) {
        const auto& lower = *reinterpret_cast<const LowerEntry*>(entries.data());
        entries = entries.subspan(lower.length);
        const char* name = lower.name;
        if (shared_.tree.hidden(reading.directory, name)) continue;
        const std::size_t length = std::strlen(name);
        if (!reading.listing.fits(length)) return false;
        fuse_direntplus out{};
        out.dirent.type = lower.type;
        out.dirent.ino = lower.inode;
        if (!describe(reading, name, lower.inode, out)) continue;
        out.dirent.off = static_cast<std::uint64_t>(lower.next_offset);
        out.dirent.namelen = static_cast<std::uint32_t>(length);
        reading.listing.add(out, {name, length});
    }
    return true;
}

Operations::Outcome Operations::list(Request& request, bool plus) {
    const auto& in = request.argument<fuse_read_in>();
    const FileId id = id_of(request);
    auto directory = shared_.tree.open_by_id(id, kDirectory);
    if (!directory)
        return failed(directory.error().code == ESTALE ? ENOENT : directory.error().code);
    const int fd = directory->get();
    if (::lseek(fd, static_cast<off_t>(in.offset), SEEK_SET) < 0) return failed(errno);
    static thread_local std::vector<std::byte> reply(fuse::kMaxWrite);
    const auto room = std::span(reply).first(std::min<std::size_t>(in.size, reply.size()));
    Reading reading{id, fd, plus, Listing(room, plus), {}};
    // About as much as fits: what is read beyond is read again.
    const std::size_t batch = std::clamp<std::size_t>(in.size / (plus ? 6 : 1), 1024, 65536);
    static thread_local std::vector<std::byte> lower(65536);
    for (bool full = false; !full;) {
        const long size = ::syscall(SYS_getdents64, fd, lower.data(), batch);
        if (size < 0 && reading.listing.empty()) return failed(errno);
        if (size <= 0) break;
        full = !add_entries(reading, std::span(lower).first(static_cast<std::size_t>(size)));
    }
    if (!request.finish_with(reading.listing.bytes()))
        for (FileId referred : reading.referred) forget(referred, 1);
    return replied();
}

}  // namespace ha::replicatord
