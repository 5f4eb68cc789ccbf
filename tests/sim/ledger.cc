#include "ledger.h"

#include "trace.h"

namespace ha::sim {

std::size_t Ledger::learn(const cluster::Decision& decision, Time now, bool in_silence,
                          bool by_policy) {
    auto found = by_id_.find(decision.id);
    if (found != by_id_.end()) {
        check(trust_ids || decisions_[found->second].decision == decision, "chain",
              "one id stands for two decisions: " + decision.id.text());
        return found->second;
    }
    Known known;
    known.decision = decision;
    known.parent = find(decision.parent);
    known.in_silence = in_silence;
    known.by_policy = by_policy;
    known.learned = now;
    check(known.parent.has_value() || decision.parent.none(), "chain",
          "a decision whose parent nobody recorded: " + decision.id.text());
    if (known.parent) {
        check(decision.number == decisions_[*known.parent].decision.number.next(), "chain",
              "a decision's number is not its parent's plus one: " + decision.id.text());
    }
    if (known.parent && decision.cause == cluster::Cause::Forced) {
        decisions_[*known.parent].overruled = true;
    }
    decisions_.push_back(known);
    by_id_.emplace(decision.id, decisions_.size() - 1);
    return decisions_.size() - 1;
}

std::optional<std::size_t> Ledger::find(const Id128& id) const {
    auto found = by_id_.find(id);
    if (found == by_id_.end()) return std::nullopt;
    return found->second;
}

bool Ledger::descends(std::size_t newer, std::size_t older) const {
    std::optional<std::size_t> step = newer;
    for (; step; step = decisions_[*step].parent) {
        if (*step == older) return true;
    }
    return false;
}

std::size_t Ledger::fork(std::size_t left, std::size_t right) const {
    std::optional<std::size_t> step = left;
    for (; step; step = decisions_[*step].parent) {
        if (descends(right, *step)) return *step;
    }
    return 0;
}

void Ledger::acknowledge(std::size_t decision, Node node, std::uint32_t write,
                         const std::array<bool, 2>& holders) {
    decisions_[decision].acknowledged[index_of(node)] = true;
    if (decisions_[decision].overruled) return;
    decisions_[decision].promised.insert(write);
    for (std::size_t i = 0; i < 2; ++i) {
        if (holders[i]) holds_[i].insert(write);
    }
    ++acknowledged_;
    ++version_;
}

void Ledger::acknowledge_durable(std::size_t decision, Node node, const WriteSet& covered) {
    decisions_[decision].acknowledged[index_of(node)] = true;
    WriteSet of_this = promised(decision);
    of_this.keep(covered);
    durable_.add(of_this);
    ++version_;
}

void Ledger::only_member(std::size_t decision) {
    durable_.add(WriteSet(promised(decision)));
    ++version_;
}

void Ledger::joined(std::size_t decision, Node node) {
    holds_[index_of(node)].add(WriteSet(promised(decision)));
    ++version_;
}

void Ledger::power_lost(Node node) {
    holds_[index_of(node)].clear();
    WriteSet standing = durable_;
    standing.add(holds_[0]);
    standing.add(holds_[1]);
    for (auto& known : decisions_) {
        if (known.promised.first_not_in(standing)) ++released_;
        known.promised.keep(standing);
    }
    ++version_;
}

void Ledger::give_up(std::size_t decision, const WriteSet& copy) {
    std::optional<std::size_t> step = decision;
    for (; step; step = decisions_[*step].parent) decisions_[*step].promised.keep(copy);
    ++version_;
}

const WriteSet& Ledger::promised(std::size_t head) const {
    if (cached_version_ == version_ && cached_head_ == head) return cached_;
    cached_.clear();
    std::optional<std::size_t> step = head;
    for (; step; step = decisions_[*step].parent) cached_.add(decisions_[*step].promised);
    cached_version_ = version_;
    cached_head_ = head;
    return cached_;
}

WriteSet Ledger::durable(std::size_t head) const {
    WriteSet both = promised(head);
    both.keep(durable_);
    return both;
}

WriteSet Ledger::owed_by(Node node, std::size_t head) const {
    WriteSet owed = holds_[index_of(node)];
    owed.add(durable_);
    owed.keep(promised(head));
    return owed;
}

}  // namespace ha::sim
