#include "io/loop.h"

#include <sys/eventfd.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include <csignal>
#include <cstring>

#include "base/assert.h"

namespace ha::io {
namespace {

constexpr std::uint64_t kAccuracyUs = 1000;

std::uint64_t to_usec_rounded_up(Instant when) {
    auto since = std::chrono::ceil<std::chrono::microseconds>(when.time_since_epoch()).count();
    return since < 0 ? 0 : static_cast<std::uint64_t>(since);
}

}  // namespace

Loop::Loop() {
    sd_event* event = nullptr;
    HA_ASSERT(sd_event_new(&event) >= 0);
    event_.reset(event);
    wake_fd_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    HA_ASSERT(wake_fd_ >= 0);
    sd_event_source* source = nullptr;
    HA_ASSERT(sd_event_add_io(event, &source, wake_fd_, EPOLLIN, on_posted, this) >= 0);
    wake_.reset(source);
    std::signal(SIGPIPE, SIG_IGN);
}

Loop::~Loop() {
    wake_.reset();
    close(wake_fd_);
}

Result<> Loop::run() {
    int result = sd_event_loop(event_.get());
    if (result < 0) {
        return fail(std::string("the event loop failed: ") + std::strerror(-result), -result);
    }
    return {};
}

void Loop::stop() {
    sd_event_exit(event_.get(), 0);
}

void Loop::post(std::function<void()> work) {
    {
        std::lock_guard lock(mutex_);
        posted_.push_back(std::move(work));
    }
    std::uint64_t one = 1;
    // Fails only when the counter is full, and then the loop is awake already.
    [[maybe_unused]] auto written = write(wake_fd_, &one, sizeof one);
}

int Loop::on_posted(sd_event_source*, int fd, std::uint32_t, void* self) noexcept {
    std::uint64_t count = 0;
    [[maybe_unused]] auto got = read(fd, &count, sizeof count);
    static_cast<Loop*>(self)->run_posted();
    return 0;
}

void Loop::run_posted() {
    std::vector<std::function<void()>> work;
    {
        std::lock_guard lock(mutex_);
        work.swap(posted_);
    }
    for (auto& each : work) each();
}

void Loop::hold_termination() {
    sigset_t mask;
    sigemptyset(&mask);
    sigaddset(&mask, SIGTERM);
    sigaddset(&mask, SIGINT);
    HA_ASSERT(pthread_sigmask(SIG_BLOCK, &mask, nullptr) == 0);
}

void Loop::on_terminate(std::function<void()> callback) {
    on_terminate_ = std::move(callback);
    sigset_t mask;
    HA_ASSERT(pthread_sigmask(SIG_BLOCK, nullptr, &mask) == 0);
    HA_ASSERT(sigismember(&mask, SIGTERM) == 1);
    for (auto [number, slot] : {std::pair{SIGTERM, &sigterm_}, std::pair{SIGINT, &sigint_}}) {
        sd_event_source* source = nullptr;
        HA_ASSERT(sd_event_add_signal(event_.get(), &source, number, on_signal, this) >= 0);
        slot->reset(source);
    }
}

int Loop::on_signal(sd_event_source*, const signalfd_siginfo*, void* self) noexcept {
    static_cast<Loop*>(self)->on_terminate_();
    return 0;
}

void Loop::enable_watchdog() {
    sd_event_set_watchdog(event_.get(), 1);
}

void Timer::arm(Instant when, std::function<void()> callback) {
    callback_ = std::move(callback);
    auto usec = to_usec_rounded_up(when);
    if (!source_) {
        sd_event_source* source = nullptr;
        HA_ASSERT(sd_event_add_time(loop_->raw(), &source, CLOCK_BOOTTIME, usec, kAccuracyUs,
                                    on_time, this) >= 0);
        source_.reset(source);
        return;
    }
    HA_ASSERT(sd_event_source_set_time(source_.get(), usec) >= 0);
    HA_ASSERT(sd_event_source_set_enabled(source_.get(), SD_EVENT_ONESHOT) >= 0);
}

void Timer::cancel() {
    if (source_) sd_event_source_set_enabled(source_.get(), SD_EVENT_OFF);
    callback_ = nullptr;
}

int Timer::on_time(sd_event_source*, std::uint64_t, void* self) noexcept {
    auto callback = std::move(static_cast<Timer*>(self)->callback_);
    static_cast<Timer*>(self)->callback_ = nullptr;
    if (callback) callback();
    return 0;
}

Result<> Watch::start(int fd, std::uint32_t events, Callback callback) {
    stop();
    sd_event_source* source = nullptr;
    int result = sd_event_add_io(loop_->raw(), &source, fd, events, on_ready, this);
    if (result < 0) {
        return fail(std::string("cannot watch a descriptor: ") + std::strerror(-result), -result);
    }
    source_.reset(source);
    callback_ = std::make_shared<Callback>(std::move(callback));
    return {};
}

void Watch::change(std::uint32_t events) {
    HA_ASSERT(sd_event_source_set_io_events(source_.get(), events) >= 0);
}

void Watch::stop() {
    source_.reset();
    callback_.reset();
}

int Watch::on_ready(sd_event_source*, int, std::uint32_t events, void* self) noexcept {
    auto callback = static_cast<Watch*>(self)->callback_;  // outlives a stop() from within
    if (callback) (*callback)(events);
    return 0;
}

void notify_ready() {
    sd_notify(0, "READY=1");
}

void notify_status(const std::string& text) {
    sd_notify(0, ("STATUS=" + text).c_str());
}

void notify_stopping() {
    sd_notify(0, "STOPPING=1");
}

}  // namespace ha::io
