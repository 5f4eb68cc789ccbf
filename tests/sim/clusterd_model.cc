#include "clusterd_model.h"

#include <algorithm>
#include <utility>

#include "describe.h"
#include "host.h"
#include "world.h"

namespace ha::sim {

using namespace cluster;

namespace {

constexpr Duration kTimersAreLate = 5ms;

bool for_mirror(const Effect& effect) {
    return std::holds_alternative<OpenMirror>(effect) ||
           std::holds_alternative<ServeMirror>(effect) ||
           std::holds_alternative<FollowMirror>(effect) ||
           std::holds_alternative<StartResync>(effect) ||
           std::holds_alternative<StopResync>(effect) || std::holds_alternative<TellIn>(effect) ||
           std::holds_alternative<SealMirror>(effect) ||
           std::holds_alternative<MakeDurable>(effect) ||
           std::holds_alternative<DrainMirror>(effect) ||
           std::holds_alternative<ResumeMirror>(effect) ||
           std::holds_alternative<AllowAcknowledge>(effect) ||
           std::holds_alternative<FailHeld>(effect) || std::holds_alternative<HoldMirror>(effect) ||
           std::holds_alternative<CloseMirror>(effect);
}

/// Mutant: this node believes to be in S whatever was decided.
Record forgetful(const Record& record) {
    Record changed = record;
    changed.outdated = false;
    Chain chain;
    for (auto entry : record.chain.entries()) {
        bool last = entry.decision.id == record.chain.head().decision.id;
        if (last) entry.decision.in_sync = InSync::both();
        chain.append(entry);
    }
    changed.chain = chain;
    return changed;
}

}  // namespace

Instant ClusterdModel::clock() const {
    return host_.clock();
}

void ClusterdModel::start() {
    if (alive() || !host_.powered()) return;
    if (host_.record_file.damaged) {
        return host_.world.say(host_, [] { return "## its record is damaged: it does not start"; });
    }
    ++process_;
    if (host_.world.mutant != Mutant::NoSettle) host_.settle_record();
    Record record = host_.record_file.renamed.value_or(host_.record);
    if (host_.world.mutant == Mutant::TakeoverOutdated) record = forgetful(record);
    const bool forgets = host_.world.mutant == Mutant::ForgetExchange && !record.chain.empty();
    if (forgets) record.exchange.reset();
    if (host_.world.mutant == Mutant::WitnessAtOnce) {
        record.witness = host_.world.witness.configured(host_.self);
    }
    began_under_ = record.chain.empty() ? Id128{} : record.chain.head().decision.id;
    machine_ = std::make_unique<Machine>(host_.world.settings(host_.self), record, host_.boot,
                                         host_.world.random.id());
    monitor_.emplace(Timing{});
    probes_.emplace(host_.world.random.id().low);
    probe_heard_ = 0;
    const bool drift_ignored = host_.world.mutant == Mutant::IgnoreDrift;
    keeper_.emplace(drift_ignored ? Timing{}.take_after - Timing{}.kill_bound - kTimersAreLate
                                  : Timing{}.demote_after);
    monitor_->evidence(clock());  // a peer that is not there is missed from now on
    peer_report_.reset();
    peer_gave_up_ = demoting_ = false;
    peer_ahead_ = false;
    silent_since_.reset();
    peer_clock_.reset();
    host_.world.witness.forget(host_.self);
    effects_.clear();
    machine_->begin(clock(), effects_);
    take_effects();
    Duration delay = host_.world.random.between(1ms, 300ms);
    host_.world.scheduler.after(delay, host_.owner(), [this, process = process_] {
        if (process == process_) workers_ready();
    });
}

void ClusterdModel::workers_ready() {
    effects_.clear();
    machine_->workers_ready(clock(), effects_);
    take_effects();
    if (host_.mirror.alive()) host_.mirror.greet();
}

void ClusterdModel::update_lease() {
    const bool durable = !persisting_ && !persists(queue_);
    keeper_->update(*machine_, host_.lease, durable, clock());
    bound_demotion();
    host_.watch_lease();
    // One of an earlier process, found run out.
    if (machine_->serving() && host_.lease.expired(clock())) fact(LeaseExpired{});
}

/// As clusterd/demotion_bound.
void ClusterdModel::bound_demotion() {
    const bool demotes = machine_->phase() == Phase::Demoting;
    if (std::exchange(demoting_, demotes) == demotes) return;
    ++demotions_;
    if (!demotes) return;
    const Time due = host_.when(clock() + 5s);
    host_.world.scheduler.at(due, host_.owner(), [this, process = process_, demotion = demotions_] {
        const bool same = process == process_ && demotion == demotions_;
        if (!same || !host_.lease.bounded()) return;
        if (host_.lease.expired(clock())) return;
        host_.world.say(host_, [] { return "## revokes its lease"; });
        host_.lease.revoke();
        host_.workers.lease_expired();
    });
}

void ClusterdModel::lease_expired() {
    deliver(LeaseExpired{});
}

void ClusterdModel::take_effects() {
    const auto urgent = enqueue(queue_, std::exchange(effects_, {}));
    update_lease();
    for (const auto& effect : urgent) execute(effect);
    run();
    arm();
    host_.world.stepped(host_);
}

void ClusterdModel::crash() {
    if (!alive()) return;
    ++process_;
    machine_.reset();
    queue_.clear();
    mirror_waiting_.clear();
    lifecycle_.reset();
    last_report_.reset();
    armed_.reset();
    const bool half_written = persisting_ && host_.record_file.renamed != persisting_;
    if (half_written && host_.world.mutant == Mutant::RecordInPlace) {
        host_.record_file.damaged = true;
    }
    persisting_.reset();
    if (Stream* stream = host_.world.network.usable(Link::Control, host_.self)) {
        stream->close(host_.self);
    }
}

void ClusterdModel::deliver(const Event& event) {
    if (!alive()) return;
    World& world = host_.world;
    world.say(host_, [&] { return "> " + describe(event); });
    ++world.totals.events;
    effects_.clear();
    if (std::holds_alternative<PeerReported>(event)) silent_since_.reset();
    if (std::holds_alternative<PeerSilent>(event)) silent_since_ = world.now();
    if (std::holds_alternative<WitnessConfigured>(event)) forget_asked(queue_);
    machine_->step(clock(), event, effects_);
    take_effects();
}

void ClusterdModel::fact(const Event& event) {
    if (!alive()) return;
    World& world = host_.world;
    Time due = std::max(world.now() + world.random.between(20us, 800us), last_fact_ + 1ns);
    last_fact_ = due;
    world.scheduler.at(due, host_.owner(), [this, event, process = process_] {
        if (process == process_) deliver(event);
    });
}

// ---- effects, in order; a Persist holds back what follows it

void ClusterdModel::run() {
    while (!persisting_ && !queue_.empty()) {
        Effect effect = std::move(queue_.front());
        queue_.pop_front();
        execute(effect);
    }
}

void ClusterdModel::execute(const Effect& effect) {
    host_.world.say(host_, [&] { return "  . " + describe(effect); });
    if (const auto* persist = std::get_if<Persist>(&effect))
        return execute_persist(persist->record);
    if (const auto* report = std::get_if<SendReport>(&effect)) {
        host_.world.invariants.reported(host_, report->report);
        last_report_ = report->report;
        return send_report();
    }
    if (const auto* asked = std::get_if<AskWitness>(&effect)) {
        if (host_.world.mutant == Mutant::AssumeWon) fact(RegisterShown{asked->value});
        return host_.world.witness.ask(host_, *asked);
    }
    if (mutated(effect)) return;
    host_.world.invariants.ordered(host_, effect);
    if (for_mirror(effect)) return order_mirror(effect);
    World& world = host_.world;
    Time due = std::max(world.now() + world.random.between(20us, 500us), last_order_ + 1ns);
    last_order_ = due;
    host_.world.scheduler.at(due, host_.owner(), [this, effect] {
        if (host_.powered()) host_.workers.order(effect);
    });
}

bool ClusterdModel::mutated(const Effect& effect) {
    if (host_.world.mutant != Mutant::SwapWithoutDrain) return false;
    if (!std::holds_alternative<DrainMirror>(effect)) return false;
    fact(Drained{});
    return true;
}

void ClusterdModel::order_mirror(const Effect& effect) {
    bool open = std::holds_alternative<OpenMirror>(effect);
    if (open || std::holds_alternative<CloseMirror>(effect)) lifecycle_ = effect;
    if (!host_.mirror.alive()) {
        mirror_waiting_.push_back(effect);
        return;
    }
    give_mirror(effect);
}

void ClusterdModel::give_mirror(const Effect& effect) {
    World& world = host_.world;
    Time due = std::max(world.now() + world.random.between(20us, 800us), last_order_ + 1ns);
    last_order_ = due;
    Id128 module = machine_->record().module_id;
    world.scheduler.at(due, mirror_of(host_.self), [this, effect, module] {
        if (host_.mirror.alive()) host_.mirror.order(effect, module);
    });
}

void ClusterdModel::mirror_connected() {
    if (!alive()) return;
    auto waiting = std::exchange(mirror_waiting_, {});
    bool begun = !waiting.empty() && waiting.front().index() == lifecycle_->index();
    if (lifecycle_ && !begun) give_mirror(*lifecycle_);
    for (const auto& effect : waiting) give_mirror(effect);
}

void ClusterdModel::mirror_gone() {
    fact(MirrorFailed{"worker-gone", "its process ended"});
}

// ---- the peer

void ClusterdModel::swap(std::optional<Node> to) {
    if (!alive()) return;
    SwapRequested event{to, std::nullopt};
    if (!machine_->gives_swap_on(event)) return deliver(event);
    event.before = order_bound();
    if (event.before) give_on(event);
}

void ClusterdModel::restart() {
    if (!alive()) return;
    if (!machine_->gives_restart_on()) return deliver(RestartRequested{});
    if (auto before = order_bound()) give_on(RestartRequested{before});
}

void ClusterdModel::force(Duration after) {
    if (!alive()) return;
    if (machine_->record().chain.empty()) return deliver(StartRequested{true});
    const StartRequested order{false, machine_->knowledge()};
    shown_.insert(order.force->decision);
    host_.world.scheduler.after(after, host_.owner(), [this, order] { deliver(order); });
}

std::optional<Instant> ClusterdModel::order_bound() const {
    if (!peer_clock_) return std::nullopt;
    return *peer_clock_ + 10s;
}

void ClusterdModel::give_on(const Event& event) {
    Stream* stream = host_.world.network.usable(Link::Control, host_.self);
    if (stream == nullptr) return;
    stream->send(host_.self, [to = &host_.peer().clusterd, event] { to->deliver(event); });
}

void ClusterdModel::send_report() {
    Stream* stream = host_.world.network.usable(Link::Control, host_.self);
    if (stream == nullptr || !last_report_) return;
    auto report = std::make_shared<const Report>(*last_report_);
    stream->send(host_.self, [to = &host_.peer().clusterd, report] { to->receive(*report); });
}

void ClusterdModel::receive(const Report& report) {
    if (!alive()) return;
    peer_report_ = report;
    // One that opens its mirror has not begun to serve since it gave up.
    const bool gave_up =
        report.activity == Activity::Waiting || report.activity == Activity::Stopped;
    peer_gave_up_ = gave_up || (peer_gave_up_ && report.activity == Activity::Opening);
    peer_ahead_ = false;
    evidence();
    deliver(PeerReported{report});
}

void ClusterdModel::control_up() {
    if (alive()) monitor_->deaf(false, clock());
    send_report();
}

void ClusterdModel::evidence() {
    if (alive()) told(monitor_->evidence(clock()));
}

void ClusterdModel::told(Monitor::Change change) {
    switch (change) {
        case Monitor::Change::None:
            break;
        case Monitor::Change::Heard:
            // Its last word still holds, as far as this node can know.
            if (peer_report_ && !peer_ahead_) deliver(PeerReported{*peer_report_});
            break;
        case Monitor::Change::Silent:
            deliver(PeerSilent{});
            break;
        case Monitor::Change::Overdue:
            host_.world.invariants.overdue(host_);
            deliver(PeerOverdue{});
            break;
    }
}

Duration ClusterdModel::heard_ago() const {
    return clock() - monitor_->last_evidence().value_or(Instant{});
}

/// A peer that has not heard us for take_after counts as silent, however loud it is.
void ClusterdModel::heartbeat(const Said& said) {
    if (!alive()) return;
    peer_clock_ = said.clock;
    probe_heard_ = said.probe;
    if (auto sent = probes_->echoed(said.echo)) host_.lease.confirm(Lease::By::Heartbeat, *sent);
    const bool known = peer_report_ && peer_report_->chain.contains(said.decision);
    bool ahead = !known && machine_->overtaken(said.newest, said.decision);
    monitor_->deaf(said.heard_ago >= Timing{}.take_after && !ahead, clock());
    peer_ahead_ = ahead;
    if (ahead) deliver(PeerAhead{});
    if (!alive()) return;
    told(monitor_->check(clock()));
    evidence();
}

void ClusterdModel::tick() {
    if (!alive()) return;
    World& world = host_.world;
    Said said{probes_->send(clock()), probe_heard_, heard_ago(), Epoch{}, Id128{}, clock()};
    if (last_report_ && !last_report_->chain.empty()) {
        said.newest = last_report_->chain.head().decision.number;
        said.decision = last_report_->chain.head().decision.id;
    }
    world.network.datagram(host_.self,
                           [to = &host_.peer().clusterd, said] { to->heartbeat(said); });
    told(monitor_->check(clock()));
    told(monitor_->check(clock()));
    ping();
}

void ClusterdModel::ping() {
    World& world = host_.world;
    if (world.witnesses != Witnesses::PingTarget || !machine_->awaits_target()) return;
    if (world.network.target_reached(host_.self) != world.now()) return;
    world.scheduler.after(world.network.latency(), host_.owner(),
                          [this, process = process_, sent = clock()] {
                              const bool wanted = process == process_ && machine_->awaits_target();
                              if (wanted) deliver(TargetAnswered{sent});
                          });
}

void ClusterdModel::arm() {
    auto deadline = machine_->next_deadline();
    if (deadline == armed_) return;
    armed_ = deadline;
    if (!deadline) return;
    Time due = std::max(host_.when(*deadline), host_.world.now() + 1us);
    host_.world.scheduler.at(due, host_.owner(), [this, deadline, process = process_] {
        if (process != process_ || armed_ != deadline) return;
        armed_.reset();
        deliver(DeadlinePassed{});
    });
}

}  // namespace ha::sim
