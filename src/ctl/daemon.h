#pragma once

#include <systemd/sd-bus.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/time.h"
#include "ctl/outcome.h"
#include "ctl/status_view.h"
#include "io/systemd.h"

// The cluster daemon of this node, as a program on the system bus sees it. Calls block.

namespace ha::ctl {

/// The daemon's whole word at one moment.
struct Seen {
    std::string json;
    ClusterStatus status;
};

class Daemon {
  public:
    /// To the system bus; whether the daemon is there shows at the first call.
    static Outcome<Daemon> connect();
    /// For tests: a connection of any kind.
    explicit Daemon(io::SdBus bus) : bus_(std::move(bus)) {}

    Outcome<Seen> status();
    Outcome<> start(const std::string& module, bool as_source);
    /// `shown`: what the operator was shown.
    Outcome<> force(const std::string& module, const KnownStatus& shown);
    Outcome<> stop(const std::string& module, bool all);
    /// `to`: the node that shall be primary; empty: whichever is not.
    Outcome<> swap(const std::string& module, const std::string& to);
    Outcome<> restart(const std::string& module);
    Outcome<> set_failover(const std::string& module, bool automatic);
    Outcome<> set_at_boot(const std::string& module, bool starts);
    /// The plan and what was done.
    Outcome<std::string> apply(const std::string& yaml, const std::string& file_name, bool dry_run,
                               bool without_peer);

    /// What was done. `yaml`: as io::render() gives it; empty: there is no witness.
    Outcome<std::string> set_witness(const std::string& yaml);

    [[nodiscard]] sd_bus* raw() const { return bus_.get(); }

  private:
    struct MessageDelete {
        void operator()(sd_bus_message* message) const noexcept { sd_bus_message_unref(message); }
    };
    using Message = std::unique_ptr<sd_bus_message, MessageDelete>;

    template <typename... Arguments>
    Outcome<Message> call(const std::string& path, const char* interface, const char* member,
                          const char* types, Arguments... arguments);
    static Outcome<std::string> text_of(const Outcome<Message>& reply);
    template <typename... Arguments>
    Outcome<> order(const std::string& module, const char* member, const char* types,
                    Arguments... arguments);

    io::SdBus bus_;
};

/// Follows the daemon through its signals, through its restarts, and through restarts of the bus.
class Follower {
  public:
    /// Given what is seen now; nullptr: the daemon is not there. True ends it.
    using See = std::function<bool(const Seen*)>;

    explicit Follower(Daemon& daemon);

    /// Signals from here on are kept for follow().
    Outcome<> subscribe();
    /// `see` at once and after every change. Without `deadline`: for ever. Also calls it at
    /// `look_again`, changed or not. False: the deadline passed.
    Outcome<bool> follow(const std::optional<Instant>& deadline,
                         const std::optional<Instant>& look_again, const See& see);

  private:
    struct SlotDelete {
        void operator()(sd_bus_slot* slot) const noexcept { sd_bus_slot_unref(slot); }
    };
    using Slot = std::unique_ptr<sd_bus_slot, SlotDelete>;

    static int on_changed(sd_bus_message*, void* self, sd_bus_error*) noexcept;
    static int on_owner(sd_bus_message*, void* self, sd_bus_error*) noexcept;
    Outcome<> reread();
    Outcome<bool> show(const See& see);
    Outcome<> turn(std::optional<Instant> until);
    Outcome<> renew_bus();

    Daemon* daemon_;
    Slot changed_;
    Slot owner_;
    std::optional<Seen> seen_;
    bool news_ = false;
    bool stale_ = false;  // the daemon started: what it says is to be asked for
};

}  // namespace ha::ctl
