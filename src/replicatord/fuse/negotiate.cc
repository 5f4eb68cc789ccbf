#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "replicatord/fuse/session.h"

// INIT. What we ask for, and why what we leave out is left out, is said in
// docs/filesystem.md.

namespace ha::replicatord::fuse {
namespace {

/// Without these the mirror would be wrong, not just slow.
constexpr std::uint64_t kNeeded = FUSE_BIG_WRITES | FUSE_DONT_MASK | FUSE_MAX_PAGES |
                                  FUSE_EXPLICIT_INVAL_DATA | FUSE_HANDLE_KILLPRIV_V2 |
                                  FUSE_POSIX_ACL | FUSE_SETXATTR_EXT;

constexpr std::uint64_t kWanted = kNeeded | FUSE_ASYNC_READ | FUSE_PARALLEL_DIROPS |
                                  FUSE_CACHE_SYMLINKS | FUSE_DO_READDIRPLUS |
                                  FUSE_READDIRPLUS_AUTO | FUSE_ASYNC_DIO | FUSE_ABORT_ERROR |
                                  FUSE_INIT_EXT | kHasResend | kNoExportSupport;

std::uint64_t flags_of(const fuse_init_in& in) {
    std::uint64_t flags = in.flags;
    if ((in.flags & FUSE_INIT_EXT) != 0) flags |= std::uint64_t{in.flags2} << 32U;
    return flags;
}

}  // namespace

Result<> Session::negotiate() {
    Request& request = *take_slot();
    const bool received = receive(request);
    const fuse_in_header header = request.header();
    // Older kernels send less than we know; the rest reads as zero.
    fuse_init_in in{};
    if (received) {
        const std::size_t size = std::min<std::size_t>(sizeof(in), header.len - sizeof(header));
        std::memcpy(&in, request.buffer_ + sizeof(header), size);
    }
    give_slot(request);
    if (!received || header.opcode != FUSE_INIT || in.major != FUSE_KERNEL_VERSION)
        return fail("the kernel's FUSE does not speak protocol 7");
    return reply_init(header, in);
}

Result<> Session::reply_init(const fuse_in_header& header, const fuse_init_in& in) {
    const std::uint64_t offered = flags_of(in);
    if ((offered & kNeeded) != kNeeded) {
        write_message(header.unique, -EPROTO, {});
        return fail("this kernel's FUSE is too old: Linux 5.12 or newer is needed", EPROTO);
    }
    const std::uint64_t flags = offered & kWanted;
    minor_ = std::min(in.minor, kMinor);
    fuse_init_out out{};
    out.major = FUSE_KERNEL_VERSION;
    out.minor = minor_;
    out.max_readahead = in.max_readahead;
    out.flags = static_cast<std::uint32_t>(flags);
    out.flags2 = static_cast<std::uint32_t>(flags >> 32U);
    out.max_background = 64;
    out.congestion_threshold = 48;
    out.max_write = kMaxWrite;
    out.time_gran = 1;
    out.max_pages =
        static_cast<std::uint16_t>(kMaxWrite / static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)));
    const int failed = write_message(header.unique, 0, std::as_bytes(std::span(&out, 1)));
    if (failed != 0)
        return fail(std::string("FUSE negotiation failed: ") + std::strerror(failed), failed);
    return {};
}

}  // namespace ha::replicatord::fuse
