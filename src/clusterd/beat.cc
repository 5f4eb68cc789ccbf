#include "clusterd/beat.h"

#include <optional>

#include "base/bytes.h"

namespace ha::clusterd {
namespace {

constexpr std::size_t kMaxModules = 32;
constexpr std::size_t kMaxName = 64;

enum : std::uint8_t { kNothing, kAll, kAtLeast };

void put(ByteWriter& out, const api::ChangedAlone& alone) {
    if (alone.decision.none()) return out.u8(kNothing);
    out.u8(alone.at_least ? kAtLeast : kAll);
    out.id(alone.decision);
    out.u64(alone.operations);
    out.u64(alone.bytes);
}

std::optional<api::ChangedAlone> get_alone(ByteReader& in) {
    const std::uint8_t kind = in.u8();
    api::ChangedAlone alone;
    if (kind == kNothing) return alone;
    alone.decision = in.id();
    alone.operations = in.u64();
    alone.bytes = in.u64();
    alone.at_least = kind == kAtLeast;
    const bool bounded =
        alone.operations <= api::kMaxChangedAlone && alone.bytes <= api::kMaxChangedAlone;
    if (kind > kAtLeast || alone.decision.none() || !bounded) return std::nullopt;
    return alone;
}

}  // namespace

std::vector<std::byte> encode(const Beat& beat) {
    std::vector<std::byte> bytes;
    ByteWriter out(bytes);
    out.i64(beat.clock.time_since_epoch().count());
    out.u64(beat.probe);
    out.u64(beat.echo);
    out.u8(static_cast<std::uint8_t>(beat.modules.size()));
    for (const auto& module : beat.modules) {
        out.text(module.module);
        out.i64(module.heard_age.count());
        out.u64(module.newest.value);
        out.id(module.decision);
        put(out, module.alone);
    }
    return bytes;
}

Result<Beat> decode_beat(std::span<const std::byte> bytes) {
    ByteReader in(bytes);
    Beat beat;
    beat.clock = Instant(Duration(in.i64()));
    beat.probe = in.u64();
    beat.echo = in.u64();
    std::size_t count = in.u8();
    if (count > kMaxModules) return fail("a heartbeat about more than 32 modules");
    bool sound = true;
    for (std::size_t i = 0; i < count && in.ok(); ++i) {
        ModuleBeat module;
        module.module = in.text(kMaxName);
        module.heard_age = Duration(in.i64());
        module.newest = Epoch{in.u64()};
        module.decision = in.id();
        const auto alone = get_alone(in);
        module.alone = alone.value_or(api::ChangedAlone{});
        sound = sound && alone && module.heard_age.count() >= 0;
        beat.modules.push_back(std::move(module));
    }
    if (!in.done() || !sound) return fail("a heartbeat is malformed");
    return beat;
}

}  // namespace ha::clusterd
