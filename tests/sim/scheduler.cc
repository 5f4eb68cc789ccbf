#include "scheduler.h"

#include <algorithm>
#include <utility>

namespace ha::sim {

void Scheduler::push(Entry entry) {
    heap_.push_back(std::move(entry));
    std::push_heap(heap_.begin(), heap_.end(), later);
}

Scheduler::Entry Scheduler::pop() {
    std::pop_heap(heap_.begin(), heap_.end(), later);
    Entry entry = std::move(heap_.back());
    heap_.pop_back();
    return entry;
}

void Scheduler::at(Time when, Owner owner, Task task) {
    push({std::max(when, now_), number_++, owner, std::move(task)});
}

bool Scheduler::run_one() {
    while (!heap_.empty()) {
        Entry entry = pop();
        now_ = std::max(now_, entry.when);
        if (paused(entry.owner)) {
            held_[static_cast<std::size_t>(entry.owner)].push_back(std::move(entry));
            continue;
        }
        entry.task();
        return true;
    }
    return false;
}

void Scheduler::resume(Owner owner) {
    auto index = static_cast<std::size_t>(owner);
    if (owner == Owner::First || owner == Owner::Second) last_resumed_ = now_;
    if (--paused_[index] != 0) return;
    for (auto& entry : std::exchange(held_[index], {})) {
        entry.when = now_;
        push(std::move(entry));
    }
}

}  // namespace ha::sim
