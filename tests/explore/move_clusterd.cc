// ha-clusterd: the machine and everything between it and the world.

#include <algorithm>
#include <deque>
#include <utility>

#include "core/cluster/effects.h"
#include "describe.h"
#include "move.h"

namespace ha::explore {

using namespace cluster;
using sim::describe;

namespace {

constexpr Id128 kWitness{7, 7};

/// Mutants: this node believes to be in S whatever was decided.
Record forgetful(Record record) {
    record.outdated = false;
    Chain chain;
    for (ChainEntry entry : record.chain.entries()) {
        const bool last = entry.decision.id == record.chain.head().decision.id;
        if (last) entry.decision.in_sync = InSync::both();
        chain.append(entry);
    }
    record.chain = chain;
    return record;
}

Id128 newest(const Chain& chain) {
    return chain.empty() ? Id128{} : chain.head().decision.id;
}

}  // namespace

Id128 Move::mint() {
    const std::uint64_t number = ++state_.minted;
    return {number * 0x9e3779b97f4a7c15ULL, number * 0xbf58476d1ce4e5b9ULL};
}

Settings Move::settings(Node node) const {
    Settings settings;
    settings.self = node;
    settings.names = {"A", "B"};
    settings.module = "m";
    settings.policy = setup_.decider == Decider::Safe ? Policy::Safe : Policy::Available;
    settings.addresses = setup_.bounds.addresses != 0;
    settings.ping_targets = setup_.decider == Decider::Ping;
    if (setup_.decider == Decider::Witness) settings.witness = kWitness;
    return settings;
}

/// What a beginning process finds; mutants find something else.
Record Move::on_disk(Node node, bool booting) const {
    Record record = state_.at(node).record;
    const bool forgets = booting ? is(Mutant::OutdatedLeadsAtBoot) : is(Mutant::TakeoverOutdated);
    if (forgets) return forgetful(record);
    if (is(Mutant::ForgetBoth)) {
        record.outdated = false;
        record.exchange.reset();
    }
    if (is(Mutant::TrustPowerVictim)) record.open_boot = {};
    const bool unchanged = is(Mutant::CedingCancelled) && record.ceding && state_.value &&
                           state_.value->decision.id == record.ceding->parent;
    if (unchanged) record.ceding.reset();
    return record;
}

void Move::start(Node node) {
    Side& side = state_.change(node);
    const bool booting = side.boot.none();
    if (booting) side.boot = mint();
    side.machine.emplace(settings(node), on_disk(node, booting), side.boot, mint());
    side.heard.reset();
    side.hearing = Hearing::Hears;  // a peer that is not there is missed from now on
    side.peer_ahead = side.answered = false;
    side.mail.clear();
    forget_client(node);
    const Side& peer = state_.at(other(node));
    if (peer.machine && peer.said) side.mail.push_back(peer.said);
    std::vector<Effect> effects;
    side.keeper.emplace(kBound);
    counts_from_here(node);
    side.machine->begin(Instant{}, effects);
    take(node, std::move(effects));
    effects = {};
    state_.change(node).machine->workers_ready(Instant{}, effects);
    take(node, std::move(effects));
    if (state_.at(node).mirror.role != Role::Closed) carry(node, OpenMirror{});
}

void Move::crash(Node node, bool recorded) {
    if (recorded) {
        invariants_.recorded(node, Record(*state_.at(node).persisting));
        state_.change(node).record = *state_.at(node).persisting;
    }
    Side& side = state_.change(node);
    side.machine.reset();
    side.queue.clear();
    side.persisting.reset();
    side.facts.clear();
    side.said.reset();
    side.heard.reset();
    side.mail.clear();
    side.probe.reset();
    side.hearing = Hearing::Hears;
    side.peer_ahead = side.answered = false;
    forget_client(node);
}

void Move::power_on(Node node) {
    state_.change(node).powered = true;
    start(node);
}

void Move::power_off(Node node, Writes left, bool recorded) {
    if (state_.at(node).machine) crash(node, recorded);
    state_.stream.open[index_of(node)] = false;
    if (node != state_.stream.primary) state_.stream.frames.clear();
    Side& side = state_.change(node);
    side.mirror = Mirror{};
    side.units = side.addresses = side.on_its_own = false;
    side.lease = {};
    side.powered = side.copy.frozen = false;
    side.flushing.reset();
    side.boot = {};
    blink(node, left);
}

void Move::blink(Node node, Writes left) {
    Side& side = state_.change(node);
    side.copy.kernel = side.copy.disk = left;
    for (Node each : kNodes) {
        for (Operation& operation : state_.change(each).mirror.operations) {
            if (!operation.done) operation.lost[index_of(node)] = true;
        }
    }
    invariants_.power_lost(node);
}

// ---- events

void Move::deliver(Node node, const Event& event) {
    step(node, Instant{}, event);
}

void Move::step(Node node, Instant now, const Event& event) {
    if (!state_.at(node).machine) return;
    if (say_) say(node, "> " + describe(event));
    std::vector<Effect> effects;
    const Id128 before = newest(state_.at(node).machine->record().chain);
    state_.change(node).machine->step(now, event, effects);
    const Chain& chain = state_.at(node).machine->record().chain;
    if (newest(chain) != before) invariants_.decided(node, chain.head());
    take(node, std::move(effects));
}

void Move::fact(Node node, const Event& event) {
    if (!state_.at(node).machine) return;
    auto& facts = state_.change(node).facts;
    const bool posted = std::any_of(facts.begin(), facts.end(), [](const Event& each) {
        return std::holds_alternative<LeaseExpired>(each);
    });
    if (!posted || !std::holds_alternative<LeaseExpired>(event)) facts.push_back(event);
}

/// Mutant AgreementCrosses: says that it consents, and goes on asking for its own.
void Move::receive(Node node, const SharedReport& report) {
    Side& side = state_.change(node);
    side.heard = report;
    side.peer_ahead = side.answered = false;
    side.hearing = Hearing::Hears;
    evidence(node);
    const Record& record = side.machine->record();
    const bool asked = report->proposal && record.exchange && !record.chain.empty() &&
                       report->proposal->parent == record.chain.head().decision.id;
    if (is(Mutant::AgreementCrosses) && asked && side.said) {
        Report consent = *side.said;
        consent.chain.append({*report->proposal, false, Confirmation::PeerConsent});
        consent.outdated = true;
        return said(node, consent);
    }
    deliver(node, PeerReported{*report});
}

// ---- effects, in order; a Persist holds back what follows it

void Move::take(Node node, std::vector<Effect> fresh) {
    Side& side = state_.change(node);
    std::deque<Effect> queue(std::make_move_iterator(side.queue.begin()),
                             std::make_move_iterator(side.queue.end()));
    const std::vector<Effect> urgent = enqueue(queue, std::move(fresh));
    side.queue.assign(std::make_move_iterator(queue.begin()), std::make_move_iterator(queue.end()));
    update_lease(node);
    for (const Effect& effect : urgent) execute(node, effect);
    pump(node);
}

void Move::pump(Node node) {
    while (!state_.at(node).queue.empty() && !state_.at(node).persisting) {
        auto& queue = state_.change(node).queue;
        const Effect effect = std::move(queue.front());
        queue.erase(queue.begin());
        execute(node, effect);
    }
}

void Move::execute(Node node, const Effect& effect) {
    if (say_) say(node, ". " + describe(effect));
    Side& side = state_.change(node);
    if (const auto* persist = std::get_if<Persist>(&effect)) {
        side.persisting = persist->record;
    } else if (const auto* report = std::get_if<SendReport>(&effect)) {
        said(node, report->report);
    } else if (const auto* asked = std::get_if<AskWitness>(&effect)) {
        ask(node, *asked);
    } else {
        workers(node, effect);
        order(node, effect);
    }
}

/// One that differs from the last only in what it says to people is none.
void Move::said(Node node, Report report) {
    report.serial = 0;
    report.state.clear();
    report.readiness.clear();
    report.reason_code.clear();
    report.reason.clear();
    const bool news = !state_.at(node).said || *state_.at(node).said != report;
    if (!news) return;
    auto shared = std::make_shared<const Report>(std::move(report));
    state_.change(node).said = shared;
    Side& peer = state_.change(other(node));
    if (!peer.machine) return;
    if (peer.mail.size() >= setup_.bounds.reports) peer.mail.pop_back();
    peer.mail.push_back(std::move(shared));
}

void Move::become_durable(Node node) {
    const Record record = *state_.at(node).persisting;
    invariants_.recorded(node, record);
    Side& side = state_.change(node);
    side.record = record;
    side.persisting.reset();
    if (is(Mutant::SwapWithoutCeding)) side.record.ceding.reset();
    pump(node);
    update_lease(node);
}

/// One step that needs nobody else.
bool Move::go_on(Node node) {
    if (state_.at(node).persisting) {
        become_durable(node);
        return true;
    }
    if (state_.at(node).facts.empty()) return false;
    Side& side = state_.change(node);
    const Event event = std::move(side.facts.front());
    side.facts.erase(side.facts.begin());
    const bool over = std::holds_alternative<LeaseExpired>(event) && !side.lease.run_out;
    if (!over) deliver(node, event);
    return true;
}

}  // namespace ha::explore
