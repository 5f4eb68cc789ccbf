#include "replicatord/alone_count.h"

namespace ha::replicatord {

std::optional<std::uint64_t> weight(const replication::Operation& operation) {
    if (const auto* write = std::get_if<replication::Write>(&operation.body)) {
        return write->data.size();
    }
    const bool modifies = !std::holds_alternative<replication::Fsync>(operation.body) &&
                          !std::holds_alternative<replication::Release>(operation.body);
    if (modifies) return 0;
    return std::nullopt;
}

void AloneCount::made(std::uint64_t bytes, std::optional<Sequence> waits) {
    if (!now_.decision.none()) count(bytes);
    if (waits) waiting_.push_back({*waits, bytes});
}

void AloneCount::accepted(Sequence last) {
    while (!waiting_.empty() && waiting_.front().sequence <= last) waiting_.pop_front();
}

void AloneCount::alone(const Id128& decision) {
    if (now_.decision.none()) {
        now_.decision = decision;
        for (const auto& one : waiting_) count(one.bytes);
    }
    waiting_.clear();
}

void AloneCount::forget() {
    now_ = {};
    waiting_.clear();
}

void AloneCount::count(std::uint64_t bytes) {
    constexpr std::uint64_t kMost = api::kMaxChangedAlone;
    if (now_.operations == kMost || bytes > kMost - now_.bytes) {
        now_.at_least = true;
        now_.bytes = kMost;
        return;
    }
    ++now_.operations;
    now_.bytes += bytes;
}

}  // namespace ha::replicatord
