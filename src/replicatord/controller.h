#pragma once

#include <atomic>
#include <future>
#include <memory>
#include <string>

#include "api/worker.h"
#include "io/background.h"
#include "io/identity.h"
#include "io/lease_page.h"
#include "io/tls.h"
#include "io/worker_link.h"
#include "replicatord/copy_progress.h"
#include "replicatord/demotable_mirror.h"
#include "replicatord/filesystem.h"
#include "replicatord/kept_alone.h"
#include "replicatord/store.h"

namespace ha::replicatord {

/// The file system is given a journal before the mirror exists (the mirror needs the file system's
/// tree): until then nothing may be modified.
class LateJournal final : public Journal {
  public:
    void become(Journal* journal) { journal_ = journal; }
    int admit() override;
    void leave() noexcept override { journal_->leave(); }
    Sequence append(replication::Operation operation) override;
    void when_accepted(Sequence sequence, Completion done) override;
    void when_durable(Sequence sequence, Completion done) override;

  private:
    Journal* journal_ = nullptr;
};

/// Carries out clusterd's orders, one after the other, in a thread that may block (mounts, syncs);
/// what the mirror reports from its threads goes up the same line. A forced demotion alone waits
/// for no order before it: it is carried out at once, and makes those void that give a role.
class Controller {
  public:
    Controller(io::Loop& loop, std::string module, io::TlsContext tls, io::PeerRecord peer);
    ~Controller();

    Result<> start();
    /// SIGTERM: `done` runs in the loop's thread when all is at an end. The mount goes; but where
    /// an application may use it, it stays, dead: only CloseMirror, which comes after the
    /// application's stop, unmounts from there.
    void close(std::function<void()> done);

  private:
    void received(const api::Order& order);
    bool may_serve();
    void let_go();
    void execute(const api::Order& order, std::uint64_t demotions);
    void open(const api::OpenMirror& order);
    Result<> build(const api::OpenMirror& order);
    void end_waiting();
    [[nodiscard]] api::ChangedAlone kept_alone();
    void begin_alone(const api::ServeMirror& order);
    void end_alone();
    bool demolish();
    void abandon();
    void abort_requests();
    void forget();
    [[nodiscard]] api::MirrorOpened opened() const;
    Result<> rebuild_for(const Id128& module_id);
    Result<> change_role(replicatord::Role role);
    void serve(const api::ServeMirror& order, std::uint64_t demotions);
    Result<> begin_serving(const api::ServeMirror& order, std::uint64_t demotions);
    void follow(const api::FollowMirror& order, std::uint64_t demotions);
    Result<> begin_following(const api::FollowMirror& order, std::uint64_t demotions);
    void hold(std::uint64_t demotions);
    void seal(const api::SealMirror& order);
    Result<> keep_displaced();
    void close_mirror(const api::CloseMirror& order);
    void note_trees();
    void compare_trees();
    Result<> forget_note();
    void sweep();
    void tell(api::Fact fact);  // any thread
    void reported(api::Fact fact);
    void failed(const char* code, const Error& error);
    void no_role(const Error& error);
    void show(const api::Order& done) const;

    io::Loop& loop_;
    const std::string module_;
    io::TlsContext tls_;
    io::PeerRecord peer_;
    io::WorkerClient client_;
    std::unique_ptr<io::LeaseWatch> lease_;

    // The order thread's: nobody else touches what is below, but for a demotion and the facts.
    enum class Role : std::uint8_t { None, Serving, Following, Rebuilding };
    api::OpenMirror config_;
    std::unique_ptr<Store> store_;
    std::unique_ptr<KeptAlone> alone_;
    LateJournal journal_;
    std::unique_ptr<FileSystem> files_;
    std::unique_ptr<CopyProgress> progress_;
    std::unique_ptr<Dialer> dialer_;
    DemotableMirror mirror_;
    std::future<void> sweep_;  // waits for the journal, as an application does
    std::atomic<Role> role_{Role::None};
    /// Every inode that carries an identity is known to the tree: what a secondary needs.
    std::atomic<bool> indexed_{false};
    /// It has served, and no order has said since that the application is gone.
    bool may_be_used_ = false;
    /// The mounts are dead, and the mirror is not closed yet.
    std::atomic<bool> aborted_{false};
    /// What MirrorOpened says of the note that a common stop left.
    bool compared_ = false;
    bool untouched_ = true;
    Id128 term_;
    Id128 decision_;

    io::Background orders_;
};

}  // namespace ha::replicatord
