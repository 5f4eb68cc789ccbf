#include "canon.h"

#include <algorithm>
#include <type_traits>
#include <variant>

#include "core/cluster/machine_members.h"

namespace ha::explore {

using namespace cluster;

namespace {

constexpr std::uint64_t mix(std::uint64_t value) {
    value = (value ^ (value >> 32U)) * 0xd6e8feb86659fd93ULL;
    value = (value ^ (value >> 32U)) * 0xd6e8feb86659fd93ULL;
    return value ^ (value >> 32U);
}

class Canon {
  public:
    /// `literal`: ids and instants are what they are.
    explicit Canon(bool literal = false) : literal_(literal) {}

    Digest result() {
        std::vector<Instant> order = instants_;
        std::sort(order.begin(), order.end());
        for (Instant each : instants_) {
            add(static_cast<std::uint64_t>(std::lower_bound(order.begin(), order.end(), each) -
                                           order.begin()));
        }
        return digest_;
    }

    template <typename... All>
    void state(const All&... all) {
        (add(all), ...);
    }
    template <typename... All>
    void tokens(const All&... all) {
        (token(all), ...);
    }
    template <typename... All>
    void left_out(const All&... all) {
        if (literal_) (source_of_ids(all), ...);
    }
    template <typename Other>
    void source_of_ids(const Other&) {}
    void source_of_ids(const std::array<std::uint64_t, 2>& random) { add(random); }

    template <typename T>
    requires(std::is_integral_v<T> || std::is_enum_v<T>) void add(T value) {
        const auto number = static_cast<std::uint64_t>(value);
        digest_.high = mix(digest_.high ^ number) + 0x9e3779b97f4a7c15ULL;
        digest_.low = (digest_.low + number + 1) * 0xff51afd7ed558ccdULL;
        digest_.low ^= digest_.low >> 29U;
    }
    void token(std::uint64_t value) { add(Id128{value, ~std::uint64_t{}}); }
    void add(const Id128& id) {
        if (literal_) return state(id.high, id.low);
        if (id.none() || (id.high == 0 && id.low == ~std::uint64_t{})) return add(0U);
        for (std::size_t i = 0; i < ids_.size(); ++i) {
            if (ids_[i] == id) return add(i + 1);
        }
        ids_.push_back(id);
        add(ids_.size());
    }
    void add(Epoch epoch) { add(epoch.value); }
    void add(Instant instant) {
        if (literal_) return add(instant.time_since_epoch().count());
        instants_.push_back(instant);
    }
    void add(const Reason& reason) {
        for (char each : reason.code) add(static_cast<unsigned char>(each));
        add(0U);
    }
    template <typename T>
    void add(const std::optional<T>& value) {
        add(value.has_value());
        if (value) add(*value);
    }
    template <typename T>
    void add(const std::shared_ptr<const T>& value) {
        add(value != nullptr);
        if (value) add(*value);
    }
    template <typename T>
    void add(const std::vector<T>& values) {
        add(values.size());
        for (const T& each : values) add(each);
    }
    template <typename T>
    void add(const std::array<T, 2>& values) {
        state(values[0], values[1]);
    }

    void add(const InSync& in_sync) { add((in_sync.first ? 1U : 0U) | (in_sync.second ? 2U : 0U)); }
    void add(const Decision& decision) {
        // The rest follows from the id: one id is one decision, and the truth has it all.
        state(decision.id, decision.number, decision.parent, decision.primary, decision.in_sync,
              decision.cause, decision.overrides);
    }
    // Structured bindings, where a member that is added and left out here must not compile.
    void add(const Knowledge& known) {
        const auto& [decision, peer_decision, peer_seen] = known;
        state(decision, peer_decision, peer_seen);
    }
    void add(const StartRequested& start) {
        const auto& [as_source, force] = start;
        state(as_source, force);
    }
    void add(const ChainEntry& entry) {
        const auto& [decision, used, confirmation] = entry;
        state(decision, used, confirmation);
    }
    void add(const Chain& chain) { add(chain.entries()); }
    void add(const Exchange& exchange) {
        const auto& [expected, decision] = exchange;
        state(expected, decision);
    }
    void add(const FailoverSwitch& failover) {
        const auto& [number, automatic, file] = failover;
        state(number, automatic, file);
    }
    void add(const Record& record) {
        const auto& [module_id, chain, outdated, ceding, exchange, abandoned, witness, witness_open,
                     proposed, stopped_together, wanted, open_boot, power_lost, restarts, failover,
                     at_boot, last_boot] = record;
        state(module_id, chain, outdated, ceding, exchange, abandoned, witness, witness_open,
              proposed, stopped_together, wanted, open_boot, power_lost, restarts, failover,
              at_boot, last_boot);
    }
    void add(const Report& report) {
        const auto& [serial, boot, module_id, chain, outdated, power_lost, ceding, stopped_together,
                     activity, data_ok, progress, term, attempt, proposal, withdrawn,
                     withdrawn_heard, leaving, stopping_together, keeps_copy, restarts_spent,
                     failover, preferred, at_boot, rules, witness, witness_configured, witness_mark,
                     witness_heard, for_people, readiness, reason_code, reason] = report;
        state(boot, module_id, chain, outdated, power_lost, ceding, stopped_together, activity,
              data_ok, progress, term);
        token(attempt);
        state(proposal, withdrawn, withdrawn_heard, leaving, stopping_together, keeps_copy,
              restarts_spent, failover, preferred, at_boot, rules, witness, witness_configured,
              witness_mark, witness_heard);
    }
    void add(const Progress& progress) {
        const auto& [own, peer] = progress;
        state(own, peer);
    }
    void add(const Registered& registered) {
        const auto& [module_id, decision, rules, ancestors] = registered;
        state(module_id, decision, rules, ancestors);
    }

    // what waits in a node that is busy
    void add(const Event& event) {
        add(event.index());
        std::visit([this](const auto& one) { detail(one); }, event);
    }
    void add(const Effect& effect) {
        add(effect.index());
        std::visit([this](const auto& one) { detail(one); }, effect);
    }
    template <typename Other>
    requires(std::is_empty_v<Other>) void detail(const Other&) {}
    void detail(const MirrorOpened& one) {
        state(one.marker_valid, one.marker_absent, one.serving, one.following, one.term);
    }
    void detail(const MirrorServing& one) { state(one.term, one.decision); }
    void detail(const AcknowledgementsStalled& one) { add(one.here); }
    void detail(const StreamDown& one) { add(one.term); }
    void detail(const JoinReady& one) { token(one.token); }
    void detail(const ToldIn& one) { add(one.decision); }
    void detail(const Sealed& one) { add(one.epoch); }
    void detail(const MadeDurable& one) { token(one.token); }
    void detail(const MirrorClosed& one) { add(one.durable); }
    void detail(const FirstModification& one) { add(one.decision); }
    void detail(const RegisterShown& one) { add(one.value); }
    void detail(const Persist& one) { add(one.record); }
    void detail(const AskWitness& one) { state(one.expected, one.value); }
    void detail(const SendReport& one) { add(one.report); }
    void detail(const ServeMirror& one) {
        state(one.epoch, one.decision, one.term, one.peer_member);
    }
    void detail(const FollowMirror& one) { state(one.epoch, one.term, one.resync); }
    void detail(const StartResync& one) { token(one.token); }
    void detail(const TellIn& one) { add(one.decision); }
    void detail(const SealMirror& one) { add(one.epoch); }
    void detail(const MakeDurable& one) {
        token(one.token);
        add(one.hold);
    }
    void detail(const AllowAcknowledge& one) { add(one.decision); }
    void detail(const ProbeAddresses& one) { token(one.token); }
    void detail(const OpenMirror& one) { add(one.module_id); }
    void detail(const Refuse&) {}
    void detail(const Tell&) {}
    void detail(const TargetAnswered& one) { add(one.sent); }
    // Never wait as a fact of a worker: they come from elsewhere.
    void detail(const StartRequested&) {}
    void detail(const StopRequested&) {}
    void detail(const SwapRequested&) {}
    void detail(const RestartRequested&) {}
    void detail(const FailoverRequested&) {}
    void detail(const AtBootRequested&) {}
    void detail(const PeerReported&) {}
    void detail(const MirrorFailed&) {}
    void detail(const PeerCopyFailed&) {}
    void detail(const UnitFailed&) {}
    void detail(const AddressesProbed&) {}
    void detail(const WitnessConfigured&) {}

    // the world
    void add(const AddressProbes& probes) {
        const auto& [under_way, due, taken, mac, unanswered, failing_since, trouble] = probes;
        state(under_way, due, taken.empty(), unanswered, failing_since);
    }
    void add(const Copy& copy) { state(copy.kernel, copy.disk, copy.sealed, copy.frozen); }
    void add(const Operation& one) { state(one.kind, one.covers, one.done, one.lost); }
    void add(const Mirror& mirror) {
        state(mirror.role, mirror.term, mirror.epoch, mirror.decision, mirror.member,
              mirror.rebuild, mirror.mirrored, mirror.joining, mirror.join_ready, mirror.hold,
              mirror.draining, mirror.failing, mirror.asked, mirror.allowed);
        token(mirror.resync_token);
        state(mirror.overlap_from, mirror.peer_accepted, mirror.peer_durable, mirror.operations,
              mirror.resync_target, mirror.last);
    }
    void add(const Frame& frame) {
        state(frame.kind, frame.epoch, frame.sequence, frame.data, frame.sync, frame.decision);
    }
    void add(const Stream& stream) { state(stream.open, stream.primary, stream.frames); }
    void add(const Machine& machine) { MachineMembers::visit(machine, *this); }
    void add(const Side& side) {
        state(side.powered, side.boot, side.machine, side.copy);
        const bool same = side.machine && side.machine->record() == side.record;
        add(same);
        if (!same) add(side.record);
        state(side.queue, side.persisting, side.facts, side.mail, side.hearing, side.peer_ahead,
              side.answered);
        state(side.heard, side.said, side.reached, side.shown, side.mirror);
        state(side.lease.bounded, side.lease.run_out, side.lease.heard, side.lease.stale,
              side.on_its_own);
        state(side.units, side.addresses, side.probe.has_value(), side.flushing.has_value());
        if (side.probe) token(*side.probe);
        if (side.flushing) token(*side.flushing);
    }
    void add(const Asked& asked) { state(asked.from, asked.awaited, asked.expected, asked.value); }
    void add(const Truth::Known& known) {
        state(known.decision, known.alone, known.served, known.given, known.promises,
              known.promised);
    }
    void add(const Left& left) {
        state(left.writes, left.fsyncs, left.crashes, left.breaks, left.losses, left.commands,
              left.stalls, left.slow);
    }
    void add(const Truth& truth) { state(truth.decisions, truth.durable, truth.holds); }

  private:
    bool literal_;
    Digest digest_{0x243f6a8885a308d3ULL, 0x13198a2e03707344ULL};
    std::vector<Id128> ids_;
    std::vector<Instant> instants_;
};

}  // namespace

Digest digest(const State& state) {
    Canon canon;
    // Ids are met here first: oldest decisions first.
    canon.add(*state.truth);
    for (Node node : kNodes) canon.add(state.at(node));
    canon.state(state.stream, state.value, state.before, state.asked, state.reached, state.left,
                state.written);
    return canon.result();
}

Digest identity(const Side& side) {
    Canon canon(true);
    canon.add(side);
    return canon.result();
}

}  // namespace ha::explore
