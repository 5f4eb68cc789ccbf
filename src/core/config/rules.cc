#include "core/config/rules.h"

#include <span>
#include <vector>

#include "base/bytes.h"

namespace ha::config {
namespace {

/// FNV-1a.
std::uint64_t digest(std::span<const std::byte> bytes) {
    std::uint64_t value = 14695981039346656037ULL;
    for (std::byte byte : bytes) {
        value ^= static_cast<std::uint64_t>(byte);
        value *= 1099511628211ULL;
    }
    return value == 0 ? 1 : value;
}

void put(ByteWriter& out, const std::vector<std::string>& list) {
    out.u32(static_cast<std::uint32_t>(list.size()));
    for (const auto& item : list) out.text(item);
}

}  // namespace

// Every list and text is preceded by its length, so that no two configurations read the same.
std::uint64_t rules_digest(const ModuleConfig& module) {
    std::vector<std::byte> bytes;
    ByteWriter out(bytes);
    out.u8(module.policy == Policy::Safe ? 1 : 0);
    out.u8(module.failover.automatic ? 1 : 0);
    for (Duration bound :
         {module.timing.heartbeat, module.timing.silent_after, module.timing.demote_after,
          module.timing.kill_bound, module.timing.take_after}) {
        out.i64(bound.count());
    }
    out.u32(static_cast<std::uint32_t>(module.replicate.size()));
    for (const auto& directory : module.replicate) {
        out.text(directory.path);
        put(out, directory.exclude);
    }
    put(out, module.units);
    out.u16(module.port);
    if (!module.ping_targets.empty()) put(out, module.ping_targets);
    return digest(bytes);
}

}  // namespace ha::config
