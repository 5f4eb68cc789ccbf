#include "replicatord/identity.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <array>
#include <cstring>

namespace ha::replicatord {
namespace {

// Native byte order is little-endian on every machine we run on; the attribute never leaves it.
struct Value {
    std::uint64_t id;
    std::uint64_t inode;
    std::uint64_t file_system;
    std::uint64_t check;
};
static_assert(sizeof(Value) == 32);

/// Over everything the identity is bound to, and the id.
std::uint64_t check_of(FileId id, const IdentityBinding& binding) {
    std::array<std::uint64_t, 6> head{
        id.value,
        binding.inode,
        binding.file_system,
        binding.module.high,
        binding.module.low,
        static_cast<std::uint64_t>(static_cast<std::uint32_t>(binding.handle.type))};
    std::uint64_t seed = XXH3_64bits(head.data(), sizeof(head));
    return XXH3_64bits_withSeed(binding.handle.bytes.data(), binding.handle.length, seed);
}

}  // namespace

std::optional<FileId> read_identity(const std::string& value, const IdentityBinding& binding) {
    Value raw{};
    if (value.size() != sizeof(raw)) return std::nullopt;
    std::memcpy(&raw, value.data(), sizeof(raw));
    if (raw.inode != binding.inode || raw.file_system != binding.file_system) return std::nullopt;
    FileId id{raw.id};
    if (id.value == 0 || raw.check != check_of(id, binding)) return std::nullopt;
    return id;
}

std::string write_identity(FileId id, const IdentityBinding& binding) {
    Value raw{id.value, binding.inode, binding.file_system, check_of(id, binding)};
    std::string out(sizeof(raw), '\0');
    std::memcpy(out.data(), &raw, sizeof(raw));
    return out;
}

std::string proc_path(int fd, const char* name) {
    std::string path = "/proc/self/fd/" + std::to_string(fd);
    if (*name != '\0') path.append("/").append(name);
    return path;
}

}  // namespace ha::replicatord
