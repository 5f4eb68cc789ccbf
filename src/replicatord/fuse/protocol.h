#pragma once

#include <linux/fuse.h>

#include <cstddef>
#include <cstdint>

// What of the FUSE protocol is newer than the oldest linux/fuse.h we build with (7.38). Everything
// is negotiated by flags of INIT, never by the kernel's version.

namespace ha::replicatord::fuse {

/// The newest protocol we know the meaning of.
inline constexpr std::uint32_t kMinor = 45;

inline constexpr std::uint32_t kOpStatx = 52;  // 7.39

inline constexpr std::uint64_t kNoExportSupport = 1ULL << 38U;  // 7.40
inline constexpr std::uint64_t kHasResend = 1ULL << 39U;        // 7.40

inline constexpr int kNotifyInvalInode = FUSE_NOTIFY_INVAL_INODE;
inline constexpr int kNotifyInvalEntry = FUSE_NOTIFY_INVAL_ENTRY;
inline constexpr int kNotifyIncEpoch = 8;            // 7.44: forget every cached entry
inline constexpr std::uint32_t kMinorIncEpoch = 44;  // it has no flag

/// The most one WRITE carries, and the room a request needs beside it.
inline constexpr std::size_t kMaxWrite = 1U << 20U;
inline constexpr std::size_t kHeaderRoom = 4096;

}  // namespace ha::replicatord::fuse
