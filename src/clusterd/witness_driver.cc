#include "clusterd/witness_driver.h"

#include "core/cluster/registered.h"
#include "io/clock.h"

namespace ha::clusterd {
namespace {

bool newer(const ports::RegisterStamp& stamp, const ports::RegisterStamp& than) {
    return stamp.store != than.store || stamp.counter > than.counter;
}

}  // namespace

using ports::RegisterAnswer;
using ports::RegisterOutcome;

WitnessDriver::WitnessDriver(io::Loop& loop, std::unique_ptr<ports::Register> registers,
                             ports::RegisterStamp seen, Callbacks callbacks)
    : loop_(loop),
      seen_(seen),
      saved_(seen),
      callbacks_(std::move(callbacks)),
      registers_(std::move(registers)) {}

void WitnessDriver::add(const std::string& module) {
    auto& watched = watched_[module];
    const std::uint64_t before = watched ? watched->sent : 0;
    watched = std::make_unique<Watched>(loop_);
    watched->sent = watched->answered = before;  // what is on its way is nobody's answer any more
    read(module);
}

void WitnessDriver::ask(const std::string& module, const cluster::AskWitness& order) {
    auto found = watched_.find(module);
    if (found == watched_.end()) return;
    Watched& watched = *found->second;
    watched.asked = ++watched.sent;
    watched.next_read.arm(io::boot_now() + kReadEvery, [this, module] { read(module); });
    registers_->exchange(module, seen_, order.expected, cluster::to_register(order.value),
                         io::boot_now() + kPatience, handler(module, watched.sent));
}

void WitnessDriver::read(const std::string& module) {
    Watched& watched = *watched_.at(module);
    watched.next_read.arm(io::boot_now() + kReadEvery, [this, module] { read(module); });
    registers_->read(module, seen_, io::boot_now() + kPatience, handler(module, ++watched.sent));
}

ports::Register::Handler WitnessDriver::handler(const std::string& module, std::uint64_t serial) {
    return [this, alive = std::weak_ptr(alive_), module, serial](const RegisterAnswer& answer) {
        if (!alive.expired()) answered(module, serial, answer);
    };
}

/// A stamp that is newer than any that was saved is durable before anybody acts on what came with
/// it; it may be on its way to the disk already, with another module's answer.
void WitnessDriver::answered(const std::string& module, std::uint64_t serial,
                             const RegisterAnswer& answer) {
    Watched& watched = *watched_.at(module);
    if (serial <= watched.answered) return;
    // A read that was answered while an exchange is on its way says nothing any more.
    if (serial < watched.asked) return;
    watched.answered = serial;
    const bool known = answer.outcome == RegisterOutcome::Shown ||
                       answer.outcome == RegisterOutcome::Won ||
                       answer.outcome == RegisterOutcome::Lost;
    if (!known) return lose(module, answer.text);
    if (!newer(answer.stamp, saved_)) return show(module, serial, answer);
    if (newer(answer.stamp, seen_)) seen_ = answer.stamp;
    const auto saving = seen_;
    callbacks_.save(saving, [this, alive = std::weak_ptr(alive_), saving, module, serial, answer] {
        if (alive.expired()) return;
        if (newer(saving, saved_)) saved_ = saving;
        show(module, serial, answer);
    });
}

void WitnessDriver::show(const std::string& module, std::uint64_t serial,
                         const RegisterAnswer& answer) {
    Watched& watched = *watched_.at(module);
    if (serial < watched.asked || serial < watched.answered) return;  // superseded while saving
    std::optional<cluster::Registered> value;
    if (answer.current) {
        auto read = cluster::from_register(*answer.current);
        if (!read)
            return lose(module, "what the witness holds cannot be read: " + read.error().text);
        value = std::move(*read);
    }
    const bool asked = serial == watched.asked;
    const bool news = !watched.reached || asked || watched.told != answer.current;
    watched.reached = true;
    watched.told_lost = false;
    watched.told = answer.current;
    if (news) callbacks_.shown(module, value);
}

void WitnessDriver::lose(const std::string& module, const std::string& why) {
    Watched& watched = *watched_.at(module);
    const bool news = watched.reached || !watched.told_lost || watched.why != why;
    watched.reached = false;
    watched.told_lost = true;
    watched.why = why;
    watched.next_read.arm(io::boot_now() + kRetry, [this, module] { read(module); });
    if (news) callbacks_.lost(module, why);
}

}  // namespace ha::clusterd
