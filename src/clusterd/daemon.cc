#include "clusterd/daemon.h"

#include "clusterd/status_line.h"
#include "clusterd/translate.h"
#include "core/cluster/codec.h"
#include "io/log.h"
#include "io/systemd.h"

namespace ha::clusterd {

using api::WorkerKind;

namespace {

std::string unit_of(WorkerKind kind, const std::string& module) {
    switch (kind) {
        case WorkerKind::Replicator:
            return "ha-replicatord@" + module + ".service";
        case WorkerKind::Vip:
            return "ha-vipd.service";
        case WorkerKind::Watchdog:
            return "ha-watchdog.service";
    }
    return "A worker";
}

}  // namespace

Daemon::Daemon(io::Loop& loop, Configurations configurations, io::Identity identity,
               std::optional<io::PeerRecord> peer, Id128 boot)
    : loop_(loop),
      configurations_(std::move(configurations)),
      identity_(std::move(identity)),
      peer_(std::move(peer)),
      boot_(boot),
      store_(loop, kStateDirectory),
      background_(loop),
      workers_(loop, {[this](io::WorkerId id, const api::Fact& fact) { worker_fact(id, fact); },
                      [this](io::WorkerId id, const std::string& why) { worker_gone(id, why); }}),
      workers_wait_(loop),
      heartbeat_timer_(loop),
      face_(loop, *this) {}

Result<> Daemon::start() {
    auto done = find_self();
    if (done) done = listen();
    if (done) done = start_peer();
    if (done) done = open_witness();
    if (done) done = open_modules();
    if (done) done = workers_.listen();
    if (!done) return done;
    ask_for_hardware_watchdog();
    face_.start();
    changed();
    loop_.on_terminate([this] { terminate(); });
    return {};
}

/// Which of the two nodes of cluster.yaml this one is: the one whose name pairing did not record.
Result<> Daemon::find_self() {
    const auto& nodes = configurations_.cluster().nodes;
    if (nodes.empty()) return fail("cluster.yaml names no node");
    if (!peer_) {
        self_ = cluster::Node::First;  // `cluster init` ran here and nobody has paired yet
        return {};
    }
    if (nodes.size() == 2 && nodes[0].name == peer_->name) {
        self_ = cluster::Node::Second;
    } else if (nodes.size() != 2 || nodes[1].name != peer_->name) {
        return fail("cluster.yaml does not name the node this one was paired with, " + peer_->name);
    }
    return {};
}

const std::string& Daemon::self_name() const {
    return configurations_.cluster().nodes[static_cast<std::size_t>(self_)].name;
}

const std::string& Daemon::peer_name() const {
    return peer_->name;
}

// ---- modules
// --------------------------------------------------------------------------------------

Result<> Daemon::open_modules() {
    if (!peer_) return {};
    for (const auto& config : configurations_.modules()) {
        auto added = add_module(config);
        if (!added) return added;
    }
    return {};
}

Result<> Daemon::add_module(const config::ModuleConfig& config) {
    auto record = store_.load(config.name);
    if (!record) return tl::unexpected(record.error());
    auto lease = io::LeasePage::open(config.name);
    if (!lease) return tl::unexpected(lease.error());
    auto around = outside(config.name);
    around.lease = std::move(*lease);
    auto module = std::make_unique<Module>(loop_, store_, config, configurations_.cluster(), self_,
                                           *record, boot_, std::move(around));
    Module& added = *module;
    modules_[config.name] = std::move(module);
    added.begin();
    if (witness_) witness_->add(config.name);
    auto word = last_reports_.find(config.name);
    if (word != last_reports_.end()) added.report(word->second);
    if (workers_were_ready_) added.workers_ready();
    changed();
    return {};
}

ModuleOutside Daemon::outside(const std::string& name) {
    ModuleOutside result;
    result.send_report = [this, name](const cluster::Report& report) {
        return link_ && link_->send(ModuleReport{name, cluster::encode(report)});
    };
    result.send_order = [this, name](WorkerKind kind, const api::Order& order) {
        auto id = worker(kind, kind == WorkerKind::Replicator ? name : "");
        return id && workers_.send(*id, order);
    };
    result.ask_witness = [this, name](const cluster::AskWitness& order) {
        if (witness_) witness_->ask(name, order);
    };
    result.run_replicator = [this, name](bool start, std::function<void(std::string)> failed) {
        run_replicator(name, start, std::move(failed));
    };
    result.replicator = [this, name] { return replicator(name); };
    result.replicator_runs = [this, name](std::function<void(bool)> answer) {
        ask_whether_runs(unit_of(WorkerKind::Replicator, name), std::move(answer));
    };
    result.changed = [this] {
        changed();
        leave_if_stopped();
    };
    return result;
}

void Daemon::run_replicator(const std::string& module, bool start,
                            std::function<void(std::string)> failed) {
    std::string unit = unit_of(WorkerKind::Replicator, module);
    auto leaving = start ? std::nullopt : worker(WorkerKind::Replicator, module);
    if (leaving) connected_[*leaving].leaving = true;
    background_.run([this, leaving, unit, start, failed]() -> std::function<void()> {
        auto bus = io::open_systemd(10s);
        auto done =
            bus ? (start ? io::start_unit(bus->get(), unit) : io::stop_unit(bus->get(), unit))
                : Result<>(tl::unexpected(bus.error()));
        if (done) return {};
        return [this, leaving, failed, text = done.error().text] {
            if (leaving && connected_.contains(*leaving)) connected_[*leaving].leaving = false;
            failed(text);
        };
    });
}

void Daemon::ask_for_hardware_watchdog() {
    background_.run([this]() -> std::function<void()> {
        auto bus = io::open_systemd(10s);
        auto within = bus ? io::hardware_watchdog(bus->get()) : tl::unexpected(bus.error());
        return [this, within = std::move(within)] {
            self_fencing_ = within ? fencing_text(*within)
                                   : "by software; whether this machine has a watchdog is not "
                                     "known: " +
                                         within.error().text;
            changed();
        };
    });
}

void Daemon::ask_whether_runs(const std::string& unit, std::function<void(bool)> answer) {
    background_.run([unit, answer = std::move(answer)]() -> std::function<void()> {
        auto bus = io::open_systemd(10s);
        auto state = bus ? io::unit_state(bus->get(), unit) : tl::unexpected(bus.error());
        bool runs = !state || (*state != "inactive" && *state != "failed");
        return [answer, runs] { answer(runs); };
    });
}

MirrorProcess Daemon::replicator(const std::string& module) const {
    auto id = worker(WorkerKind::Replicator, module);
    if (!id) return MirrorProcess::Away;
    return connected_.at(*id).leaving ? MirrorProcess::Leaving : MirrorProcess::Connected;
}

Module* Daemon::find(const std::string& name, const Done& done) {
    auto found = modules_.find(name);
    if (found != modules_.end()) return found->second.get();
    done(tl::unexpected(CommandError{"NoSuchModule", "There is no module " + name + " on " +
                                                         self_name() +
                                                         "; `hamirrorctl status` lists them."}));
    return nullptr;
}

// ---- workers
// --------------------------------------------------------------------------------------

std::optional<io::WorkerId> Daemon::worker(WorkerKind kind, const std::string& module) const {
    for (const auto& [id, known] : connected_) {
        if (known.kind == kind && known.module == module) return id;
    }
    return std::nullopt;
}

void Daemon::worker_fact(io::WorkerId id, const api::Fact& fact) {
    if (const auto* hello = std::get_if<api::WorkerHello>(&fact)) return worker_hello(id, *hello);
    auto known = connected_.find(id);
    if (known == connected_.end()) return;
    std::string name =
        known->second.kind == WorkerKind::Replicator ? known->second.module : api::module_of(fact);
    auto module = modules_.find(name);
    if (module != modules_.end()) module->second->fact(fact);
}

void Daemon::worker_hello(io::WorkerId id, const api::WorkerHello& hello) {
    connected_[id] = {hello.kind, hello.module, false};
    if (hello.kind == WorkerKind::Replicator) {
        auto module = modules_.find(hello.module);
        if (module != modules_.end()) module->second->replicator_up();
        return;
    }
    for (auto& [name, module] : modules_) module->worker_up(hello.kind);
    bool ready = worker(WorkerKind::Vip, "") && worker(WorkerKind::Watchdog, "");
    if (!ready || workers_were_ready_) return;
    workers_were_ready_ = true;
    for (auto& [name, module] : modules_) module->workers_ready();
    workers_wait_.release(true);
}

void Daemon::worker_gone(io::WorkerId id, const std::string& reason) {
    auto known = connected_.find(id);
    if (known == connected_.end()) return;
    Worker gone = known->second;
    connected_.erase(known);
    auto module = modules_.find(gone.module);
    const bool expected = terminating_ || (module != modules_.end() && module->second->stopped());
    if (!expected) {
        io::log(io::Level::Warning, api::message::kWorkerGone, {{"HAMIRROR_MODULE", gone.module}},
                unit_of(gone.kind, gone.module) + " left: " + reason + ".");
    }
    if (gone.kind != WorkerKind::Replicator) return;
    if (module != modules_.end()) module->second->replicator_gone(reason, gone.leaving);
}

/// Something of view().
void Daemon::changed() {
    face_.changed();
    auto line = status_line(view());
    if (line == shown_line_) return;
    shown_line_ = line;
    io::notify_status(line);
}

// ---- the end
// --------------------------------------------------------------------------------------

/// systemd stops us first and the workers after us: hand over, then go.
void Daemon::terminate() {
    if (terminating_) return;
    terminating_ = true;
    workers_wait_.release(false);
    io::notify_stopping();
    io::log(io::Level::Notice, api::message::kDaemonStopping, {},
            "Stopping: the modules are stopped or handed over first.");
    cluster::StopRequested stop;
    stop.shutdown = true;
    for (auto& [name, module] : modules_) {
        if (!module->stopped()) module->command(stop, [](const auto&) {});
    }
    leave_if_stopped();
}

void Daemon::leave_if_stopped() {
    if (!terminating_) return;
    for (auto& [name, module] : modules_) {
        if (!module->stopped()) return;
    }
    loop_.post([this] {
        face_.stop();
        loop_.stop();
    });
}

// ---- commands
// -------------------------------------------------------------------------------------

ClusterView Daemon::view() const {
    ClusterView shown;
    const auto& nodes = configurations_.cluster().nodes;
    auto mine = static_cast<std::size_t>(self_);
    for (std::size_t i = 0; i < nodes.size() && i < 2; ++i) shown.nodes[i] = nodes[i].name;
    shown.node = shown.nodes[mine];
    shown.paired = peer_.has_value();
    shown.control_connected = link_ && link_->up();
    if (const auto& witness = configurations_.cluster().witness) {
        shown.witness = WitnessView{witness->addresses, witness->port, {}};
        if (witness->etcd) shown.witness->etcd = witness->etcd->endpoints;
    }
    shown.self_fencing = self_fencing_;
    if (nodes.size() == 2) {
        for (std::size_t i = 0; i < nodes[mine].addresses.size(); ++i) {
            bool heard = i < network_up_.size() && network_up_[i];
            shown.networks.push_back(
                {nodes[mine].addresses[i], nodes[1 - mine].addresses[i], heard});
        }
    }
    for (const auto& [name, module] : modules_) shown.modules.push_back(module->view());
    return shown;
}

/// The target is active as soon as its daemons run; they connect a moment later.
void Daemon::start(const std::string& name, const cluster::StartRequested& order, Done done) {
    if (find(name, done) == nullptr) return;
    if (workers_were_ready_) return start_now(name, order, done);
    ask_whether_runs("ha-cluster.target", [this, name, order, done](bool runs) {
        if (!runs) {
            return done(tl::unexpected(CommandError{
                "TargetNotActive",
                "The cluster is not started on this node: systemctl start ha-cluster.target"}));
        }
        if (workers_were_ready_) return start_now(name, order, done);
        workers_wait_.hold([this, name, order, done](bool there) {
            if (there) return start_now(name, order, done);
            done(tl::unexpected(
                CommandError{"WorkersAway",
                             "The cluster is starting or stopping on this node: ha-vipd and "
                             "ha-watchdog have not both connected to ha-clusterd yet. Try again; "
                             "if it stays so: systemctl status 'ha-*'"}));
        });
    });
}

void Daemon::start_now(const std::string& name, const cluster::StartRequested& order,
                       const Done& done) {
    Module* module = find(name, done);
    if (module == nullptr) return;
    if (installing_.contains(name)) {
        return done(tl::unexpected(CommandError{
            "Busy", "The configuration of module " + name + " is being changed; try again."}));
    }
    module->command(order, done);
}

void Daemon::stop(const std::string& name, bool all, Done done) {
    Module* module = find(name, done);
    if (module == nullptr) return;
    cluster::StopRequested event;
    event.all = all;
    if (!all) return module->command(event, std::move(done));
    if (!link_ || !link_->up()) {
        return done(tl::unexpected(CommandError{
            "PeerUnreachable", peer_name() +
                                   " is not connected, so both cannot be stopped together; "
                                   "without --all " +
                                   self_name() + " is stopped alone."}));
    }
    request(ControlRequest::Verb::Stop, name, "",
            [this, name, event, done = std::move(done)](const ControlReply& answer) mutable {
                if (!answer.done) {
                    return done(tl::unexpected(from_peer(answer)));
                }
                if (Module* local = find(name, done)) local->command(event, std::move(done));
            });
}

}  // namespace ha::clusterd
