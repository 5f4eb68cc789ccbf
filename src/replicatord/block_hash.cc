#include "replicatord/block_hash.h"

#include <openssl/evp.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>

#include "base/assert.h"
#include "base/bytes.h"
#include "replicatord/file_handle.h"

namespace ha::replicatord {
namespace {

Result<> read_all(int fd, std::uint64_t offset, std::span<std::byte> into) {
    while (!into.empty()) {
        ssize_t count = ::pread(fd, into.data(), into.size(), static_cast<off_t>(offset));
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return call_failed("read", errno);
        if (count == 0) return call_failed("read to the end", EIO);
        into = into.subspan(static_cast<std::size_t>(count));
        offset += static_cast<std::uint64_t>(count);
    }
    return {};
}

/// Where the next byte of `kind` (SEEK_DATA, SEEK_HOLE) is, `end` if not before.
Result<std::uint64_t> seek(int fd, std::uint64_t from, std::uint64_t end, int kind) {
    off_t at = ::lseek(fd, static_cast<off_t>(from), kind);
    if (at < 0 && errno == ENXIO) return end;
    if (at < 0) return call_failed("find holes", errno);
    return std::min(static_cast<std::uint64_t>(at), end);
}

// The hash decides what is not sent, so it is a cryptographic one: BLAKE2b-512, cut to 256 bits.
replication::BlockHash hash_of(const Block& block) {
    std::vector<std::byte> layout;
    ByteWriter writer(layout);
    for (const auto& extent : block.extents) {
        writer.u8(extent.data ? 1 : 0);
        writer.u64(extent.length);
    }
    std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    HA_ASSERT(EVP_DigestInit_ex(context.get(), EVP_blake2b512(), nullptr) == 1);
    EVP_DigestUpdate(context.get(), layout.data(), layout.size());
    EVP_DigestUpdate(context.get(), block.content.data(), block.content.size());
    EVP_DigestFinal_ex(context.get(), digest, &length);
    replication::BlockHash hash;
    HA_ASSERT(length >= hash.size());
    std::copy_n(reinterpret_cast<const std::byte*>(digest), hash.size(), hash.begin());
    return hash;
}

}  // namespace

Result<std::vector<Extent>> read_extents(int fd, std::uint64_t begin, std::uint64_t end) {
    std::vector<Extent> extents;
    while (begin < end) {
        auto data = seek(fd, begin, end, SEEK_DATA);
        if (!data) return tl::unexpected(data.error());
        if (*data > begin) extents.push_back({begin, *data - begin, false});
        if (*data >= end) break;
        auto hole = seek(fd, *data, end, SEEK_HOLE);
        if (!hole) return tl::unexpected(hole.error());
        if (*hole > *data) extents.push_back({*data, *hole - *data, true});
        begin = *hole;
    }
    return extents;
}

Result<Block> read_block(int fd, std::uint64_t begin, std::uint64_t end) {
    Block block;
    auto extents = read_extents(fd, begin, end);
    if (!extents) return tl::unexpected(extents.error());
    block.extents = std::move(*extents);
    bool any = false;
    for (const auto& extent : block.extents) {
        if (!extent.data) continue;
        any = true;
        const std::size_t before = block.content.size();
        block.content.resize(before + extent.length);
        auto read = read_all(fd, extent.offset, std::span(block.content).subspan(before));
        if (!read) return tl::unexpected(read.error());
    }
    if (any) block.hash = hash_of(block);
    return block;
}

}  // namespace ha::replicatord
