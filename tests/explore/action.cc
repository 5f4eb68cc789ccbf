#include "action.h"

#include <utility>

#include "move.h"

namespace ha::explore {

using namespace cluster;

std::uint32_t Action::packed() const {
    return static_cast<std::uint32_t>(what) | static_cast<std::uint32_t>(node) << 8U |
           static_cast<std::uint32_t>(detail) << 16U | static_cast<std::uint32_t>(stop) << 24U;
}

Action Action::unpack(std::uint32_t packed) {
    Action action;
    action.what = static_cast<What>(packed & 0xffU);
    action.node = static_cast<Node>(packed >> 8U & 0xffU);
    action.detail = static_cast<std::uint8_t>(packed >> 16U & 0xffU);
    action.stop = static_cast<std::uint8_t>(packed >> 24U);
    return action;
}

namespace {

constexpr std::pair<What, const char*> kTexts[] = {
    {What::Report, "a report arrives at"},
    {What::Newest, "only the newest report arrives at"},
    {What::Silent, "silence is noticed by"},
    {What::Overdue, "the peer is overdue for"},
    {What::Heard, "the peer is heard again by"},
    {What::Ahead, "a heartbeat with a newer decision reaches"},
    {What::Answered, "a ping target answers"},
    {What::Probed, "an answer of ha-vipd comes on"},
    {What::Deadline, "a deadline passes on"},
    {What::Expired, "that the lease has run out is noticed by the clusterd of"},
    {What::Stop, "stop is ordered on"},
    {What::StopAll, "stop --all is ordered on"},
    {What::Swap, "swap is ordered on"},
    {What::Restart, "restart is ordered on"},
    {What::Start, "start is ordered on"},
    {What::Source, "start --as-source is ordered on"},
    {What::Crash, "clusterd ends on"},
    {What::CrashDurable, "clusterd ends, its record just made durable, on"},
    {What::Begin, "clusterd begins on"},
    {What::RunsOut, "the lease runs out on"},
    {What::PowerOff, "power is lost on"},
    {What::PowerOffDurable, "power is lost, the record just made durable, on"},
    {What::PowerOn, "power is back on"},
    {What::Blink, "power is lost unnoticed on"},
    {What::Arrives, "an exchange arrives at the witness and is answered:"},
    {What::Unanswered, "an exchange arrives at the witness, the answer is lost:"},
    {What::Read, "the register is read by"},
    {What::Lost, "the witness is lost to"},
    {What::Forgets, "the witness shows an older value"},
    {What::Write, "the application writes on"},
    {What::Fsync, "the application calls fsync on"},
    {What::Connect, "the mirror connects from"},
    {What::Frame, "a mirror frame arrives from"},
    {What::Breaks, "the mirror's stream breaks for"},
    {What::Notices, "the end of the mirror's stream is noticed by"},
    {What::Stalled, "acknowledgements stall on"},
    {What::StalledHere, "the disk is frozen, and found so, on"},
    {What::Thaws, "the disk answers again on"},
};

const char* text(What what) {
    for (const auto& [each, words] : kTexts) {
        if (each == what) return words;
    }
    return "?";
}

class Lister {
  public:
    Lister(const State& state, const Bounds& bounds, Mutant mutant)
        : state_(state), bounds_(bounds), mutant_(mutant) {}

    std::vector<Action> list() {
        const bool busy = state_.busy();
        for (Node node : kNodes) {
            const bool here = !busy || state_.at(node).busy();
            if (here && state_.left.crashes > 0) faults(node);
        }
        if (busy && state_.left.slow == 0) return std::move(actions_);
        for (Node node : kNodes) {
            restarts(node);
            peer(node);
            commands(node);
            application(node);
            client(node);
        }
        witness();
        mirror();
        return std::move(actions_);
    }

  private:
    void add(What what, Node node, std::size_t detail = 0) {
        actions_.push_back({what, node, static_cast<std::uint8_t>(detail), Action::kToTheEnd});
    }

    void faults(Node node) {
        const Side& side = state_.at(node);
        if (!side.powered) return;
        if (side.machine) add(What::Crash, node);
        if (side.machine && side.persisting) add(What::CrashDurable, node);
        for_each_loss(side.copy, [&](Writes left) {
            add(What::PowerOff, node, left);
            if (side.persisting) add(What::PowerOffDurable, node, left);
            const bool follows = side.mirror.role == Role::Following && !side.mirror.resync_target;
            if (mutant_ == Mutant::UncleanSecondaryStays && follows) add(What::Blink, node, left);
        });
    }

    template <typename Use>
    static void for_each_loss(const Copy& copy, Use use) {
        const Writes unsure = copy.kernel ^ copy.disk;
        const Writes sure = copy.kernel & copy.disk;
        for (Writes part = unsure;; part = static_cast<Writes>((part - 1) & unsure)) {
            use(static_cast<Writes>(sure | part));
            if (part == 0) return;
        }
    }

    void restarts(Node node) {
        const Side& side = state_.at(node);
        if (!side.powered) return add(What::PowerOn, node);
        if (!side.machine) add(What::Begin, node);
        if (side.lease.bounded && !side.lease.run_out) add(What::RunsOut, node);
    }

    void peer(Node node) {
        const Side& side = state_.at(node);
        if (!side.machine) return;
        if (!side.mail.empty()) add(What::Report, node);
        if (side.mail.size() > 1) add(What::Newest, node);
        if (side.hearing == Hearing::Hears) add(What::Silent, node);
        const bool in_time = side.hearing == Hearing::Silent && !confirmed_of(other(node));
        if (in_time) add(What::Overdue, node);
        const Side& peer = state_.at(other(node));
        const bool lives = peer.machine.has_value();
        if (lives && side.hearing != Hearing::Hears && side.heard && !side.peer_ahead) {
            add(What::Heard, node);
        }
        if (lives && peer.said && !peer.said->chain.empty() && !side.peer_ahead) {
            const Decision& newest = peer.said->chain.head().decision;
            const bool known = side.heard && side.heard->chain.contains(newest.id);
            if (!known && side.machine->overtaken(newest.number, newest.id)) {
                add(What::Ahead, node);
            }
        }
        if (target_answers(node)) add(What::Answered, node);
        if (side.probe) probed(node);
        if (side.machine->next_deadline() && !waits_for_lease(node)) add(What::Deadline, node);
        if (side.lease.run_out && side.machine->serving()) add(What::Expired, node);
    }

    void probed(Node node) {
        const auto add_one = [&](Probe one) {
            add(What::Probed, node, static_cast<std::size_t>(one));
        };
        add_one(Probe::Unanswered);
        add_one(Probe::NotAsked);
        if (state_.at(other(node)).addresses) add_one(Probe::Taken);
    }

    [[nodiscard]] bool target_answers(Node node) const {
        const Side& side = state_.at(node);
        const bool asks = side.machine->settings().ping_targets && side.machine->awaits_target() &&
                          !side.answered;
        const bool other_one = state_.reached[index_of(other(node))];
        const bool may = state_.reached[index_of(node)] || bounds_.targets > (other_one ? 1U : 0U);
        return asks && may;
    }

    /// boot_wait is longer than anybody waits for an answer and a lease lasts after that.
    [[nodiscard]] bool waits_for_lease(Node node) const {
        const Side& side = state_.at(node);
        const Held& lease = state_.at(other(node)).lease;
        const bool waits = side.machine->phase() == Phase::Waiting &&
                           side.hearing != Hearing::Hears && bounds_.late == 0;
        return waits && lease.bounded && !lease.run_out;
    }

    /// What this node holds it holds because the other one has heard it not long ago.
    [[nodiscard]] bool confirmed_of(Node node) const {
        const Held& lease = state_.at(node).lease;
        return bounds_.late == 0 && lease.bounded && !lease.run_out && lease.heard;
    }

    void commands(Node node) {
        const Side& side = state_.at(node);
        if (!side.machine || state_.left.commands == 0) return;
        const bool stopped = side.machine->phase() == Phase::Stopped;
        if (stopped) return add(What::Start, node);
        const bool waits = side.machine->phase() == Phase::Waiting;
        const bool unborn = bounds_.beginning == Beginning::Unborn && side.record.chain.empty();
        if (unborn && waits) add(What::Source, node);
        add(What::Stop, node);
        if (!side.machine->serving()) return;
        add(What::StopAll, node);
        add(What::Swap, node);
        add(What::Restart, node);
    }

    void application(Node node) {
        const Mirror& mirror = state_.at(node).mirror;
        const bool admitted = mirror.role == Role::Serving && !mirror.failing && !mirror.draining;
        if (admitted && state_.at(node).units && state_.left.writes > 0) add(What::Write, node);
        if (admitted && state_.at(node).units && state_.left.fsyncs > 0) add(What::Fsync, node);
        const Side& side = state_.at(node);
        if (side.copy.frozen) add(What::Thaws, node);
        if (state_.left.stalls == 0) return;
        if (stalls(side)) add(What::Stalled, node);
        if (admitted && mirror.member && !side.copy.frozen) add(What::StalledHere, node);
    }

    void client(Node node) {
        const Side& side = state_.at(node);
        if (!side.machine || side.machine->settings().witness.none()) return;
        bool awaits = false;
        for (const Asked& asked : state_.asked) awaits |= asked.awaited && asked.from == node;
        if (!awaits && (!side.reached || side.shown != state_.value)) add(What::Read, node);
        if (side.reached && state_.left.losses > 0) add(What::Lost, node);
    }

    void witness() {
        std::array<bool, 2> first_seen{};
        for (std::size_t i = 0; i < state_.asked.size(); ++i) {
            const Asked& asked = state_.asked[i];
            // In order on one connection; those of earlier ones whenever they come.
            if (asked.awaited && std::exchange(first_seen[index_of(asked.from)], true)) continue;
            add(What::Arrives, asked.from, i);
            if (asked.awaited && state_.left.losses > 0) add(What::Unanswered, asked.from, i);
        }
        const bool forgets = mutant_ == Mutant::WitnessForgets && state_.before;
        if (forgets && state_.left.losses > 0) add(What::Forgets, Node::First);
    }

    void mirror() {
        const Stream& stream = state_.stream;
        const Node follower = other(stream.primary);
        for (Node node : kNodes) {
            if (willing(state_, node, mutant_)) add(What::Connect, node);
            if (!stream.open[index_of(node)]) continue;
            if (!stream.open[index_of(other(node))]) {
                add(What::Notices, node);
            } else if (state_.left.breaks > 0) {
                add(What::Breaks, node);
            }
        }
        const bool arrives = !stream.frames.empty() && stream.open[index_of(follower)] &&
                             !state_.at(follower).copy.frozen;
        if (arrives) add(What::Frame, stream.primary);
    }

    const State& state_;
    const Bounds& bounds_;
    Mutant mutant_;
    std::vector<Action> actions_;
};

}  // namespace

std::string describe(const Action& action) {
    std::string line = text(action.what);
    if (action.what != What::Forgets) line += action.node == Node::First ? " A" : " B";
    const bool loses = action.what == What::PowerOff || action.what == What::PowerOffDurable ||
                       action.what == What::Blink;
    const std::array<const char*, 3> probes{": nobody has them", ": another has them", ": no link"};
    if (action.what == What::Probed) line += probes.at(action.detail);
    if (loses) line += ", which keeps writes " + std::to_string(action.detail) + " (bits)";
    return line;
}

std::vector<Action> enabled(const State& state, const Bounds& bounds, Mutant mutant) {
    return Lister(state, bounds, mutant).list();
}

}  // namespace ha::explore
