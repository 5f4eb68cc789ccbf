#include "io/background.h"

#include <utility>

namespace ha::io {

Background::Background(Loop& loop) : loop_(loop), thread_([this] { serve(); }) {}

Background::~Background() {
    {
        std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    wake_.notify_one();
    thread_.join();
}

void Background::run(std::function<std::function<void()>()> work) {
    {
        std::lock_guard lock(mutex_);
        queue_.push_back(std::move(work));
    }
    wake_.notify_one();
}

void Background::serve() {
    std::unique_lock lock(mutex_);
    for (;;) {
        wake_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
        if (stopping_) return;
        auto work = std::move(queue_.front());
        queue_.pop_front();
        lock.unlock();
        auto answer = work();
        if (answer) loop_.post(std::move(answer));
        lock.lock();
    }
}

}  // namespace ha::io
