#include "core/witness/registers.h"
#include "io/boot_id.h"
#include "register_world.h"

namespace ha::witness {
namespace {

using ports::RegisterAnswer;
using ports::RegisterOutcome;
using ports::RegisterRefusal;

/// The service: answers at once while it runs, and keeps what arrives while it is frozen.
struct Memory {
    Cluster cluster;
    Cluster saved;
    bool running = true;
    bool frozen = false;
    bool damaged = false;
    bool wiped = false;
    std::vector<std::function<void()>> arrived;

    RegisterAnswer act(const ports::RegisterRequest& request) {
        if (wiped) return refusal(cluster, RegisterRefusal::NotPaired, "wiped");
        if (damaged) return refusal(cluster, RegisterRefusal::Damaged, "damaged");
        auto taken = step(cluster, request);
        if (taken.next) cluster = *taken.next;
        return taken.answer;
    }
};

class MemoryRegister final : public ports::Register {
  public:
    MemoryRegister(io::Loop& loop, std::shared_ptr<Memory> memory)
        : loop_(loop), memory_(std::move(memory)) {}

    void ask(ports::RegisterRequest request, Instant deadline, Handler handler) override {
        if (!memory_->running) {
            RegisterAnswer answer = refusal({}, RegisterRefusal::Unreachable, "not running");
            return later(deadline, std::move(handler), std::move(answer));
        }
        if (memory_->frozen) {
            memory_->arrived.emplace_back(
                [memory = memory_, request] { (void)memory->act(request); });
            return later(deadline, std::move(handler), RegisterAnswer{});
        }
        later(Instant{}, std::move(handler), memory_->act(request));
    }

  private:
    void later(Instant when, Handler handler, RegisterAnswer answer) {
        auto timer = std::make_unique<io::Timer>(loop_);
        timer->arm(when,
                   [handler = std::move(handler), answer = std::move(answer)] { handler(answer); });
        timers_.push_back(std::move(timer));
    }

    io::Loop& loop_;
    std::shared_ptr<Memory> memory_;
    std::vector<std::unique_ptr<io::Timer>> timers_;
};

class MemoryWorld final : public RegisterWorld {
  public:
    MemoryWorld() { memory_->cluster.store = io::random_id(); }

    std::unique_ptr<ports::Register> open(io::Loop& loop, int) override {
        return std::make_unique<MemoryRegister>(loop, memory_);
    }
    void crash() override { memory_->running = false; }
    void start() override { memory_->running = true; }
    void freeze() override { memory_->frozen = true; }
    void thaw() override {
        memory_->frozen = false;
        for (auto& each : memory_->arrived) each();
        memory_->arrived.clear();
    }
    void back_up() override { memory_->saved = memory_->cluster; }
    void restore() override { memory_->cluster = memory_->saved; }
    void wipe() override { memory_->wiped = true; }
    void damage() override { memory_->damaged = true; }

  private:
    std::shared_ptr<Memory> memory_ = std::make_shared<Memory>();
};

}  // namespace

std::unique_ptr<RegisterWorld> memory_world() {
    return std::make_unique<MemoryWorld>();
}

}  // namespace ha::witness
