#pragma once

#include <systemd/sd-event.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"

// The event loop of a daemon: sd-event, so that sd-bus attaches natively and timers run on
// CLOCK_BOOTTIME. The thread in run() owns the daemon's state; only post() may be called from
// another one. Callbacks must not throw and must not block.

namespace ha::io {

struct SdEventDelete {
    void operator()(sd_event* event) const noexcept { sd_event_unref(event); }
};
struct SdEventSourceDelete {
    void operator()(sd_event_source* source) const noexcept {
        sd_event_source_disable_unref(source);
    }
};
using SdEventSource = std::unique_ptr<sd_event_source, SdEventSourceDelete>;

class Loop {
  public:
    /// Ends the process if the kernel has no descriptors for it. Ignores SIGPIPE from here on.
    Loop();
    ~Loop();
    Loop(const Loop&) = delete;
    Loop& operator=(const Loop&) = delete;

    /// Until stop(). An error is the loop's own failure, after which nothing here works.
    Result<> run();
    void stop();

    /// Runs `work` in the loop's thread, after the present callback, in the order of the calls.
    /// Any thread. Unbounded: whoever posts from a thread keeps the count of its own messages
    /// bounded.
    void post(std::function<void()> work);

    /// SIGTERM and SIGINT wait for on_terminate() from now on. Call before any thread is started:
    /// threads inherit the mask, and one without it would let the signal end the process.
    static void hold_termination();
    /// Calls `callback` for each SIGTERM and SIGINT. After hold_termination().
    void on_terminate(std::function<void()> callback);

    /// Feeds systemd's watchdog (WatchdogSec=) for as long as this loop turns. Nothing without
    /// WatchdogSec=.
    void enable_watchdog();

    [[nodiscard]] sd_event* raw() const { return event_.get(); }

  private:
    static int on_posted(sd_event_source*, int fd, std::uint32_t, void* self) noexcept;
    static int on_signal(sd_event_source*, const signalfd_siginfo*, void* self) noexcept;
    void run_posted();

    std::unique_ptr<sd_event, SdEventDelete> event_;
    int wake_fd_ = -1;
    SdEventSource wake_;
    SdEventSource sigterm_;
    SdEventSource sigint_;
    std::function<void()> on_terminate_;
    std::mutex mutex_;  // guards posted_, nothing else
    std::vector<std::function<void()>> posted_;
};

/// One shot, accurate to 1 ms, never early. Owned and used by the loop's thread. The callback may
/// arm, cancel or destroy the timer.
class Timer {
  public:
    explicit Timer(Loop& loop) : loop_(&loop) {}
    Timer(const Timer&) = delete;
    Timer& operator=(const Timer&) = delete;

    /// Replaces what was armed before. A time in the past fires at the loop's next turn.
    void arm(Instant when, std::function<void()> callback);
    void cancel();
    [[nodiscard]] bool armed() const { return static_cast<bool>(callback_); }

  private:
    static int on_time(sd_event_source*, std::uint64_t, void* self) noexcept;

    Loop* loop_;
    std::function<void()> callback_;
    SdEventSource source_;
};

/// Calls back while a descriptor is ready (level triggered). Does not own the descriptor: stop()
/// before closing it. The callback may change, stop or destroy the watch.
class Watch {
  public:
    using Callback = std::function<void(std::uint32_t events)>;

    explicit Watch(Loop& loop) : loop_(&loop) {}
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;

    /// `events`: EPOLLIN, EPOLLOUT, ... (epoll_ctl(2)). EPERM: not a descriptor one can wait for.
    Result<> start(int fd, std::uint32_t events, Callback callback);
    /// Only after a successful start.
    void change(std::uint32_t events);
    void stop();
    [[nodiscard]] bool started() const { return static_cast<bool>(source_); }

  private:
    static int on_ready(sd_event_source*, int fd, std::uint32_t events, void* self) noexcept;

    Loop* loop_;
    std::shared_ptr<Callback> callback_;
    SdEventSource source_;
};

// What systemd is told (sd_notify(3)); nothing happens outside a Type=notify unit.

void notify_ready();
/// One line for `systemctl status`.
void notify_status(const std::string& text);
void notify_stopping();

}  // namespace ha::io
