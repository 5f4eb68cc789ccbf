#pragma once

#include <functional>
#include <string>
#include <vector>

#include "action.h"
#include "mutants.h"
#include "state.h"

namespace ha::explore {

struct Setup {
    Decider decider = Decider::Witness;
    Bounds bounds;
    Mutant mutant = Mutant::None;
};

/// Carries one action out on a state, and then what goes on by itself: records become durable,
/// workers answer, effects follow each other. Everything of the real daemons that matters for
/// decisions and promises, by the contracts of api/worker.h and core/ports/register.h.
class Move {
  public:
    using Say = std::function<void(const std::string&)>;
    /// Called with the number of steps gone, before the next one.
    using Pause = std::function<void(std::uint8_t)>;

    Move(State& state, const Setup& setup, Say say = {})
        : state_(state),
          setup_(setup),
          invariants_(state, setup.decider, setup.bounds.late == 0, forges(setup.mutant)),
          say_(std::move(say)) {}

    /// Throws sim::Violation.
    void carry_out(const Action& action, const Pause& pause = {});

    /// Of the initial state: power on and both nodes told to run.
    void power_on(Node node);
    void command(Node node, const cluster::Event& event) { deliver(node, event); }
    void settle_down(std::uint8_t stop, const Pause& pause = {});

  private:
    void begin(const Action& action);
    void begin_at_clusterd(const Action& action);
    void begin_command(const Action& action);
    void begin_at_server(const Action& action);
    void begin_at_witness(const Action& action);
    void begin_at_mirror(const Action& action);

    // ha-clusterd (move_clusterd.cc)
    void start(Node node);
    void crash(Node node, bool recorded);
    void power_off(Node node, Writes left, bool recorded);
    void blink(Node node, Writes left);
    void deliver(Node node, const cluster::Event& event);
    void step(Node node, Instant now, const cluster::Event& event);
    void update_lease(Node node);
    void run_out(Node node);
    void evidence(Node node);
    void counts_from_here(Node node);
    void take(Node node, std::vector<cluster::Effect> fresh);
    void pump(Node node);
    void execute(Node node, const cluster::Effect& effect);
    void said(Node node, cluster::Report report);
    void receive(Node node, const SharedReport& report);
    void become_durable(Node node);
    bool go_on(Node node);
    void fact(Node node, const cluster::Event& event);
    [[nodiscard]] cluster::Settings settings(Node node) const;
    [[nodiscard]] cluster::Record on_disk(Node node, bool booting) const;
    Id128 mint();

    // the witness (move_witness.cc)
    void ask(Node node, const cluster::AskWitness& order);
    void arrives(const Action& action);
    void read(Node node);
    void lose_witness(Node node);
    void forget_client(Node node);
    void tell_shown(Node node);
    void prune_asked();

    // ha-vipd and ha-watchdog
    void workers(Node node, const cluster::Effect& effect);

    // ha-replicatord: orders, the follower (move_mirror.cc)
    void order(Node node, const cluster::Effect& effect);
    void carry(Node node, const cluster::OpenMirror& order);
    void carry(Node node, const cluster::ServeMirror& order);
    void carry(Node node, const cluster::FollowMirror& order);
    void carry(Node node, const cluster::StartResync& order);
    void carry(Node node, const cluster::StopResync& order);
    void carry(Node node, const cluster::TellIn& order);
    void carry(Node node, const cluster::SealMirror& order);
    void carry(Node node, const cluster::MakeDurable& order);
    void carry(Node node, const cluster::DrainMirror& order);
    void carry(Node node, const cluster::ResumeMirror& order);
    void carry(Node node, const cluster::AllowAcknowledge& order);
    void carry(Node node, const cluster::FailHeld& order);
    void carry(Node node, const cluster::HoldMirror& order);
    void carry(Node node, const cluster::CloseMirror& order);
    void leave_role(Node node);
    void close_stream(Node node);
    void end_lost(Node node);
    void connect(Node primary);
    void resume(Node primary);
    void frame();
    void apply(Node follower, const Frame& frame);
    void flush(Node node);
    void thaw(Node node);

    // and the primary (move_primary.cc)
    void modify(Node node, bool fsync);
    void append(Node node, Operation operation);
    void send(Node node, Frame frame);
    void send_operation(Node node, std::uint32_t sequence);
    void settle(Node node);
    bool answer(Node node, Operation& operation);
    void acknowledge(Node node, const Operation& operation);
    void fail_held(Node node);
    void drop_operations(Node node);
    void trim(Node node);
    void drop_joiner(Node node);
    void copied(Node primary);

    void say(const std::string& text) const {
        if (say_) say_(text);
    }
    void say(Node node, const std::string& text) const {
        if (say_) say_(std::string(node == Node::First ? "    A " : "       B ") + text);
    }
    [[nodiscard]] bool is(Mutant mutant) const { return setup_.mutant == mutant; }

    State& state_;
    const Setup& setup_;
    Invariants invariants_;
    Say say_;
};

/// Of a lease; any.
inline constexpr Duration kBound = 1s;

/// Both ends are willing.
bool willing(const State& state, Node primary, Mutant mutant);
/// An operation waits for the other node.
bool stalls(const Side& side);
bool peer_needed(const Mirror& mirror, std::uint32_t sequence);

}  // namespace ha::explore
