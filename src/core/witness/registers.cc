#include "core/witness/registers.h"

#include <algorithm>

#include "base/bytes.h"

namespace ha::witness {
namespace {

using ports::RegisterAnswer;
using ports::RegisterOutcome;
using ports::RegisterRefusal;
using ports::RegisterRequest;
using ports::RegisterValue;

RegisterAnswer answer(const Cluster& cluster, RegisterOutcome outcome,
                      std::optional<RegisterValue> current) {
    RegisterAnswer out;
    out.outcome = outcome;
    out.stamp = {cluster.store, cluster.counter};
    out.current = std::move(current);
    return out;
}

bool good_value(const RegisterValue& value) {
    return !value.id.none() && value.content.size() <= ports::kMaxRegisterContent;
}

bool good(const RegisterRequest& request) {
    return !request.module.empty() && request.module.size() <= ports::kMaxRegisterName &&
           (!request.exchange || good_value(request.exchange->value));
}

RegisterAnswer behind(const Cluster& cluster) {
    return refusal(cluster, RegisterRefusal::Behind,
                   "the witness's store is older than a node has seen it (" +
                       std::to_string(cluster.counter) + ", not " + std::to_string(cluster.behind) +
                       "): it was restored from a backup; remove the cluster there and pair the "
                       "witness anew");
}

Step exchange(const Cluster& cluster, const std::string& module,
              const ports::RegisterExchange& wanted) {
    auto found = cluster.registers.find(module);
    auto current = found == cluster.registers.end() ? std::nullopt : std::optional(found->second);
    if (current && current->id == wanted.value.id) {
        if (*current == wanted.value) return {answer(cluster, RegisterOutcome::Won, current), {}};
        return {refusal(cluster, RegisterRefusal::Conflict,
                        "the register has this decision with another content"),
                {}};
    }
    if ((current ? current->id : Id128{}) != wanted.expected) {
        return {answer(cluster, RegisterOutcome::Lost, current), {}};
    }
    if (!current && cluster.registers.size() >= kMaxModules) {
        return {refusal(cluster, RegisterRefusal::Full,
                        "the witness keeps at most " + std::to_string(kMaxModules) +
                            " modules for a cluster"),
                {}};
    }
    Cluster next = cluster;
    next.registers[module] = wanted.value;
    ++next.counter;
    auto won = answer(next, RegisterOutcome::Won, wanted.value);
    return {std::move(won), std::move(next)};
}

}  // namespace

RegisterAnswer refusal(const Cluster& cluster, RegisterRefusal why, std::string text) {
    auto out = answer(cluster, RegisterOutcome::Refused, std::nullopt);
    out.refusal = why;
    out.text = std::move(text);
    return out;
}

Step step(const Cluster& cluster, const RegisterRequest& request) {
    if (!good(request)) {
        return {refusal(cluster, RegisterRefusal::Invalid, "a name or value is out of bounds"), {}};
    }
    if (cluster.behind != 0) return {behind(cluster), {}};
    if (request.seen.store == cluster.store && request.seen.counter > cluster.counter) {
        Cluster next = cluster;
        next.behind = request.seen.counter;
        auto told = behind(next);
        return {std::move(told), std::move(next)};
    }
    if (request.exchange) return exchange(cluster, request.module, *request.exchange);
    auto found = cluster.registers.find(request.module);
    auto current = found == cluster.registers.end() ? std::nullopt : std::optional(found->second);
    return {answer(cluster, RegisterOutcome::Shown, std::move(current)), {}};
}

bool good_name(const std::string& name) {
    return !name.empty() && name.size() <= kMaxClusterName &&
           std::all_of(name.begin(), name.end(), [](char c) { return c > ' ' && c <= '~'; });
}

std::vector<std::byte> encode(const Cluster& cluster) {
    std::vector<std::byte> bytes;
    ByteWriter out(bytes);
    out.u16(kClusterVersion);
    out.id(cluster.store);
    out.text(cluster.name);
    for (const Key& key : cluster.keys) out.bytes(key);
    out.u64(cluster.counter);
    out.u64(cluster.behind);
    out.u32(static_cast<std::uint32_t>(cluster.registers.size()));
    for (const auto& [module, value] : cluster.registers) {
        out.text(module);
        out.id(value.id);
        out.bytes(value.content);
    }
    return bytes;
}

Result<Cluster> decode_cluster(std::span<const std::byte> bytes) {
    ByteReader in(bytes);
    if (auto version = in.u16(); in.ok() && version != kClusterVersion) {
        return fail("it has version " + std::to_string(version) + ", this program knows version " +
                    std::to_string(kClusterVersion));
    }
    Cluster cluster;
    cluster.store = in.id();
    cluster.name = in.text(kMaxClusterName);
    bool valid = !cluster.store.none() && good_name(cluster.name);
    for (Key& key : cluster.keys) {
        auto raw = in.bytes(key.size());
        valid = valid && raw.size() == key.size();
        if (raw.size() == key.size()) std::copy(raw.begin(), raw.end(), key.begin());
    }
    cluster.counter = in.u64();
    cluster.behind = in.u64();
    const std::uint32_t count = in.u32();
    valid = valid && count <= kMaxModules;
    for (std::uint32_t i = 0; i < count && valid && in.ok(); ++i) {
        RegisterRequest entry;
        entry.module = in.text(ports::kMaxRegisterName);
        RegisterValue value{in.id(), {}};
        auto content = in.bytes(ports::kMaxRegisterContent);
        value.content.assign(content.begin(), content.end());
        valid = good(entry) && good_value(value) &&
                cluster.registers.emplace(entry.module, std::move(value)).second;
    }
    if (!valid || !in.done()) return fail("it is cut short or holds what cannot be");
    return cluster;
}

}  // namespace ha::witness
