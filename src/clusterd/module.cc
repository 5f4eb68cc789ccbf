#include "clusterd/module.h"

#include <sys/stat.h>

#include <chrono>
#include <fstream>

#include "clusterd/translate.h"
#include "core/config/rules.h"
#include "core/config/values.h"
#include "io/boot_id.h"
#include "io/clock.h"
#include "io/log.h"

namespace ha::clusterd {
namespace {

using cluster::Node;

std::int64_t unix_ms() {
    using namespace std::chrono;
    return duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
}

cluster::Settings settings(const config::ModuleConfig& module, const config::ClusterConfig& cluster,
                           Node self) {
    cluster::Settings result;
    result.self = self;
    for (std::size_t i = 0; i < cluster.nodes.size() && i < 2; ++i) {
        result.names[i] = cluster.nodes[i].name;
    }
    result.module = module.name;
    result.policy =
        module.policy == config::Policy::Safe ? cluster::Policy::Safe : cluster::Policy::Available;
    result.ping_targets = !module.ping_targets.empty();
    result.automatic_failover = module.failover.automatic;
    for (Node node : {Node::First, Node::Second}) {
        if (module.failover.preferred == result.names[static_cast<std::size_t>(node)]) {
            result.preferred = node;
        }
    }
    result.addresses = !module.virtual_ips.empty();
    result.restart_budget = module.failover.restarts.count;
    if (cluster.witness) result.witness = cluster.witness->store;
    result.rules = config::rules_digest(module);
    result.proposal_bound = module.timing.take_after;
    return result;
}

/// A mirror that runs says hello within its back-off.
constexpr Duration kHelloBound = 2s;
constexpr Duration kStopAgain = 2s;

cluster::Timing timing(const config::Timing& from) {
    return {from.heartbeat, from.silent_after, from.demote_after, from.kill_bound, from.take_after};
}

}  // namespace

Module::Module(io::Loop& loop, RecordStore& store, config::ModuleConfig config,
               const config::ClusterConfig& cluster, Node self, cluster::Record record, Id128 boot,
               ModuleOutside outside)
    : loop_(loop),
      store_(store),
      config_(std::move(config)),
      cluster_(cluster),
      self_(self),
      outside_(std::move(outside)),
      machine_(settings(config_, cluster, self), std::move(record), boot, io::random_id()),
      monitor_(timing(config_.timing)),
      ping_targets_(loop, config_.name, config_.ping_targets, config_.timing.heartbeat,
                    {[this](Instant sent) { target_answered(sent); }, [this] { show(); }}),
      keeper_(config_.timing.demote_after),
      lease_(loop, outside_.lease, [this] { step(cluster::LeaseExpired{}); }),
      demotion_bound_(loop, outside_.lease->lease(), [this] { not_given_up(); }),
      machine_timer_(loop),
      monitor_timer_(loop),
      mirror_timer_(loop),
      since_unix_ms_(unix_ms()) {}

void Module::begin() {
    std::vector<cluster::Effect> effects;
    machine_.begin(io::boot_now(), effects);
    queue(std::move(effects));
    told(monitor_.evidence(io::boot_now()));  // a peer that is not there is missed from now on
}

void Module::workers_ready() {
    std::vector<cluster::Effect> effects;
    machine_.workers_ready(io::boot_now(), effects);
    queue(std::move(effects));
}

void Module::step(const cluster::Event& event) {
    std::vector<cluster::Effect> effects;
    machine_.step(io::boot_now(), event, effects);
    queue(std::move(effects));
}

void Module::target_answered(Instant sent) {
    if (machine_.awaits_target()) step(cluster::TargetAnswered{sent});
}

void Module::command(const cluster::Event& event, Done done) {
    std::vector<cluster::Effect> effects;
    machine_.step(io::boot_now(), event, effects);
    const cluster::Refuse* refused = nullptr;
    for (const auto& effect : effects) {
        if (const auto* refuse = std::get_if<cluster::Refuse>(&effect)) refused = refuse;
    }
    if (refused != nullptr) {
        done(tl::unexpected(CommandError{error_name(refused->code), refused->text}));
    } else {
        done(std::string{});
    }
    queue(std::move(effects));
}

// ---- carrying out effects
// -------------------------------------------------------------------------

void Module::queue(std::vector<cluster::Effect> effects) {
    const auto urgent = cluster::enqueue(effects_, std::move(effects));
    update_lease();
    for (const auto& effect : urgent) execute(effect);
    pump();
    drop_strays();
    arm_machine();
    note_status();
}

void Module::pump() {
    while (!persisting_ && !effects_.empty()) {
        cluster::Effect effect = std::move(effects_.front());
        effects_.pop_front();
        execute(effect);
    }
}

void Module::execute(const cluster::Effect& effect) {
    if (std::holds_alternative<cluster::StartResync>(effect)) resync_ = {.running = true};
    if (std::holds_alternative<cluster::StopResync>(effect)) resync_.running = false;
    if (const auto* persist = std::get_if<cluster::Persist>(&effect)) {
        persisting_ = true;
        store_.save(config_.name, persist->record, [this, alive = std::weak_ptr(alive_)] {
            if (alive.expired()) return;
            persisting_ = false;
            pump();
            update_lease();
            if (stopped()) outside_.changed();  // nothing else may follow that would say so
        });
    } else if (const auto* report = std::get_if<cluster::SendReport>(&effect)) {
        execute_report(report->report);
    } else if (const auto* asked = std::get_if<cluster::AskWitness>(&effect)) {
        outside_.ask_witness(*asked);
    } else if (const auto* tell = std::get_if<cluster::Tell>(&effect)) {
        log_tell(*tell);
    } else if (const auto* refuse = std::get_if<cluster::Refuse>(&effect)) {
        io::log(io::Level::Notice, config_.name + ": refused: " + refuse->text);
    } else if (std::holds_alternative<cluster::OpenMirror>(effect)) {
        open_mirror();
    } else if (std::holds_alternative<cluster::CloseMirror>(effect)) {
        close_mirror();
    } else if (auto translated = translate(effect, config_, machine_.record().module_id)) {
        const auto* follow = std::get_if<cluster::FollowMirror>(&effect);
        if (follow != nullptr && follow->resync) tell_given_up();
        order(translated->kind, std::move(translated->order));
    }
}

void Module::execute_report(const cluster::Report& report) {
    sent_report_ = report;
    outside_.send_report(report);
}

void Module::order(api::WorkerKind kind, api::Order order) {
    // What is to be there, for a worker that starts anew. A question the machine asks again.
    const bool asks = std::holds_alternative<api::ProbeAddresses>(order);
    if (kind == api::WorkerKind::Vip && !asks) vip_order_ = order;
    if (kind == api::WorkerKind::Watchdog) watchdog_order_ = order;
    outside_.send_order(kind, order);
}

/// A lease begins before what is held under it is ordered.
void Module::update_lease() {
    const bool durable = !persisting_ && !cluster::persists(effects_);
    const bool begun = keeper_.update(machine_, lease_.lease(), durable, io::boot_now());
    const bool expired = lease_.look();
    if (begun) all_look_at_lease();
    demotion_bound_.update(machine_.phase() == cluster::Phase::Demoting);
    if (!expired || !machine_.serving() || std::exchange(expiry_posted_, true)) return;
    loop_.post([this, alive = std::weak_ptr(alive_)] {
        if (alive.expired()) return;
        expiry_posted_ = false;
        if (lease_.lease().expired(io::boot_now())) step(cluster::LeaseExpired{});
    });
}

void Module::not_given_up() {
    io::log(io::Level::Critical,
            config_.name + ": What was to be given up by force is not given up after " +
                config::format_duration(DemotionBound::kBound) +
                "; what is left of the application is ended by a reset of this node.");
    all_look_at_lease();
}

void Module::all_look_at_lease() {
    look_at_lease(api::WorkerKind::Replicator);
    look_at_lease(api::WorkerKind::Vip);
    look_at_lease(api::WorkerKind::Watchdog);
}

void Module::look_at_lease(api::WorkerKind kind) {
    outside_.send_order(kind, api::LookAtLease{config_.name, config_.timing.kill_bound});
}

// ---- the mirror's process
// -------------------------------------------------------------------------

api::OpenMirror Module::open_order() const {
    api::OpenMirror open;
    open.module = config_.name;
    open.module_id = machine_.record().module_id;
    open.node = static_cast<std::uint8_t>(self_);
    for (const auto& directory : config_.replicate) {
        open.paths.push_back({directory.path, directory.exclude});
    }
    open.port = config_.port;
    open.local_addresses = cluster_.nodes[static_cast<std::size_t>(self_)].addresses;
    open.peer_addresses = cluster_.nodes[static_cast<std::size_t>(cluster::other(self_))].addresses;
    open.heartbeat = config_.timing.heartbeat;
    open.silent_after = config_.timing.silent_after;
    return open;
}

/// A mirror that is not open yet is mounted over directories nobody uses: the units go first. But
/// after a restart of this daemon alone it is open, and the application runs on it: its process is
/// given the time to say so.
void Module::open_mirror() {
    open_wanted_ = true;
    close_wanted_ = false;
    switch (outside_.replicator()) {
        case MirrorProcess::Connected:
            return send_open();
        case MirrorProcess::Leaving:
            return;  // replicator_gone() goes on
        case MirrorProcess::Away:
            break;
    }
    outside_.replicator_runs([this, alive = std::weak_ptr(alive_)](bool runs) {
        if (alive.expired() || !awaits_hello()) return;
        if (!runs) return stop_units_first();
        mirror_timer_.arm(io::boot_now() + kHelloBound, [this] {
            if (awaits_hello()) stop_units_first();
        });
    });
}

bool Module::awaits_hello() const {
    return open_wanted_ && machine_.phase() == cluster::Phase::Opening &&
           outside_.replicator() == MirrorProcess::Away;
}

void Module::stop_units_first() {
    units_first_ = true;
    order(api::WorkerKind::Watchdog, api::StopUnits{config_.name, config_.units});
}

void Module::send_open() {
    units_first_ = false;
    outside_.send_order(api::WorkerKind::Replicator, open_order());
}

api::CloseMirror Module::close_order() const {
    const auto& record = machine_.record();
    bool together =
        !record.chain.empty() && record.stopped_together == record.chain.head().decision.id;
    api::CloseMirror close{together, {}};
    for (const auto& directory : config_.replicate) close.paths.push_back(directory.path);
    return close;
}

void Module::close_mirror() {
    open_wanted_ = false;
    close_wanted_ = true;
    switch (outside_.replicator()) {
        case MirrorProcess::Connected:
            outside_.send_order(api::WorkerKind::Replicator, close_order());
            return;
        case MirrorProcess::Leaving:
            return;
        case MirrorProcess::Away:
            return start_replicator();
    }
}

void Module::start_replicator() {
    outside_.run_replicator(true, [this, alive = std::weak_ptr(alive_)](const std::string& why) {
        if (!alive.expired()) step(cluster::MirrorFailed{"start-failed", why});
    });
}

void Module::stop_replicator() {
    outside_.run_replicator(false, [this, alive = std::weak_ptr(alive_)](const std::string& why) {
        if (!alive.expired()) stop_failed(why);
    });
}

void Module::stop_failed(const std::string& why) {
    io::log(io::Level::Warning, config_.name + ": its mirror could not be stopped: " + why);
    if (outside_.replicator() != MirrorProcess::Connected) return;
    if (open_wanted_ && machine_.phase() == cluster::Phase::Opening) return send_open();
    mirror_timer_.arm(io::boot_now() + kStopAgain, [this] {
        if (stopped() && outside_.replicator() == MirrorProcess::Connected) stop_replicator();
    });
}

/// In any other phase the machine asks for it when it may be opened: the units of a mirror that
/// crashed have to end first.
void Module::replicator_up() {
    look_at_lease(api::WorkerKind::Replicator);
    auto phase = machine_.phase();
    if (open_wanted_ && phase == cluster::Phase::Opening) return send_open();
    bool closing = close_wanted_ && phase == cluster::Phase::Closing;
    if (closing || phase == cluster::Phase::Stopped) {
        outside_.send_order(api::WorkerKind::Replicator, close_order());
    }
}

void Module::replicator_gone(const std::string& why, bool expected) {
    bool opening = open_wanted_ && machine_.phase() == cluster::Phase::Opening;
    if (!expected) step(cluster::MirrorFailed{"worker-gone", why});
    if (opening) return open_mirror();
    if (close_wanted_ && machine_.phase() == cluster::Phase::Closing) start_replicator();
}

void Module::worker_up(api::WorkerKind kind) {
    look_at_lease(kind);
    auto& order = kind == api::WorkerKind::Vip ? vip_order_ : watchdog_order_;
    if (order) outside_.send_order(kind, *order);
}

/// Addresses may be here by the order of an earlier process of ours. They go when it is known that
/// the module is not served here; while the mirror is asked what it does, it may be served under
/// them.
void Module::drop_strays() {
    auto phase = machine_.phase();
    bool elsewhere = phase == cluster::Phase::Stopped || phase == cluster::Phase::Waiting ||
                     phase == cluster::Phase::Rebuilding || phase == cluster::Phase::Secondary;
    if (!vip_order_ && elsewhere) {
        order(api::WorkerKind::Vip, api::DropAddresses{config_.name});
    }
}

// ---- facts
// ----------------------------------------------------------------------------------------

void Module::fact(const api::Fact& fact) {
    if (const auto* evident = std::get_if<api::MirrorEvidence>(&fact)) {
        return evidence(io::boot_now() - evident->age);
    }
    if (const auto* changed = std::get_if<api::ChangedAlone>(&fact)) {
        return note_alone(alone_, *changed);
    }
    if (const auto* progress = std::get_if<api::ResyncProgress>(&fact)) {
        resync_ = {true, progress->files_total, progress->files_done, progress->bytes_examined,
                   progress->bytes_sent};
        return outside_.changed();
    }
    if (const auto* ready = std::get_if<api::JoinReady>(&fact)) {
        resync_ = {false, ready->files, ready->files, ready->bytes_examined, ready->bytes_sent};
        io::log(io::Level::Notice, api::message::kResyncDone,
                {{"HAMIRROR_MODULE", config_.name},
                 {"HAMIRROR_FILES", std::to_string(ready->files)},
                 {"HAMIRROR_BYTES_EXAMINED", std::to_string(ready->bytes_examined)},
                 {"HAMIRROR_BYTES_SENT", std::to_string(ready->bytes_sent)}},
                config_.name + ": both copies are identical; " +
                    std::to_string(ready->bytes_examined) + " bytes examined, " +
                    std::to_string(ready->bytes_sent) + " sent.");
    }
    if (std::holds_alternative<api::StreamDown>(fact)) resync_.running = false;
    if (const auto* failed = std::get_if<api::AddressesFailed>(&fact)) {
        io::log(io::Level::Error, api::message::kBlocked, {{"HAMIRROR_MODULE", config_.name}},
                config_.name +
                    ": its addresses cannot be held here, so the application is not "
                    "started: " +
                    failed->text);
        return;
    }
    if (std::holds_alternative<api::UnitsStopped>(fact) && units_first_) {
        units_first_ = false;
        if (awaits_hello()) start_replicator();
        return;
    }
    bool closed = std::holds_alternative<api::MirrorClosed>(fact);
    if (auto event = to_event(fact)) step(*event);
    if (closed && machine_.phase() == cluster::Phase::Stopped) {
        close_wanted_ = false;
        stop_replicator();
    }
}

// ---- the peer
// -------------------------------------------------------------------------------------

void Module::report(cluster::Report report) {
    peer_report_ = report;
    peer_ahead_ = false;
    evidence(io::boot_now());
    step(cluster::PeerReported{std::move(report)});
    show();
}

/// What people see of either node changed.
void Module::show() {
    write_status_file();
    outside_.changed();
}

void Module::control_up() {
    monitor_.deaf(false, io::boot_now());
    if (sent_report_) outside_.send_report(*sent_report_);
}

void Module::evidence(Instant at) {
    using namespace std::chrono;
    const auto age = duration_cast<milliseconds>(io::boot_now() - at).count();
    peer_seen_unix_ms_ = std::max(peer_seen_unix_ms_, unix_ms() - age);
    told(monitor_.evidence(at));
}

/// A node that says nothing of the module does not know it: it answers for it no more than a
/// silent one.
void Module::heard(const ModuleBeat* beat) {
    if (beat != nullptr) note_alone(peer_alone_, beat->alone);
    Instant now = io::boot_now();
    bool cut_off = beat == nullptr || beat->heard_age >= config_.timing.take_after;
    // What its last report shows already is no news, and it would not be reported again.
    const bool known =
        beat != nullptr && peer_report_ && peer_report_->chain.contains(beat->decision);
    bool ahead = beat != nullptr && !known && machine_.overtaken(beat->newest, beat->decision);
    // It has decided without us: its report is what we wait for now, not its silence.
    monitor_.deaf(cut_off && !ahead, now);
    peer_ahead_ = ahead;
    if (ahead) step(cluster::PeerAhead{});
    told(monitor_.check(now));
}

void Module::note_alone(api::ChangedAlone& known, const api::ChangedAlone& changed) {
    if (known == changed) return;
    known = changed;
    outside_.changed();
}

ModuleBeat Module::beat(Instant now) const {
    ModuleBeat said;
    said.module = config_.name;
    said.alone = alone_;
    if (auto heard = monitor_.last_evidence()) said.heard_age = now - *heard;
    // Of the last report, not of the record: what is said is durable.
    if (sent_report_ && !sent_report_->chain.empty()) {
        said.newest = sent_report_->chain.head().decision.number;
        said.decision = sent_report_->chain.head().decision.id;
    }
    return said;
}

void Module::told(cluster::Monitor::Change change) {
    switch (change) {
        case cluster::Monitor::Change::None:
            break;
        case cluster::Monitor::Change::Heard:
            // Its last word still holds: reports are sent on every change and none came since. Not
            // so after a cut in which it has decided: its report is on its way.
            io::log(io::Level::Notice, api::message::kPeerHeard,
                    {{"HAMIRROR_MODULE", config_.name}},
                    config_.name + ": the other node is heard.");
            ping_targets_.heard();
            if (peer_report_ && !peer_ahead_) step(cluster::PeerReported{*peer_report_});
            show();
            break;
        case cluster::Monitor::Change::Silent:
            io::log(io::Level::Warning, api::message::kPeerSilent,
                    {{"HAMIRROR_MODULE", config_.name}},
                    config_.name + ": the other node is silent.");
            step(cluster::PeerSilent{});
            ping_targets_.silent();
            show();
            break;
        case cluster::Monitor::Change::Overdue:
            step(cluster::PeerOverdue{});
            break;
    }
    arm_monitor();
}

void Module::arm_monitor() {
    auto next = monitor_.next_deadline();
    if (!next) return monitor_timer_.cancel();
    monitor_timer_.arm(*next, [this] { told(monitor_.check(io::boot_now())); });
}

void Module::arm_machine() {
    auto next = machine_.next_deadline();
    if (!next) return machine_timer_.cancel();
    machine_timer_.arm(*next, [this] { step(cluster::DeadlinePassed{}); });
}

// ---- the witness
// ----------------------------------------------------------------------------------

void Module::witness_shown(const std::optional<cluster::Registered>& value) {
    if (!std::exchange(witness_reached_, true)) {
        witness_trouble_.clear();
        io::log(io::Level::Notice, api::message::kWitnessReached,
                {{"HAMIRROR_MODULE", config_.name}}, config_.name + ": the witness is reached.");
    }
    step(cluster::RegisterShown{value});
    show();
}

void Module::witness_lost(const std::string& why) {
    witness_reached_ = false;
    witness_trouble_ = why;
    io::log(io::Level::Warning, api::message::kWitnessLost, {{"HAMIRROR_MODULE", config_.name}},
            config_.name + ": the witness is not reached: " + why + ".");
    step(cluster::WitnessLost{});
    show();
}

void Module::witness_configured(const std::optional<config::WitnessConfig>& witness) {
    cluster_.witness = witness;
    witness_reached_ = false;
    witness_trouble_ = "it has not answered yet";
    cluster::forget_asked(effects_);
    step(cluster::WitnessConfigured{witness ? witness->store : Id128{}});
    show();
}

/// Of this module, as `status` says it.
std::string Module::witness_view() const {
    const Id128& in_force = machine_.record().witness;
    const Id128 configured = cluster_.witness ? cluster_.witness->store : Id128{};
    if (in_force.none() && configured.none()) return "";
    const std::string reached = configured.none()  ? ""
                                : witness_reached_ ? "; it answers"
                                                   : "; NOT reached: " + witness_trouble_;
    if (machine_.witness_differs()) {
        return "not in force on both nodes: their cluster.yaml differ; repeat hamirrorctl witness "
               "add HOST (or remove)";
    }
    if (witness_reached_ && in_force == configured) {
        const auto stands = machine_.stand();
        const bool nothing = stands == cluster::RegisterStanding::Lost;
        if (nothing || stands == cluster::RegisterStanding::Foreign) {
            return std::string("cannot decide: it holds ") +
                   (nothing ? "nothing of this module"
                            : "what the nodes' decisions do not lead to") +
                   "; hamirrorctl witness remove, then witness add";
        }
    }
    if (in_force == configured && machine_.record().witness_open) {
        return "changed and changed back, in force once both nodes have met" + reached;
    }
    if (in_force == configured) return "decides when the nodes do not see each other" + reached;
    if (configured.none()) return "removed, still in force until both nodes have met";
    return std::string(in_force.none() ? "added" : "replaced") +
           ", in force once both nodes have met" + reached;
}

// ---- what people see
// ------------------------------------------------------------------------------

bool Module::stopped() const {
    return machine_.phase() == cluster::Phase::Stopped && effects_.empty() && !persisting_;
}

void Module::note_status() {
    cluster::Status now = machine_.status();
    if (now == shown_) return;
    bool words = now.state != shown_.state || now.readiness != shown_.readiness;
    shown_ = now;
    if (words) {
        since_unix_ms_ = unix_ms();
        std::string epoch =
            machine_.record().chain.empty()
                ? "0"
                : std::to_string(machine_.record().chain.head().decision.number.value);
        std::string text = config_.name + ": " + name_of(now);
        if (!now.reason.text.empty()) text += ": " + now.reason.text;
        io::log(
            now.readiness == cluster::Readiness::Blocked ? io::Level::Warning : io::Level::Notice,
            api::message::kStateChanged,
            {{"HAMIRROR_MODULE", config_.name},
             {"HAMIRROR_STATE", cluster::name(now.state)},
             {"HAMIRROR_READINESS", cluster::name(now.readiness)},
             {"HAMIRROR_REASON", now.reason.code},
             {"HAMIRROR_EPOCH", epoch}},
            text);
    }
    show();
}

/// For the gate: why a unit does not start here, in a line.
void Module::write_status_file() {
    std::string directory = std::string(io::kRunDirectory) + "/status";
    mkdir(directory.c_str(), 0755);
    std::string path = directory + "/" + config_.name;
    std::ofstream file(path + ".new", std::ios::trunc);
    ModuleView now = view();
    std::string where =
        now.primary.empty() ? "is served by no node" : "is served by " + now.primary;
    file << "module " << config_.name << " " << where << "; this node is " << name_of(shown_)
         << "\n";
    file.close();
    if (!file || rename((path + ".new").c_str(), path.c_str()) != 0) {
        io::log(io::Level::Warning,
                path + " cannot be written; the gate cannot say why it refuses.");
    }
}

void Module::log_tell(const cluster::Tell& tell) {
    io::log(io::Level::Notice, message_id(tell.code),
            {{"HAMIRROR_MODULE", config_.name}, {"HAMIRROR_EVENT", tell.code}},
            config_.name + ": " + tell.text);
}

/// What an operator who forces this node has to know of it, and gives back.
void Module::fill_known(ModuleView& view) const {
    view.known = machine_.knowledge();
    const auto& chain = machine_.record().chain;
    if (chain.empty()) return;
    for (Node node : {Node::First, Node::Second}) {
        if (!chain.head().decision.in_sync.has(node)) continue;
        view.known_in_sync.push_back(view.nodes[static_cast<std::size_t>(node)].node);
    }
}

void Module::fill_alone(ModuleView& view) const {
    const auto mine = static_cast<std::size_t>(self_);
    NodeView& other = view.nodes[1 - mine];
    view.nodes[mine].changed_alone = view_of(alone_);
    other.changed_alone = view_of(peer_alone_);
    // What it changed since it said so nobody knows.
    if (other.changed_alone && !other.seen) other.changed_alone->at_least = true;
    const std::string both = both_changed(view);
    for (NodeView& node : view.nodes) {
        if (node.reason_code == "diverged") node.reason = both + node.reason;
    }
}

/// Before a resync discards it.
void Module::tell_given_up() {
    const auto given = view_of(alone_);
    if (!given) return;
    io::log(io::Level::Warning, api::message::kResyncStarted,
            {{"HAMIRROR_MODULE", config_.name},
             {"HAMIRROR_OPERATIONS", std::to_string(given->operations)},
             {"HAMIRROR_BYTES", std::to_string(given->bytes)}},
            config_.name +
                ": this node's copy is made equal to the other's. Given up: what this "
                "node changed alone, " +
                changed_text(*given) + ".");
}

ModuleView Module::view() const {
    ModuleView shown;
    shown.module = config_.name;
    auto mine = static_cast<std::size_t>(self_);
    auto theirs = 1 - mine;
    const cluster::Record& record = machine_.record();
    cluster::Status status = machine_.status();
    for (std::size_t i = 0; i < cluster_.nodes.size() && i < 2; ++i) {
        shown.nodes[i].node = cluster_.nodes[i].name;
    }
    NodeView& here = shown.nodes[mine];
    here.seen = true;
    here.state = cluster::name(status.state);
    here.readiness = cluster::name(status.readiness);
    here.reason_code = status.reason.code;
    here.reason = status.reason.text;
    here.at_boot = name_of(record.at_boot);
    fill_membership(here, record.chain, record.outdated, self_);
    fill_peer(shown.nodes[theirs], peer_report_, monitor_.silent(), cluster::other(self_));
    if (!shown.nodes[theirs].seen) shown.nodes[theirs].last_seen_unix_ms = peer_seen_unix_ms_;
    fill_known(shown);
    fill_alone(shown);
    for (const NodeView& node : shown.nodes) {
        if (node.seen && (node.state == "primary" || node.state == "alone"))
            shown.primary = node.node;
    }
    shown.policy = config::name(config_.policy);
    const bool decides = !record.witness.none();
    shown.policy_text = policy_text(config_, decides);
    shown.witness = witness_view();
    shown.automatic_failover = machine_.automatic();
    shown.failover_recorded = machine_.failover_recorded();
    shown.preferred = config_.failover.preferred;
    shown.preferred_text = preference_text(machine_.preference(), config_);
    shown.ping_targets = ping_targets_.view();
    shown.mode = "strict";
    shown.virtual_ips = config_.virtual_ips;
    shown.units = config_.units;
    for (const auto& directory : config_.replicate) shown.paths.push_back(directory.path);
    shown.resync = resync_;
    shown.since_unix_ms = since_unix_ms_;
    return shown;
}

}  // namespace ha::clusterd
