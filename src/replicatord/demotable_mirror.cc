#include "replicatord/demotable_mirror.h"

namespace ha::replicatord {

void DemotableMirror::open(std::unique_ptr<Mirror> mirror) {
    std::scoped_lock lock(mutex_);
    mirror_ = std::move(mirror);
}

// Its threads are waited for without the lock.
void DemotableMirror::close() {
    std::unique_ptr<Mirror> mirror;
    std::scoped_lock lock(mutex_);
    mirror.swap(mirror_);
}

bool DemotableMirror::begin(std::uint64_t demotions, const std::function<void(Mirror&)>& begin) {
    std::scoped_lock lock(mutex_);
    const bool holds = demotions == demotions_;
    holds ? begin(*mirror_) : mirror_->fail_held();
    return holds;
}

std::uint64_t DemotableMirror::demotions() const {
    std::scoped_lock lock(mutex_);
    return demotions_;
}

bool DemotableMirror::demote() {
    std::scoped_lock lock(mutex_);
    ++demotions_;
    if (mirror_) mirror_->fail_held();
    return mirror_ != nullptr;
}

}  // namespace ha::replicatord
