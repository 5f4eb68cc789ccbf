#include "replicatord/kept_alone.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/bytes.h"
#include "io/durable_file.h"

namespace ha::replicatord {
namespace {

constexpr std::uint16_t kVersion = 1;
constexpr std::size_t kLimit = 256;

}  // namespace

Result<api::ChangedAlone> KeptAlone::read() const {
    auto content = io::read_durable(path_, kLimit);
    if (!content) return tl::unexpected(content.error());
    api::ChangedAlone kept;
    if (!content->has_value()) return kept;
    ByteReader in(**content);
    const auto version = in.u16();
    kept.decision = in.id();
    kept.operations = in.u64();
    kept.bytes = in.u64();
    kept.at_least = in.u8() == 0;
    const bool bounded =
        kept.operations <= api::kMaxChangedAlone && kept.bytes <= api::kMaxChangedAlone;
    if (version != kVersion || !in.done() || !bounded || kept.decision.none()) {
        return fail(path_ + " is damaged");
    }
    return kept;
}

Result<> KeptAlone::save(const api::ChangedAlone& changed) {
    return write(changed, false);
}

Result<> KeptAlone::close(const api::ChangedAlone& changed) {
    return write(changed, !changed.at_least);
}

Result<> KeptAlone::write(const api::ChangedAlone& changed, bool all) {
    std::scoped_lock lock(mutex_);
    if (changed.decision.none() || changed.decision == forgotten_) return {};
    std::vector<std::byte> content;
    ByteWriter out(content);
    out.u16(kVersion);
    out.id(changed.decision);
    out.u64(changed.operations);
    out.u64(changed.bytes);
    out.u8(all ? 1 : 0);
    return io::write_durable(path_, content);
}

Result<> KeptAlone::forget(const Id128& decision) {
    std::scoped_lock lock(mutex_);
    forgotten_ = decision;
    if (::unlink(path_.c_str()) != 0) {
        if (errno == ENOENT) return {};
        return fail("cannot remove " + path_ + ": " + std::strerror(errno), errno);
    }
    return io::sync_directory(path_.substr(0, path_.rfind('/')));
}

}  // namespace ha::replicatord
