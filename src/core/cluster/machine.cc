#include "core/cluster/machine.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "core/cluster/machine_table.h"

namespace ha::cluster {

Machine::Machine(Settings settings, Record record, Id128 boot, Id128 seed)
    : settings_(std::move(settings)),
      record_(std::move(record)),
      boot_(boot),
      random_{seed.high, seed.low | 1},
      flush_token_(seed.low >> 1),
      resync_token_(seed.low >> 2),
      probe_token_(seed.low >> 3),
      attempt_(seed.high >> 1) {}

void Machine::begin(Instant now, std::vector<Effect>& effects) {
    now_ = now;
    effects_ = &effects;
    bool unclean = !record_.open_boot.none() && record_.open_boot != boot_;
    if (unclean) {
        note_loss();
        record_.open_boot = Id128{};
        persist();
    }
    abandon_exchange();  // an earlier version kept it
    was_open_ = !record_.open_boot.none();
    note_boot();
    note_file();
    witness_mark_ = mint_id();
    withdrawn_ = mint_id();
    open_rules();
    if (record_.wanted) {
        // Not "stopped": the application may run all the while, and the peer would take over.
        awaiting_workers_ = true;
        enter(Phase::Opening);
        wait_for("opening", "Waiting for the workers of " + self_name() + ".");
    }
    report_if_changed();
    effects_ = nullptr;
}

void Machine::workers_ready(Instant now, std::vector<Effect>& effects) {
    now_ = now;
    effects_ = &effects;
    if (std::exchange(awaiting_workers_, false) && phase_ == Phase::Opening) open_now();
    report_if_changed();
    effects_ = nullptr;
}

void Machine::step(Instant now, const Event& event, std::vector<Effect>& effects) {
    now_ = now;
    effects_ = &effects;
    if (const auto* reported = std::get_if<PeerReported>(&event)) {
        contact_ = true;
        silent_ = overdue_ = target_answered_ = false;
        doubted_since_.reset();
        if (record_.power_lost) boot_wait_over_ = false;  // a loss is accepted without contact
        peer_report_ = reported->report;
    } else if (std::holds_alternative<PeerSilent>(event)) {
        contact_ = target_answered_ = false;
        silent_ = true;
        doubted_since_ = now_;
    } else if (std::holds_alternative<PeerOverdue>(event)) {
        overdue_ = true;
    } else if (const auto* target = std::get_if<TargetAnswered>(&event)) {
        if (doubted_since_ && target->sent >= *doubted_since_) target_answered_ = true;
    } else if (std::holds_alternative<PeerAhead>(event)) {
        contact_ = false;  // what it said last holds no more
        peer_report_.reset();
    } else if (const auto* failed = std::get_if<MirrorFailed>(&event)) {
        if (failed->lost) note_loss();
    } else if (const auto* shown = std::get_if<RegisterShown>(&event)) {
        note_register(*shown);
    } else if (std::holds_alternative<WitnessLost>(event)) {
        witness_reached_ = false;
        asked_at_.reset();
    } else if (const auto* configured = std::get_if<WitnessConfigured>(&event)) {
        configure_witness(*configured);
    }
    if (contact_ && peer_report_) note_rules(*peer_report_);
    Handler handler = Table::kHandlers[static_cast<std::size_t>(phase_)][event.index()];
    (this->*handler)(event);
    change_rules();
    bring_up();
    open_rules();
    forget_proposal();
    note_failover();
    note_put_back();
    consider_preferred();
    report_if_changed();
    effects_ = nullptr;
}

// ---- what every phase shares
// ----------------------------------------------------------------------

void Machine::ignore(const Event&) {}

void Machine::refuse_busy(const Event&) {
    refuse("busy", "Module " + settings_.module + " is " + name(phase_) + " on " + self_name() +
                       "; try again when it has settled.");
}

void Machine::stopped_stop(const Event&) {
    record_.wanted = false;
    record_.restarts = 0;
    persist();
    blocked_ = false;
    reason_ = {};
}

/// A mirror is open although the module is stopped: clusterd ended before it saw it closed.
void Machine::stray_mirror(const Event&) {
    emit(CloseMirror{});
}

void Machine::opening_start(const Event& event) {
    const auto& start = std::get<StartRequested>(event);
    if (auto why = objection(start)) return refuse(why->code.c_str(), why->text);
    if (says_more(start)) note_word(start);
}

/// Known to serve now, the application being started included.
bool Machine::is_primary(Node node) const {
    const bool restarts = phase_ == Phase::StoppingUnits && goal_ == Goal::Restart;
    if (node == self()) return phase_ == Phase::Serving || phase_ == Phase::Promoting || restarts;
    return !serving() && contact_ && peer_report_ && peer_report_->activity == Activity::Serving;
}

void Machine::not_served(const Event&) {
    refuse("not-serving", "Module " + settings_.module + " is not served by " + self_name() +
                              "; there is nothing to restart." +
                              (reason_.text.empty() ? "" : " " + reason_.text));
}

bool Machine::gives_swap_on(const SwapRequested& swap) const {
    return phase_ == Phase::Secondary && swap.to != peer() && is_primary(peer());
}

/// What an operator gave on the other node long ago is not what he expects now.
bool Machine::too_late(const std::optional<Instant>& before) {
    if (!before || now_ < *before) return false;
    refuse("too-late", "The order reached " + self_name() + " too late; nothing was changed.");
    return true;
}

/// Refuses a swap whose end is reached. The node that would carry it out looks for itself, so what
/// both nodes are asked for at once is done once.
bool Machine::already_primary(const Event& event) {
    const auto to = std::get<SwapRequested>(event).to;
    if (!to || !is_primary(*to)) return false;
    refuse("already-primary", (*to == self() ? self_name() : peer_name()) +
                                  " is primary already; there is nothing to do.");
    return true;
}

/// Taken, if it is what is being done.
void Machine::busy_swap(const Event& event) {
    const auto to = std::get<SwapRequested>(event).to;
    const bool giving = goal_ == Goal::Swap && to == peer();
    const bool taking = phase_ == Phase::Sealing && ceded_to_us_ && to == self();
    if (!giving && !taking && !already_primary(event)) refuse_busy(event);
}

void Machine::stopped_swap(const Event& event) {
    if (already_primary(event)) return;
    refuse("not-running", "Module " + settings_.module +
                              " has no running secondary here; start it first "
                              "(hamirrorctl start " +
                              settings_.module + ").");
}

void Machine::note_report(const Event& event) {
    const Report& report = std::get<PeerReported>(event).report;
    if (!learn(report)) consent(report);
}

// ---- small things
// ---------------------------------------------------------------------------------

void Machine::enter(Phase phase) {
    phase_ = phase;
    deadline_.reset();
    told_.reset();
    forcing_.reset();
    sealed_durable_ = false;
    const bool keeps = phase == Phase::Waiting || phase == Phase::Sealing ||
                       phase == Phase::Demoting || phase == Phase::Closing;
    if (keeps) return;
    progress_.reset();
    put_back_ = false;
}

void Machine::persist() {
    emit(Persist{record_});
}

void Machine::block(const char* code, std::string text) {
    blocked_ = true;
    reason_ = {code, std::move(text)};
}

void Machine::wait_for(const char* code, std::string text) {
    blocked_ = false;
    reason_ = {code, std::move(text)};
}

void Machine::refuse(const char* code, std::string text) {
    emit(Refuse{code, std::move(text)});
}

void Machine::tell(const char* code, std::string text) {
    emit(Tell{code, std::move(text)});
}

void Machine::flush(bool hold) {
    emit(MakeDurable{++flush_token_, hold});
}

bool Machine::in_sync_self() const {
    return !record_.chain.empty() && head().in_sync.has(self());
}

/// xorshift128+ (Vigna 2014): unpredictability comes from the seed, repetition is what must not be.
Id128 Machine::mint_id() {
    auto next = [this] {
        std::uint64_t x = random_[0];
        const std::uint64_t y = random_[1];
        random_[0] = y;
        x ^= x << 23;
        random_[1] = x ^ y ^ (x >> 17) ^ (y >> 26);
        return random_[1] + y;
    };
    Id128 id{next(), next()};
    return id.none() ? mint_id() : id;
}

bool Machine::serving() const {
    return activity() == Activity::Serving;
}

bool Machine::bounded() const {
    if (!serving()) return false;
    const bool both_may = by_witness() || settings_.policy == Policy::Available;
    const bool goes_on = !by_witness() && silent_ && may_decide_alone();
    return both_may && !goes_on && may_name_peer();
}

bool Machine::may_name_peer() const {
    const bool asked_for = record_.exchange && record_.exchange->decision.in_sync.has(peer());
    return asked_for || (!record_.chain.empty() && head().in_sync.has(peer()));
}

/// Without a witness: that the other node is silent is no fault of this one's links, as far as the
/// configuration wants to know.
bool Machine::may_decide_alone() const {
    return !asks_targets() || !doubted_since_ || target_answered_;
}

bool Machine::asks_targets() const {
    return settings_.ping_targets && settings_.policy == Policy::Available && !by_witness();
}

std::optional<Instant> Machine::next_deadline() const {
    std::optional<Instant> next = deadline_;
    const auto also = [&next](const Instant& due) { next = next ? std::min(*next, due) : due; };
    if (prefer_due_) also(*prefer_due_);
    const bool proposed = !by_witness() && shrink_ == Shrink::Proposed && may_decide_alone();
    if (proposed && proposal_due_ && phase_ != Phase::Ceding) also(*proposal_due_);
    return next;
}

bool Machine::overtaken(Epoch newest, const Id128& id) const {
    if (record_.chain.empty() || newest <= head().number) return false;
    bool proposed = proposal_ && proposal_->id == id;
    bool ceded = record_.ceding && record_.ceding->id == id;
    bool asked = record_.exchange && record_.exchange->decision.id == id;
    bool reported = contact_ && peer_report_ && peer_report_->chain.contains(id);
    return !proposed && !ceded && !asked && !reported;
}

bool Machine::peer_required() const {
    return serving() && (peer_ == Peer::Member || peer_ == Peer::Joining);
}

}  // namespace ha::cluster
