#include "replicatord/fingerprint.h"

#include <sys/stat.h>
#include <unistd.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include <cerrno>
#include <cstring>
#include <ctime>
#include <vector>

#include "base/bytes.h"
#include "io/durable_file.h"
#include "replicatord/tree.h"

namespace ha::replicatord {
namespace {

constexpr std::uint16_t kVersion = 1;
constexpr std::size_t kLimit = 64;

void put(ByteWriter& out, const timespec& time) {
    out.i64(time.tv_sec);
    out.i64(time.tv_nsec);
}

XXH128_hash_t hash_of(std::uint64_t root, std::uint64_t directory, const char* name,
                      const struct stat& inode) {
    std::vector<std::byte> bytes;
    ByteWriter out(bytes);
    out.u64(root);
    out.u64(directory);
    out.text(name);
    out.u64(inode.st_ino);
    out.u32(inode.st_mode);
    out.u64(inode.st_nlink);
    out.u32(inode.st_uid);
    out.u32(inode.st_gid);
    out.u64(inode.st_rdev);
    out.u64(static_cast<std::uint64_t>(inode.st_size));
    put(out, inode.st_mtim);
    put(out, inode.st_ctim);
    return XXH3_128bits(bytes.data(), bytes.size());
}

bool same_tick(const timespec& one, const timespec& other, bool whole_seconds) {
    return one.tv_sec == other.tv_sec && (whole_seconds || one.tv_nsec == other.tv_nsec);
}

Result<> pass_a_tick(bool whole_seconds) {
    timespec tick{};
    timespec begin{};
    timespec now{};
    if (::clock_getres(CLOCK_REALTIME_COARSE, &tick) != 0 ||
        ::clock_gettime(CLOCK_REALTIME_COARSE, &begin) != 0)
        return fail(std::string("cannot read the clock: ") + std::strerror(errno), errno);
    do {
        // Time itself is waited for. Cut short by a signal it is only waited for again.
        ::clock_nanosleep(CLOCK_MONOTONIC, 0, &tick, nullptr);
        ::clock_gettime(CLOCK_REALTIME_COARSE, &now);
    } while (same_tick(begin, now, whole_seconds));
    return {};
}

}  // namespace

// A sum, because directories are read in no order that may be relied upon.
Result<Fingerprint> take_fingerprint(const Tree& tree) {
    Fingerprint all;
    bool whole_seconds = true;  // ext4 with inodes of 128 bytes keeps no more
    auto add = [&](const Tree::Entry& entry) {
        if (entry.inode->st_ctim.tv_nsec != 0) whole_seconds = false;
        auto hash = hash_of(entry.root, entry.directory, entry.name, *entry.inode);
        ++all.names;
        all.sum.low += hash.low64;
        all.sum.high += hash.high64;
    };
    for (std::size_t root = 0; root < tree.root_count(); ++root) {
        struct stat inode {};
        if (::fstat(tree.root_fd(root), &inode) != 0)
            return fail("cannot stat " + tree.root_path(root) + ": " + std::strerror(errno), errno);
        add({root, 0, "", &inode});
    }
    if (auto walked = tree.walk(add); !walked) return tl::unexpected(walked.error());
    if (auto passed = pass_a_tick(whole_seconds); !passed) return tl::unexpected(passed.error());
    return all;
}

bool KeptFingerprint::exists() const {
    struct stat attributes {};
    return ::lstat(path_.c_str(), &attributes) == 0;
}

Result<std::optional<Fingerprint>> KeptFingerprint::read() const {
    auto content = io::read_durable(path_, kLimit);
    if (!content) return tl::unexpected(content.error());
    if (!content->has_value()) return std::nullopt;
    ByteReader in(**content);
    const auto version = in.u16();
    const bool taken = in.u8() != 0;
    Fingerprint kept;
    kept.names = in.u64();
    kept.sum = in.id();
    if (version != kVersion || !in.done() || !taken)
        return fail(path_ + " holds no fingerprint that can be compared");
    return kept;
}

Result<> KeptFingerprint::write(const std::optional<Fingerprint>& fingerprint) const {
    std::vector<std::byte> content;
    ByteWriter out(content);
    out.u16(kVersion);
    out.u8(fingerprint ? 1 : 0);
    out.u64(fingerprint ? fingerprint->names : 0);
    out.id(fingerprint ? fingerprint->sum : Id128{});
    return io::write_durable(path_, content);
}

Result<> KeptFingerprint::remove() const {
    if (::unlink(path_.c_str()) != 0) {
        if (errno == ENOENT) return {};
        return fail("cannot remove " + path_ + ": " + std::strerror(errno), errno);
    }
    return io::sync_directory(path_.substr(0, path_.rfind('/')));
}

}  // namespace ha::replicatord
