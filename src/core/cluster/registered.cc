#include "core/cluster/registered.h"

#include <algorithm>

#include "base/assert.h"
#include "base/bytes.h"
#include "core/cluster/codec.h"

namespace ha::cluster {
namespace {

constexpr std::uint16_t kVersion = 1;
constexpr std::size_t kMaxDecision = 64;

}  // namespace

Registered registered(const Id128& module_id, const Chain& chain, std::uint64_t rules) {
    HA_ASSERT(!chain.empty());
    Registered out{module_id, chain.head().decision, rules, {}};
    for (auto each = chain.entries().rbegin() + 1; each != chain.entries().rend(); ++each) {
        if (out.ancestors.size() < Registered::kMaxAncestors) {
            out.ancestors.push_back(each->decision.id);
        }
    }
    return out;
}

ports::RegisterValue to_register(const Registered& registered) {
    ports::RegisterValue value{registered.decision.id, {}};
    ByteWriter out(value.content);
    out.u16(kVersion);
    out.id(registered.module_id);
    out.bytes(encode(registered.decision));
    out.u64(registered.rules);
    out.u32(static_cast<std::uint32_t>(registered.ancestors.size()));
    for (const Id128& each : registered.ancestors) out.id(each);
    HA_ASSERT(value.content.size() <= ports::kMaxRegisterContent);
    return value;
}

Result<Registered> from_register(const ports::RegisterValue& value) {
    ByteReader in(value.content);
    if (auto version = in.u16(); in.ok() && version != kVersion) {
        return fail("the register's value has version " + std::to_string(version) +
                    ", this program knows version " + std::to_string(kVersion));
    }
    Registered out;
    out.module_id = in.id();
    auto decision = decode_decision(in.bytes(kMaxDecision));
    out.rules = in.u64();
    const std::uint32_t count = in.u32();
    if (count > Registered::kMaxAncestors) return fail("the register's value is damaged");
    for (std::uint32_t i = 0; i < count; ++i) out.ancestors.push_back(in.id());
    const bool sound = decision && in.done() && decision->id == value.id &&
                       decision->number.value != 0 && decision->in_sync.has(decision->primary);
    if (!sound) return fail("the register's value is damaged");
    out.decision = *decision;
    return out;
}

RegisterStanding standing(const Id128& module_id, const Chain& chain,
                          const std::optional<Registered>& shown) {
    if (!shown) return chain.empty() ? RegisterStanding::Unborn : RegisterStanding::Lost;
    if (chain.empty()) return RegisterStanding::Ahead;
    const Id128& head = chain.head().decision.id;
    if (shown->module_id != module_id) return RegisterStanding::Foreign;
    if (shown->decision.id == head) return RegisterStanding::Same;
    if (chain.contains(shown->decision.id)) return RegisterStanding::Behind;
    const auto& above = shown->ancestors;
    const bool descends = std::find(above.begin(), above.end(), head) != above.end();
    return descends ? RegisterStanding::Ahead : RegisterStanding::Foreign;
}

}  // namespace ha::cluster
