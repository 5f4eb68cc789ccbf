#include "core/cluster/decision.h"

#include <algorithm>

#include "base/assert.h"

namespace ha::cluster {
namespace {

bool follows(const Decision& child, const Decision& parent) {
    return child.parent == parent.id && child.number == parent.number.next();
}

/// The index in `ours` of the newest decision both chains contain.
std::optional<std::size_t> common_ancestor(const Chain& ours, const Chain& theirs) {
    for (std::size_t i = ours.entries().size(); i-- > 0;) {
        if (theirs.contains(ours.entries()[i].decision.id)) return i;
    }
    return std::nullopt;
}

bool used_after(const Chain& chain, const Id128& ancestor) {
    auto start = chain.index_of(ancestor);
    HA_ASSERT(start.has_value());
    const auto& entries = chain.entries();
    return std::any_of(entries.begin() + static_cast<std::ptrdiff_t>(*start) + 1, entries.end(),
                       [](const ChainEntry& entry) { return entry.used; });
}

bool overrides(const Chain& winner, const Chain& loser) {
    return std::any_of(winner.entries().begin(), winner.entries().end(), [&](const ChainEntry& e) {
        return !e.decision.overrides.none() && e.decision.overrides == loser.head().decision.id;
    });
}

}  // namespace

void Chain::append(const ChainEntry& entry) {
    HA_ASSERT(entries_.empty() || follows(entry.decision, entries_.back().decision));
    entries_.push_back(entry);
    if (entries_.size() > kMaxChain) entries_.erase(entries_.begin());
}

std::optional<std::size_t> Chain::index_of(const Id128& id) const {
    for (std::size_t i = entries_.size(); i-- > 0;) {
        if (entries_[i].decision.id == id) return i;
    }
    return std::nullopt;
}

void Chain::mark_used(const Id128& id) {
    auto index = index_of(id);
    HA_ASSERT(index.has_value());
    entries_[*index].used = true;
}

void Chain::mark_confirmed(const Id128& id, Confirmation confirmation) {
    auto index = index_of(id);
    HA_ASSERT(index.has_value());
    entries_[*index].confirmation = confirmation;
}

Relation relation(const Chain& ours, const Chain& theirs, Node self) {
    if (ours.empty() && theirs.empty()) return Relation::Same;
    if (ours.empty()) return Relation::Behind;
    if (theirs.empty()) return Relation::Ahead;
    const Decision& mine = ours.head().decision;
    const Decision& their = theirs.head().decision;
    if (mine.id == their.id) return Relation::Same;
    if (theirs.contains(mine.id)) return Relation::Behind;
    if (ours.contains(their.id)) return Relation::Ahead;
    if (overrides(theirs, ours)) return Relation::Yield;
    if (overrides(ours, theirs)) return Relation::Prevail;
    auto ancestor = common_ancestor(ours, theirs);
    if (!ancestor) return Relation::Foreign;
    const Decision& fork = ours.entries()[*ancestor].decision;
    bool ours_used = used_after(ours, fork.id);
    bool theirs_used = used_after(theirs, fork.id);
    if (ours_used && theirs_used) return Relation::Diverged;
    if (ours_used != theirs_used) return ours_used ? Relation::Prevail : Relation::Yield;
    if (mine.number != their.number) {
        return mine.number > their.number ? Relation::Prevail : Relation::Yield;
    }
    return fork.primary == self ? Relation::Prevail : Relation::Yield;
}

std::optional<Node> common_primary(const Chain& ours, const Chain& theirs) {
    auto ancestor = common_ancestor(ours, theirs);
    if (!ancestor) return std::nullopt;
    return ours.entries()[*ancestor].decision.primary;
}

Chain merged(const Chain& ours, const Chain& theirs) {
    Chain chain = theirs;
    for (const ChainEntry& entry : ours.entries()) {
        if (!chain.contains(entry.decision.id)) continue;
        if (entry.used) chain.mark_used(entry.decision.id);
        if (entry.confirmation != Confirmation::Alone) {
            chain.mark_confirmed(entry.decision.id, entry.confirmation);
        }
    }
    return chain;
}

Result<Chain> make_chain(std::vector<ChainEntry> entries) {
    if (entries.size() > Chain::kMaxChain) return fail("a chain of more than 256 decisions");
    Chain chain;
    for (const auto& entry : entries) {
        const Decision& decision = entry.decision;
        if (decision.id.none() || decision.number.value == 0) {
            return fail("a decision without number or id");
        }
        if (!chain.empty() && !follows(decision, chain.head().decision)) {
            return fail("decision " + decision.id.text() +
                        " is not the child of the one before it");
        }
        if (!decision.in_sync.has(decision.primary)) {
            return fail("decision " + decision.id.text() +
                        " has a primary outside its in-sync set");
        }
        chain.append(entry);
    }
    return chain;
}

const char* name(Cause cause) {
    switch (cause) {
        case Cause::Birth:
            return "birth";
        case Cause::Shrink:
            return "shrink";
        case Cause::Takeover:
            return "takeover";
        case Cause::Join:
            return "join";
        case Cause::Swap:
            return "swap";
        case Cause::HandOver:
            return "hand-over";
        case Cause::Election:
            return "election";
        case Cause::Forced:
            return "forced";
    }
    return "?";
}

std::string describe(const Decision& decision, const std::string& first,
                     const std::string& second) {
    std::string members = decision.in_sync.first ? first : "";
    if (decision.in_sync.second) members += (members.empty() ? "" : "+") + second;
    return std::to_string(decision.number.value) + " (" + name(decision.cause) + ", primary " +
           (decision.primary == Node::First ? first : second) + ", in sync " + members + ")";
}

}  // namespace ha::cluster
