#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <vector>

#include "base/time.h"

namespace ha::sim {

/// Simulated time since the beginning of the run, the same for everybody; nodes see it through
/// clocks of their own (Host::clock).
using Time = Duration;

/// Whose processor a task needs: a paused node's tasks wait until it is resumed, then run late. The
/// mirror's process of a node can be stopped alone.
enum class Owner : std::uint8_t { First, Second, World, FirstMirror, SecondMirror };

/// Tasks in the order of their times, equal times in the order they were given.
class Scheduler {
  public:
    using Task = std::function<void()>;

    [[nodiscard]] Time now() const { return now_; }
    void at(Time when, Owner owner, Task task);
    void after(Duration delay, Owner owner, Task task) { at(now_ + delay, owner, std::move(task)); }
    /// Runs the next task that is not held by a pause. False: there is none.
    bool run_one();

    /// As often as it is resumed.
    void pause(Owner owner) { ++paused_[static_cast<std::size_t>(owner)]; }
    void resume(Owner owner);
    /// Of the nodes.
    [[nodiscard]] Time last_resumed() const { return last_resumed_; }
    [[nodiscard]] bool paused(Owner owner) const {
        return paused_[static_cast<std::size_t>(owner)] != 0;
    }

  private:
    struct Entry {
        Time when{};
        std::uint64_t number = 0;
        Owner owner = Owner::World;
        Task task;
    };
    static bool later(const Entry& left, const Entry& right) {
        if (left.when != right.when) return left.when > right.when;
        return left.number > right.number;
    }
    void push(Entry entry);
    Entry pop();

    Time now_{};
    std::uint64_t number_ = 0;
    std::vector<Entry> heap_;
    Time last_resumed_ = Time::min() / 2;
    std::array<int, 5> paused_{};
    std::array<std::vector<Entry>, 5> held_;
};

}  // namespace ha::sim
