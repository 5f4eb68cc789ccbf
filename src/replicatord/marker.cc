#include "replicatord/marker.h"

#include <sys/xattr.h>
#include <unistd.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include <array>
#include <cerrno>

#include "base/bytes.h"
#include "replicatord/file_handle.h"

namespace ha::replicatord {
namespace {

constexpr const char* kMarkerXattr = "trusted.hamirror.marker";
constexpr std::size_t kSize = 16 + 1 + 8 + 8;

std::vector<std::byte> encode(const Marker& marker, std::uint64_t seed) {
    std::vector<std::byte> out;
    ByteWriter writer(out);
    writer.id(marker.module);
    writer.u8(marker.node);
    writer.u64(marker.stamp);
    writer.u64(XXH3_64bits_withSeed(out.data(), out.size(), seed));
    return out;
}

}  // namespace

Result<std::uint64_t> directory_seed(int fd) {
    auto file_system = file_system_id(fd);
    if (!file_system) return tl::unexpected(file_system.error());
    auto at = handle_at(fd, "");
    if (!at) return tl::unexpected(at.error());
    return XXH3_64bits_withSeed(at->handle.bytes.data(), at->handle.length, *file_system);
}

Result<std::optional<Marker>> read_marker(const Tree& tree, std::size_t root) {
    const int fd = tree.root_fd(root);
    auto seed = directory_seed(fd);
    if (!seed) return tl::unexpected(seed.error());
    std::vector<std::byte> raw(256);
    ssize_t size = ::fgetxattr(fd, kMarkerXattr, raw.data(), raw.size());
    if (size < 0 && (errno == ENODATA || errno == ERANGE)) return std::nullopt;
    if (size < 0) return call_failed("read the marker of the tree", errno);
    raw.resize(static_cast<std::size_t>(size));
    if (raw.size() != kSize) return std::nullopt;
    ByteReader reader(raw);
    Marker marker;
    marker.module = reader.id();
    marker.node = reader.u8();
    marker.stamp = reader.u64();
    if (encode(marker, *seed) != raw) return std::nullopt;
    return marker;
}

bool marker_valid(const std::optional<Marker>& marker, const Id128& module, std::uint8_t node,
                  const Store::Stamps& stamps) {
    if (!marker || marker->module != module || marker->node != node || marker->stamp == 0)
        return false;
    return marker->stamp == stamps.current || marker->stamp == stamps.next;
}

Result<> write_marker(const Tree& tree, std::size_t root, const Marker& marker) {
    const int fd = tree.root_fd(root);
    auto seed = directory_seed(fd);
    if (!seed) return tl::unexpected(seed.error());
    auto raw = encode(marker, *seed);
    if (::fsetxattr(fd, kMarkerXattr, raw.data(), raw.size(), 0) != 0)
        return call_failed("write the marker of the tree", errno);
    if (::fsync(fd) != 0) return call_failed("make the marker of the tree durable", errno);
    return {};
}

Result<> restamp(const Tree& tree, Store& store, const Id128& module, std::uint8_t node) {
    auto stamp = store.prepare_stamp();
    if (!stamp) return tl::unexpected(stamp.error());
    for (std::size_t i = 0; i < tree.root_count(); ++i)
        if (auto done = write_marker(tree, i, Marker{module, node, *stamp}); !done) return done;
    return store.commit_stamp();
}

}  // namespace ha::replicatord
