#include "replicatord/copy_progress.h"

#include <sys/xattr.h>
#include <unistd.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "base/bytes.h"
#include "io/log.h"
#include "replicatord/file_handle.h"
#include "replicatord/marker.h"

namespace ha::replicatord {
namespace {

constexpr const char* kProgressXattr = "trusted.hamirror.progress";
constexpr std::size_t kSize = 16 + 8 + 8 + 8;

std::vector<std::byte> encode(const Id128& module, const cluster::Progress& progress,
                              std::uint64_t seed) {
    std::vector<std::byte> out;
    ByteWriter writer(out);
    writer.id(module);
    writer.u64(progress.own);
    writer.u64(progress.peer);
    writer.u64(XXH3_64bits_withSeed(out.data(), out.size(), seed));
    return out;
}

/// On the orphan directory, lest the times of the mirrored one change. What does not count, or is
/// not there, is nothing.
Result<cluster::Progress> read(int fd, const Id128& module) {
    auto seed = directory_seed(fd);
    if (!seed) return tl::unexpected(seed.error());
    std::vector<std::byte> raw(256);
    ssize_t size = ::fgetxattr(fd, kProgressXattr, raw.data(), raw.size());
    if (size < 0 && (errno == ENODATA || errno == ERANGE)) return cluster::Progress{};
    if (size < 0) return call_failed("read the progress of the copy", errno);
    raw.resize(static_cast<std::size_t>(size));
    if (raw.size() != kSize) return cluster::Progress{};
    ByteReader reader(raw);
    cluster::Progress progress;
    const bool ours = reader.id() == module;
    progress.own = reader.u64();
    progress.peer = reader.u64();
    if (!ours || encode(module, progress, *seed) != raw) return cluster::Progress{};
    return progress;
}

Result<> write(int fd, const Id128& module, const cluster::Progress& progress) {
    auto seed = directory_seed(fd);
    if (!seed) return tl::unexpected(seed.error());
    auto raw = encode(module, progress, *seed);
    if (::fsetxattr(fd, kProgressXattr, raw.data(), raw.size(), 0) != 0)
        return call_failed("note the progress of the copy", errno);
    return {};
}

}  // namespace

Result<std::unique_ptr<CopyProgress>> CopyProgress::open(const Tree& tree, const Id128& module) {
    std::unique_ptr<CopyProgress> made(new CopyProgress(tree, module));
    std::optional<cluster::Progress> all;
    for (std::size_t root = 0; root < tree.root_count(); ++root) {
        const int fd = tree.orphan_fd(root);
        auto one = read(fd, module);
        if (!one) return tl::unexpected(one.error());
        // A process before this one may have noted it and not come to the sync.
        if (::fsync(fd) != 0) return call_failed("make the progress of the copy durable", errno);
        if (!all) all = *one;
        all->own = std::min(all->own, one->own);
        all->peer = std::max(all->peer, one->peer);
    }
    made->own_ = made->durable_ = all.value_or(cluster::Progress{}).own;
    made->peer_ = made->heard_ = all.value_or(cluster::Progress{}).peer;
    return made;
}

cluster::Progress CopyProgress::now() const {
    return {own_, peer_};
}

std::optional<std::uint64_t> CopyProgress::note(bool further) {
    std::scoped_lock lock(mutex_);
    const cluster::Progress next{own_ + (further ? 1 : 0), heard_};
    if (next == now()) return next.own;
    for (std::size_t root = 0; root < tree_.root_count(); ++root) {
        auto done = write(tree_.orphan_fd(root), module_, next);
        if (done) continue;
        if (!std::exchange(failed_, true)) {
            io::log(io::Level::Warning, tree_.root_path(root) + ": " + done.error().text +
                                            "; a disk that is put back to an earlier moment may "
                                            "go unnoticed.");
        }
        return std::nullopt;
    }
    failed_ = false;
    own_ = next.own;
    peer_ = next.peer;
    return next.own;
}

void CopyProgress::synced(std::uint64_t number) {
    std::scoped_lock lock(mutex_);
    durable_ = std::max(durable_.load(), number);  // another sync may have been further
}

bool CopyProgress::heard(std::uint64_t peer) {
    return heard_.exchange(peer) <= peer;
}

}  // namespace ha::replicatord
