#include "replicatord/controller.h"

#include <sys/stat.h>

#include <cerrno>
#include <cstring>

#include "io/boot_id.h"
#include "io/log.h"
#include "io/text_file.h"
#include "replicatord/caller.h"
#include "replicatord/closed_paths.h"
#include "replicatord/fingerprint.h"
#include "replicatord/fuse/mounts.h"
#include "replicatord/marker.h"
#include "replicatord/orphans.h"
#include "replicatord/role_change.h"

namespace ha::replicatord {
namespace {

constexpr const char* kStoreDirectory = "/var/lib/hamirror/replicatord/";
constexpr Duration kUnmountBound = 5s;

std::string holders_text(const std::vector<fuse::Holder>& holders) {
    std::string text;
    for (const auto& holder : holders) {
        if (text.size() > 400) return text + ", ...";
        text +=
            (text.empty() ? "" : ", ") + holder.command + " (" + std::to_string(holder.pid) + ")";
    }
    return text;
}

tl::unexpected<Error> in_use(const std::string& path, const std::vector<fuse::Holder>& holders) {
    return fail(path + " is in use by " + holders_text(holders) +
                    "; what is open below it would bypass the mirror. End these processes, then "
                    "start the module again.",
                EBUSY);
}

/// Files that are open now would bypass the mirror for good, unseen.
Result<> check_unused(const api::OpenMirror& order) {
    for (const auto& path : order.paths) {
        auto holders = fuse::find_holders(path.path);
        if (!holders.empty()) return in_use(path.path, holders);
    }
    return {};
}

/// The same of what was opened between that look and the mount.
Result<> check_not_bypassed(const Tree& tree) {
    for (std::size_t root = 0; root < tree.root_count(); ++root) {
        struct stat below {};
        if (::fstat(tree.root_fd(root), &below) != 0) return fail("cannot stat a root", errno);
        auto holders = fuse::find_holders(tree.root_path(root), below.st_dev);
        if (!holders.empty()) return in_use(tree.root_path(root), holders);
    }
    return {};
}

Result<> check_directories(const api::OpenMirror& order) {
    for (const auto& path : order.paths) {
        auto cleared = fuse::clear_old_mounts(path.path);  // of a process that was killed
        if (!cleared) return cleared;
        struct stat attributes {};
        if (stat(path.path.c_str(), &attributes) != 0) {
            return fail(path.path + " does not exist.", errno);
        }
        if (!S_ISDIR(attributes.st_mode)) return fail(path.path + " is no directory.", ENOTDIR);
    }
    return {};
}

std::string in_sync_text(const std::string& peer) {
    return "Following " + peer + ", in sync; read-only.";
}

}  // namespace

int LateJournal::admit() {
    return journal_ != nullptr ? journal_->admit() : EROFS;
}

Sequence LateJournal::append(replication::Operation operation) {
    return journal_->append(std::move(operation));
}

void LateJournal::when_accepted(Sequence sequence, Completion done) {
    journal_->when_accepted(sequence, std::move(done));
}

void LateJournal::when_durable(Sequence sequence, Completion done) {
    journal_->when_durable(sequence, std::move(done));
}

Controller::Controller(io::Loop& loop, std::string module, io::TlsContext tls, io::PeerRecord peer)
    : loop_(loop),
      module_(std::move(module)),
      tls_(std::move(tls)),
      peer_(std::move(peer)),
      client_(
          loop, {api::WorkerKind::Replicator, module_, api::kWorkerProtocol},
          {[this](const api::Order& order) { received(order); }, [] {}, [](const std::string&) {}}),
      orders_(loop) {}

Controller::~Controller() = default;

Result<> Controller::start() {
    auto page = io::LeasePage::open(module_);
    if (!page) return tl::unexpected(page.error());
    lease_ = std::make_unique<io::LeaseWatch>(loop_, *page, [this] { let_go(); });
    client_.start();
    return {};
}

void Controller::close(std::function<void()> done) {
    orders_.run([this, done = std::move(done)]() -> std::function<void()> {
        if (may_be_used_) {
            abandon();
        } else {
            demolish();
        }
        return done;
    });
}

/// False: the lease under which it was to serve has run out.
bool Controller::may_serve() {
    if (!lease_->look()) return true;
    let_go();
    return false;
}

/// As by FailHeld: nothing that waits is answered with success any more.
void Controller::let_go() {
    if (role_ != Role::Serving || !mirror_.demote()) return;
    role_ = Role::None;
    io::log(
        io::Level::Warning, api::message::kLeaseExpired, {{"HAMIRROR_MODULE", module_}},
        "The other node has not been heard of in time; modifications are answered with errors.");
    io::notify_status("Demoted; modifications are answered with errors.");
}

void Controller::received(const api::Order& order) {
    if (std::holds_alternative<api::LookAtLease>(order)) return static_cast<void>(may_serve());
    if (std::holds_alternative<api::ServeMirror>(order) && !may_serve()) return;
    if (std::holds_alternative<api::FailHeld>(order) && mirror_.demote()) {
        role_ = Role::None;
        return io::notify_status("Demoted; modifications are answered with errors.");
    }
    orders_.run([this, order, demotions = mirror_.demotions()]() -> std::function<void()> {
        execute(order, demotions);
        show(order);
        return {};
    });
}

void Controller::tell(api::Fact fact) {
    loop_.post([this, fact = std::move(fact)] { client_.send(fact); });
}

/// From the mirror's threads.
void Controller::reported(api::Fact fact) {
    if (std::holds_alternative<api::ToldIn>(fact)) {
        Role target = Role::Rebuilding;
        if (!role_.compare_exchange_strong(target, Role::Following)) return;  // it is none any more
        indexed_ = true;  // the pass that brought it up began with that
        io::notify_status(in_sync_text(peer_.name));
    }
    if (std::holds_alternative<api::LocalCopyFailed>(fact)) role_ = Role::None;
    tell(std::move(fact));
}

/// For `systemctl status`; what failed is in the journal.
void Controller::show(const api::Order& done) const {
    const std::string alone = "Serving alone; " + peer_.name + " has no full copy.";
    std::string text;
    if (std::holds_alternative<api::CloseMirror>(done)) {
        text = "The directories are plain directories.";
    } else if (!mirror_) {
        text = "Not mounted.";
    } else if (const auto* serving = std::get_if<api::ServeMirror>(&done);
               serving != nullptr && role_ == Role::Serving) {
        const bool member = serving->peer == api::ServeMirror::Peer::Member;
        text = member ? "Serving, in sync with " + peer_.name + "." : alone;
    } else if (std::holds_alternative<api::StartResync>(done)) {
        text = "Serving; the copy of " + peer_.name + " is being brought up to date.";
    } else if (std::holds_alternative<api::StopResync>(done)) {
        text = alone;
    } else if (std::holds_alternative<api::FollowMirror>(done) && role_ != Role::None) {
        text = role_ == Role::Rebuilding
                   ? "Being brought up to date by " + peer_.name + "; read-only."
                   : in_sync_text(peer_.name);
    } else if (role_ == Role::None) {
        text = "Mounted, without a role.";
    }
    if (!text.empty()) io::notify_status(text);
}

void Controller::failed(const char* code, const Error& error) {
    io::log(io::Level::Error, api::message::kCopyFailed, {{"HAMIRROR_MODULE", module_}},
            error.text);
    tell(api::MirrorFailed{code, error.text});
}

void Controller::execute(const api::Order& order, std::uint64_t demotions) {
    if (const auto* open_order = std::get_if<api::OpenMirror>(&order)) return open(*open_order);
    if (const auto* close_order = std::get_if<api::CloseMirror>(&order))
        return close_mirror(*close_order);
    if (!mirror_) {
        return io::log(io::Level::Warning, "An order came before the mirror was opened; ignored.");
    }
    if (const auto* serve_order = std::get_if<api::ServeMirror>(&order)) {
        return serve(*serve_order, demotions);
    }
    if (const auto* follow_order = std::get_if<api::FollowMirror>(&order)) {
        return follow(*follow_order, demotions);
    }
    if (std::holds_alternative<api::HoldMirror>(order)) return hold(demotions);
    if (const auto* seal_order = std::get_if<api::SealMirror>(&order)) return seal(*seal_order);
    if (const auto* start = std::get_if<api::StartResync>(&order)) {
        return mirror_->start_resync(*start);
    }
    if (std::holds_alternative<api::StopResync>(order)) return mirror_->stop_resync();
    if (const auto* tell_in = std::get_if<api::TellIn>(&order)) return mirror_->tell_in(*tell_in);
    if (const auto* durable = std::get_if<api::MakeDurable>(&order)) {
        return mirror_->make_durable(*durable);
    }
    if (std::holds_alternative<api::DrainMirror>(order)) return mirror_->drain();
    if (std::holds_alternative<api::ResumeMirror>(order)) return mirror_->resume();
    if (const auto* allow = std::get_if<api::AllowAcknowledge>(&order))
        return mirror_->allow(*allow);
    if (std::holds_alternative<api::FailHeld>(order)) {  // when it came there was no mirror yet
        role_ = Role::None;
        return mirror_->fail_held();
    }
}

// ---- open and close
// -------------------------------------------------------------------------------

void Controller::open(const api::OpenMirror& order) {
    if (mirror_) {
        tell(opened());
        return mirror_->tell_alone_again();
    }
    auto usable = check_directories(order);
    if (!usable) return failed("data-missing", usable.error());
    usable = check_unused(order);
    if (!usable) return failed("in-use", usable.error());
    auto built = build(order);
    if (!built) {
        demolish();
        return failed("mount-failed", built.error());
    }
    usable = check_not_bypassed(files_->tree());
    if (!usable) {
        demolish();
        return failed("in-use", usable.error());
    }
    compare_trees();
    io::log(io::Level::Notice, api::message::kMirrorMounted, {{"HAMIRROR_MODULE", module_}},
            module_ + ": mounted over its directories.");
    tell(opened());
}

Result<> Controller::build(const api::OpenMirror& order) {
    config_ = order;
    // Here, since the threads of the mirror and of the mounts are all started from here.
    if (!become_io_flusher())
        io::log(io::Level::Notice, module_ +
                                       ": cannot become an I/O flusher: " + std::strerror(errno) +
                                       ". Under memory pressure the mirror may stall.");
    auto made = io::make_directory(kStoreDirectory + module_, 0700);
    if (!made) return made;
    auto store = Store::open(kStoreDirectory + module_);
    if (!store) return tl::unexpected(store.error());
    store_ = std::move(*store);
    alone_ = std::make_unique<KeptAlone>(kStoreDirectory + module_);
    FileSystemOptions options;
    options.module = module_;
    options.module_id = order.module_id;
    for (const auto& path : order.paths) options.roots.push_back({path.path, path.exclude});
    auto files = FileSystem::open(
        std::move(options), [this] { return store_->mint(); }, journal_);
    if (!files) return tl::unexpected(files.error());
    files_ = std::move(*files);
    auto progress = CopyProgress::open(files_->tree(), order.module_id);
    if (!progress) return tl::unexpected(progress.error());
    progress_ = std::move(*progress);
    dialer_ = std::make_unique<NetworkDialer>(
        NetworkDialer::Addresses{order.local_addresses, order.peer_addresses, order.port}, tls_,
        peer_.fingerprint);
    Mirror::Settings settings;
    settings.heartbeat = order.heartbeat;
    settings.silent_after = order.silent_after;
    settings.lease = &lease_->lease();
    settings.progress = progress_.get();
    settings.peer_rolled_back = [this] {
        io::log(io::Level::Warning, api::message::kRolledBack, {{"HAMIRROR_MODULE", module_}},
                module_ + ": the copy of " + peer_.name +
                    " is older than it was when this node heard of it last: its disk was put back "
                    "to an earlier moment, or replaced.");
    };
    settings.alone = kept_alone();
    settings.keep_alone = [this](const auto& changed) { return alone_->save(changed); };
    settings.probe_disks = [this] { files_->tree().probe_disks(); };
    settings.abort_requests = [this] { abort_requests(); };
    mirror_.open(std::make_unique<Mirror>(files_->tree(), files_->locks(), *dialer_,
                                          io::random_id(), settings,
                                          [this](api::Fact fact) { reported(std::move(fact)); }));
    if (store_->sealed_floor().value > 0) {
        mirror_->seal({Epoch{store_->sealed_floor().value - 1}});
    }
    journal_.become(&*mirror_);
    return files_->mount();
}

/// Of every root; the worst counts.
api::MirrorOpened Controller::opened() const {
    api::MirrorOpened fact;
    fact.serving = role_ == Role::Serving;
    fact.following = role_ == Role::Following;
    fact.term = term_;
    fact.decision = decision_;
    fact.never_stamped = store_->stamps().current == 0;
    fact.progress = progress_->now().own;
    fact.peer_progress = progress_->now().peer;
    fact.compared = compared_;
    fact.untouched = untouched_;
    std::size_t valid = 0;
    std::size_t absent = 0;
    const Tree& tree = files_->tree();
    for (std::size_t root = 0; root < tree.root_count(); ++root) {
        auto marker = read_marker(tree, root);
        if (!marker) {
            fact.detail += tree.root_path(root) + ": " + marker.error().text + " ";
        } else if (marker_valid(*marker, config_.module_id, config_.node, store_->stamps())) {
            ++valid;
        } else if (!*marker) {
            ++absent;
            fact.detail += tree.root_path(root) + " carries no marker ";
        } else {
            fact.detail += tree.root_path(root) + " carries the marker of another tree ";
        }
    }
    fact.marker = valid == tree.root_count()    ? api::Marker::Valid
                  : absent == tree.root_count() ? api::Marker::Absent
                                                : api::Marker::Foreign;
    return fact;
}

/// From now on there may be more than that.
api::ChangedAlone Controller::kept_alone() {
    auto kept = alone_->read();
    auto opened = kept ? alone_->save(*kept) : Result<>(tl::unexpected(kept.error()));
    if (!opened) {
        io::log(io::Level::Warning, module_ + ": how much this node changed alone is not known: " +
                                        opened.error().text);
    }
    return kept.value_or(api::ChangedAlone{});
}

/// Written down before the first change, or a crash would leave none of it.
void Controller::begin_alone(const api::ServeMirror& order) {
    if (!mirror_->changed_alone().decision.none()) return;
    api::ChangedAlone nothing;
    nothing.decision = order.decision;
    if (auto saved = alone_->save(nothing); !saved) {
        io::log(io::Level::Warning, module_ +
                                        ": how much this node changes alone cannot be "
                                        "written down: " +
                                        saved.error().text);
    }
}

/// Before the other node has it all, or this one takes over the other's: counted on after a crash
/// it would be too much.
void Controller::end_alone() {
    auto forgotten = alone_->forget(mirror_->changed_alone().decision);
    if (!forgotten) io::log(io::Level::Warning, module_ + ": " + forgotten.error().text);
}

/// Nobody waits for the journal any more, nor will.
void Controller::end_waiting() {
    if (mirror_) mirror_->fail_held();
    if (sweep_.valid()) sweep_.get();
}

/// True: what was written through the mirror is durable.
bool Controller::demolish() {
    end_waiting();
    bool durable = false;
    if (files_) {
        auto holders = files_->unmount(kUnmountBound);
        if (!holders) {
            io::log(io::Level::Error, module_ + ": " + holders.error().text);
        } else if (!holders->empty()) {
            io::log(io::Level::Warning,
                    module_ + ": unmounted from under " + holders_text(*holders));
        }
        auto synced = files_->tree().sync_all();
        if (!synced) io::log(io::Level::Error, module_ + ": " + synced.error().text);
        auto kept = synced && mirror_ ? alone_->close(mirror_->changed_alone()) : Result<>();
        if (!kept) io::log(io::Level::Warning, module_ + ": " + kept.error().text);
        durable = synced.has_value();
    }
    forget();
    return durable;
}

/// The application may run still, and nobody said that it ends. Unmounted, its paths would be the
/// plain directories: it would write there what nobody mirrors. So the mount stays, dead; the pages
/// written already are the kernel's, as after a crash of this process.
void Controller::abandon() {
    end_waiting();
    auto left = files_->leave();
    if (!left) io::log(io::Level::Error, module_ + ": " + left.error().text);
    io::log(io::Level::Warning, module_ +
                                    ": ended while it may be in use. Its directories answer with "
                                    "errors until the module is "
                                    "opened again; nothing is written past the mirror.");
    forget();
}

/// By a demotion while this node's disk hangs, under the lock that keeps the mirror, and so the
/// mounts, alive. What waits for the disk in our own threads ends when the disk answers again; the
/// order thread waits for that, and the next orders after it: clusterd has to know that what they
/// are given to has gone.
void Controller::abort_requests() {
    io::log(io::Level::Error, api::message::kCopyFailed, {{"HAMIRROR_MODULE", module_}},
            module_ + ": the disk hangs; what waits for it is answered with errors.");
    auto aborted = files_->abort();
    if (!aborted) io::log(io::Level::Error, module_ + ": " + aborted.error().text);
    aborted_ = true;
    loop_.post([this] {
        orders_.run([this]() -> std::function<void()> {
            if (mirror_ && aborted_) {
                abandon();
                tell(api::MirrorFailed{"aborted", "Its requests were aborted: the disk hung."});
            }
            return {};
        });
    });
}

void Controller::forget() {
    compared_ = false;
    untouched_ = true;
    mirror_.close();
    journal_.become(nullptr);
    dialer_.reset();
    progress_.reset();
    files_.reset();
    alone_.reset();
    store_.reset();
    indexed_ = false;
    aborted_ = false;
    role_ = Role::None;
    may_be_used_ = false;
    term_ = Id128{};
    decision_ = Id128{};
}

/// The application is stopped, and nothing reaches the trees but by us: they are as they will be
/// found, if nobody changes them. A note that is there still stays: neither role came in between.
void Controller::note_trees() {
    KeptFingerprint note(kStoreDirectory + module_);
    if (note.exists()) return;
    mirror_->hold();
    end_waiting();
    auto taken = take_fingerprint(files_->tree());
    std::optional<Fingerprint> found;
    if (taken) found = *taken;
    auto written = note.write(found);
    if (taken && written) return;
    io::log(io::Level::Warning, module_ + ": what the directories look like could not be noted (" +
                                    (taken ? written.error() : taken.error()).text +
                                    "); the next start may take them for changed and copy.");
}

/// After the mount, through which nothing is changed before a role is ordered.
void Controller::compare_trees() {
    KeptFingerprint note(kStoreDirectory + module_);
    compared_ = note.exists();
    untouched_ = true;
    if (!compared_) return;
    auto noted = note.read();
    auto found = noted ? take_fingerprint(files_->tree()) : fail(noted.error().text);
    untouched_ = found && *noted && **noted == *found;
    if (untouched_) return;
    io::log(io::Level::Warning,
            module_ + ": the directories are not as the common stop of both nodes left them" +
                (found ? "." : ": " + found.error().text));
}

/// Durably, before the first change that it does not know of.
Result<> Controller::forget_note() {
    compared_ = false;
    untouched_ = true;
    return KeptFingerprint(kStoreDirectory + module_).remove();
}

void Controller::close_mirror(const api::CloseMirror& order) {
    const bool was_open{mirror_};
    if (was_open && order.together) note_trees();
    bool durable = demolish();
    if (!was_open) {  // an earlier process may have had it open
        auto made = make_closed_durable(order.paths);
        if (!made) io::log(io::Level::Error, module_ + ": " + made.error().text);
        durable = made.has_value();
    } else {
        io::log(io::Level::Notice, api::message::kMirrorUnmounted, {{"HAMIRROR_MODULE", module_}},
                module_ + ": its directories are plain directories again.");
    }
    tell(api::MirrorClosed{durable});
}

// ---- roles
// ----------------------------------------------------------------------------------------

/// A node that was opened before it knew the module's id: identities are bound to the id. What
/// fails here leaves nothing mounted, so that the next OpenMirror looks at everything again.
Result<> Controller::rebuild_for(const Id128& module_id) {
    if (config_.module_id == module_id) return {};
    api::OpenMirror order = config_;
    order.module_id = module_id;
    demolish();
    auto usable = build(order).and_then([&] { return check_not_bypassed(files_->tree()); });
    if (!usable) demolish();
    return usable;
}

/// A mount that had to be aborted stays, dead, in front of the plain directories: some process
/// still uses it. clusterd opens the mirror anew when it hears of the failure.
Result<> Controller::change_role(replicatord::Role role) {
    role_ = Role::None;
    auto begun = begin_role(*mirror_, *files_, role);
    if (!begun && begun.error().code == ECONNABORTED) abandon();
    return begun;
}

/// It has none now, whatever it was before: the next one begins with all that a role begins with.
void Controller::no_role(const Error& error) {
    role_ = Role::None;
    failed(error.code == EBUSY ? "in-use" : "io-error", error);
}

void Controller::hold(std::uint64_t demotions) {
    if (demotions != mirror_.demotions()) return;
    mirror_.begin(demotions, [this](Mirror& mirror) {
        role_ = Role::None;
        may_be_used_ = false;  // it is ordered when the application is gone
        mirror.hold();
    });
}

void Controller::serve(const api::ServeMirror& order, std::uint64_t demotions) {
    if (demotions != mirror_.demotions()) return;
    auto begun = forget_note().and_then([&] { return begin_serving(order, demotions); });
    if (!begun) no_role(begun.error());
}

Result<> Controller::begin_serving(const api::ServeMirror& order, std::uint64_t demotions) {
    auto ready = rebuild_for(order.module_id);
    if (!ready) return ready;
    store_->set_minting(order.epoch, config_.node);
    bool new_term = role_ != Role::Serving || term_ != order.term;
    if (new_term) {
        auto begun = change_role(replicatord::Role::kServing);
        if (!begun) return begun;
        auto kept = keep_displaced();
        if (!kept) return kept;
    }
    if (new_term || decision_ != order.decision) {
        auto stamped = restamp(files_->tree(), *store_, order.module_id, config_.node);
        if (!stamped) return stamped;
    }
    order.peer == api::ServeMirror::Peer::Member ? end_alone() : begin_alone(order);
    const bool serves = mirror_.begin(demotions, [&](Mirror& mirror) {
        role_ = Role::Serving;
        may_be_used_ = true;
        term_ = order.term;
        decision_ = order.decision;
        mirror.serve(order);
        tell(api::MirrorServing{order.term, order.decision});  // before a demotion's answer
    });
    if (serves && new_term) sweep();
    return {};
}

/// The copy of a node that serves by force may be half rebuilt.
Result<> Controller::keep_displaced() {
    auto count = set_displaced_aside(files_->tree());
    if (!count) return tl::unexpected(count.error());
    if (*count == 0) return {};
    io::log(io::Level::Warning,
            module_ + ": this copy was being rebuilt and is incomplete. " + std::to_string(*count) +
                " files or directories that had no place in it yet are kept in " +
                Tree::kOrphanDirectory + " below the mount (" + kSetAside +
                "...), until this node is brought up again.");
    return {};
}

void Controller::sweep() {
    if (sweep_.valid() && sweep_.wait_for(0s) != std::future_status::ready) return;
    sweep_ = std::async(std::launch::async, [this, files = files_.get()] {
        auto swept = files->sweep_orphans();
        if (!swept) {
            io::log(io::Level::Warning, module_ +
                                            ": files that were deleted while open on the "
                                            "former primary still take their space: " +
                                            swept.error().text);
        }
    });
}

void Controller::follow(const api::FollowMirror& order, std::uint64_t demotions) {
    if (demotions != mirror_.demotions()) return;
    auto begun = forget_note().and_then([&] { return begin_following(order, demotions); });
    if (!begun) no_role(begun.error());
}

Result<> Controller::begin_following(const api::FollowMirror& order, std::uint64_t demotions) {
    auto ready = rebuild_for(order.module_id);
    if (!ready) return ready;
    auto begun = change_role(replicatord::Role::kFollowing);
    if (!begun) return begun;
    auto stamped = restamp(files_->tree(), *store_, order.module_id, config_.node);
    if (!stamped) return stamped;
    if (!order.resync && !indexed_) {
        // The primary's operations name files this process may never have looked up.
        auto indexed = files_->tree().index_all();
        if (!indexed) return indexed;
        indexed_ = true;
    }
    end_alone();
    mirror_.begin(demotions, [&](Mirror& mirror) {
        may_be_used_ = false;
        role_ = order.resync ? Role::Rebuilding : Role::Following;
        term_ = order.term;
        mirror.follow(order);
        tell(api::MirrorFollowing{order.term});
    });
    return {};
}

/// R12: durable before it is said.
void Controller::seal(const api::SealMirror& order) {
    auto sealed = store_->seal(order.epoch.next());
    if (!sealed) return failed("io-error", sealed.error());
    mirror_->seal(order);
}

}  // namespace ha::replicatord
