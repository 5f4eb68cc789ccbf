#include "replicatord/mirror.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <future>
#include <iostream>

#include "application.h"
#include "lease.h"
#include "pair.h"
#include "replicatord/demotable_mirror.h"
#include "replicatord/inode_calls.h"

// Two real trees, two mirrors and a cable that breaks. A random application runs on the primary;
// afterwards both trees are equal in everything. HA_SEED=n replays a run, HA_ROUNDS=n makes more.

namespace ha::replicatord::testing_pair {
namespace {

namespace fs = std::filesystem;

class MirrorTest : public testing::Test {
  protected:
    void SetUp() override {
        if (::geteuid() != 0) GTEST_SKIP() << "NEEDS ROOT: trusted extended attributes";
        char path[] = "/var/tmp/hamirror-mirror-XXXXXX";
        base_ = ::mkdtemp(path);
        const char* seed = std::getenv("HA_SEED");
        const char* rounds = std::getenv("HA_ROUNDS");
        seed_ = seed ? std::strtoull(seed, nullptr, 10) : std::random_device{}();
        if (rounds) rounds_ = std::atoi(rounds);
        open_nodes();
    }
    void TearDown() override {
        first.reset();
        second.reset();
        std::error_code ignored;
        if (!base_.empty() && !HasFailure()) fs::remove_all(base_, ignored);
        if (HasFailure()) std::cerr << "HA_SEED=" << seed_ << " trees in " << base_ << "\n";
    }

    void open_nodes() {
        first = std::make_unique<Node>(base_ + "/one", 1 << 17, cable, Id128{1, seed_});
        second = std::make_unique<Node>(base_ + "/two", 1 << 30, cable, Id128{2, seed_});
    }

    void start_in_sync() {
        second->mirror->follow(following(1, false));
        first->mirror->serve(serving(1, true));
    }

    /// Threads of the application; `meanwhile` runs beside them.
    template <typename Meanwhile>
    void work(Application& application, int operations, Meanwhile meanwhile) {
        std::vector<std::thread> threads;
        for (std::uint64_t i = 0; i < 3; ++i) {
            threads.emplace_back(
                [&, i] { application.run(++seed_offset_ * 1000 + seed_ + i, operations); });
        }
        meanwhile();
        for (auto& thread : threads) thread.join();
    }

    void drain_and_compare(Application& application) {
        EXPECT_EQ(application.finish(), 0);
        first->mirror->drain();
        EXPECT_TRUE(first->wait_for<api::Drained>());
        expect_no_failure();
        EXPECT_EQ(difference(base_ + "/one", base_ + "/two"), "");
        EXPECT_EQ(orphans(base_ + "/two"), 0);
        first->mirror->resume();
    }

    std::string file_difference(const std::string& name) {
        std::ifstream one(base_ + "/one/" + name);
        std::ifstream two(base_ + "/two/" + name);
        const std::string mine(std::istreambuf_iterator<char>(one), {});
        const std::string theirs(std::istreambuf_iterator<char>(two), {});
        return mine == theirs ? "" : name + " differs";
    }

    void expect_no_failure() {
        for (auto* node : {first.get(), second.get()}) {
            if (auto failed = node->wait_for<api::LocalCopyFailed>(0s)) {
                ADD_FAILURE() << "local copy: " << failed->code << " " << failed->text;
            }
            if (auto failed = node->wait_for<api::PeerCopyFailed>(0s)) {
                ADD_FAILURE() << "peer's copy: " << failed->code << " " << failed->text;
            }
        }
    }

    std::string content(const std::string& path) {
        std::ifstream file(base_ + "/" + path);
        return {std::istreambuf_iterator<char>(file), {}};
    }

    static std::ptrdiff_t orphans(const std::string& root) {
        auto path = root + "/" + Tree::kOrphanDirectory;
        return std::distance(fs::directory_iterator(path), fs::directory_iterator());
    }

    /// R5 as clusterd runs it: a broken stream begins it anew.
    void join(std::uint64_t epoch, int cuts) {
        std::mt19937_64 random(seed_);
        while (!rebuild(epoch, cuts-- > 0 ? random() % 300 : 0)) {
            if (HasFailure()) return;
            first->mirror->stop_resync();
            second->mirror->hold();
        }
        first->mirror->serve(serving(epoch + 1, true));
        first->mirror->tell_in({"decision", Epoch{epoch + 1}, Id128{epoch + 1, 1}});
        auto told = second->wait_for<api::ToldIn>();
        ASSERT_TRUE(told);
        EXPECT_EQ(told->decision, "decision");
    }

    /// True: JoinReady, and the stream is still the same.
    bool rebuild(std::uint64_t epoch, std::uint64_t cut_after_ms) {
        first->saw<api::StreamDown>();
        second->mirror->follow(following(epoch, true));
        first->mirror->start_resync({});
        if (cut_after_ms != 0) {
            std::this_thread::sleep_for(std::chrono::milliseconds(cut_after_ms));
            cable.cut();
            std::this_thread::sleep_for(50ms);
        }
        const auto deadline = std::chrono::steady_clock::now() + 120s;
        bool ready = false;
        while (!ready && std::chrono::steady_clock::now() < deadline) {
            ready = first->wait_for<api::JoinReady>(20ms).has_value();
            expect_no_failure();
            if (HasFailure() || first->saw<api::StreamDown>()) return false;
        }
        EXPECT_TRUE(ready);
        return ready;
    }

    /// What the file system does for a creation and for a write, on the primary.
    FileId create(const std::string& name) {
        EXPECT_EQ(first->mirror->admit(), 0);
        replication::Create body{};
        body.parent = Tree::root_id(0);
        body.name = name;
        body.id = *first->tree->mint();
        body.mode = S_IFREG | 0644;
        std::promise<int> done;
        {
            OrderLocks::Guard guard(first->locks, {body.parent, body.id});
            io::Fd fd(::open((base_ + "/one/" + name).c_str(), O_CREAT | O_EXCL | O_RDWR, 0644));
            EXPECT_TRUE(first->tree->adopt(fd.get(), body.id, body.parent));
            auto sequence = first->mirror->append({body, {}});
            first->mirror->when_accepted(sequence, [&](int error) { done.set_value(error); });
        }
        first->mirror->leave();
        EXPECT_EQ(done.get_future().get(), 0);
        return body.id;
    }
    std::future<int> write(FileId id, const std::string& text) {
        EXPECT_EQ(first->mirror->admit(), 0);
        auto done = std::make_shared<std::promise<int>>();
        {
            OrderLocks::Guard guard(first->locks, {id});
            auto fd = first->tree->cached(id, O_RDWR);
            const auto bytes = std::as_bytes(std::span(text));
            EXPECT_TRUE(write_all((*fd)->get(), bytes, 0));
            replication::Write body{id, 0, {bytes.begin(), bytes.end()}, false};
            auto sequence = first->mirror->append({std::move(body), {}});
            first->mirror->when_accepted(sequence, [done](int error) { done->set_value(error); });
        }
        first->mirror->leave();
        return done->get_future();
    }

    void resize(FileId id, std::uint64_t size) {
        if (first->mirror->admit() != 0) return;
        {
            OrderLocks::Guard guard(first->locks, {id});
            auto fd = first->tree->cached(id, O_RDWR);
            EXPECT_EQ(::ftruncate((*fd)->get(), static_cast<off_t>(size)), 0);
            replication::SetAttributes body{};
            body.id = id;
            body.mask = replication::SetAttributes::kSize;
            body.size = size;
            first->mirror->append({body, {}});
        }
        first->mirror->leave();
    }

    std::string base_;
    std::uint64_t seed_ = 0;
    std::atomic<std::uint64_t> seed_offset_ = 0;
    int rounds_ = 1;
    Cable cable;
    std::unique_ptr<Node> first;
    std::unique_ptr<Node> second;
};

TEST_F(MirrorTest, EveryModificationIsOnBothSides) {
    start_in_sync();
    Application application(*first->tree, first->locks, *first->mirror);
    work(application, 1500, [] {});
    drain_and_compare(application);
}

TEST_F(MirrorTest, AStreamThatBreaksIsResumed) {
    start_in_sync();
    Application application(*first->tree, first->locks, *first->mirror);
    work(application, 1500, [&] {
        std::mt19937_64 random(seed_);
        for (int i = 0; i < 12; ++i) {
            std::this_thread::sleep_for(std::chrono::milliseconds(random() % 60));
            cable.cut();
        }
    });
    drain_and_compare(application);
}

/// Each knows of the other what that one has on its disk; who rests notes nothing any more.
// The peer's lease is counted from the probe, and when this node may take over from the evidence.
TEST_F(MirrorTest, EachProbeIsEvidence) {
    second->mirror->follow(following(1, false));
    auto socket = cable.dial();
    while (!socket) socket = cable.dial();
    const auto channel = make_plain_channel(std::move(*socket));
    const auto send = [&](replication::FrameType type, const auto& message) {
        replication::FrameBuilder frame(type);
        encode(message, frame.out());
        ASSERT_TRUE(send_frame(*channel, std::move(frame)));
    };
    replication::Hello hello;
    hello.module = kModule;
    hello.term = kTerm;
    hello.epoch = Epoch{1};
    hello.decision = Id128{1, 1};
    hello.incarnation = Id128{1, seed_};
    hello.end = replication::End::Primary;
    send(replication::FrameType::Hello, hello);
    replication::FrameReader reader;
    ASSERT_TRUE(read_frame(*channel, reader, 30s));
    for (std::uint64_t probe = 1; probe <= 50; ++probe)
        send(replication::FrameType::KeepAlive, replication::KeepAlive{{}, {}, probe, 0});
    EXPECT_TRUE(second->heard(50));
}

TEST_F(MirrorTest, EachNotesHowFarTheOtherHasCome) {
    start_in_sync();
    const FileId id = create("file");
    ASSERT_EQ(write(id, "on both").get(), 0);
    const auto settled = [&] {
        const auto one = first->progress->now();
        const auto two = second->progress->now();
        return one.own > 0 && two.own > 0 && one.peer == two.own && two.peer == one.own;
    };
    first->wait_for_frames(30);  // some syncs later
    for (int i = 0; i < 600 && !settled(); ++i) first->wait_for_frames(2);
    ASSERT_TRUE(settled());
    EXPECT_EQ(first->progress->durable(), first->progress->now().own);
    const auto before = first->progress->now();
    first->wait_for_frames(30);
    EXPECT_EQ(first->progress->now(), before);
    EXPECT_EQ(first->peer_rolled_back + second->peer_rolled_back, 0);

    first.reset();
    second.reset();
    open_nodes();
    EXPECT_EQ(first->progress->now(), before);
    EXPECT_EQ(second->progress->now().own, before.peer);
}

/// Of a copy that was put back and is rebuilt nobody remembers what it was before.
TEST_F(MirrorTest, ARebuiltCopyIsKnownAsItIs) {
    for (int i = 0; i < 20; ++i) second->progress->note(true);
    first->progress->heard(1000);
    ASSERT_TRUE(first->progress->note(true));
    first->mirror->serve(serving(1, false));
    create("file");
    join(1, 0);
    EXPECT_LT(first->progress->now().peer, 1000U);
    EXPECT_EQ(first->peer_rolled_back, 1);
    EXPECT_GE(second->progress->durable(), first->progress->now().peer);
}

/// The other way round: the source was put back, and led by an operator's word.
TEST_F(MirrorTest, ARebuiltCopyKnowsItsSourceAsItIs) {
    second->progress->heard(1000);
    ASSERT_TRUE(second->progress->note(true));
    first->mirror->serve(serving(1, false));
    create("file");
    join(1, 0);
    EXPECT_LT(second->progress->now().peer, 1000U);
}

/// It is synced before its node would lead. One that was put back would soon look as far as it was.
TEST_F(MirrorTest, WithoutARoleACopyComesNoFurther) {
    ASSERT_TRUE(first->progress->note(true));
    const auto before = first->progress->now();
    first->mirror->make_durable({5, false});
    ASSERT_TRUE(first->wait_for<api::MadeDurable>());
    EXPECT_EQ(first->progress->now(), before);

    first->mirror->serve(serving(1, false));
    first->mirror->make_durable({6, true});
    ASSERT_TRUE(first->wait_for<api::MadeDurable>());
    EXPECT_GT(first->progress->now().own, before.own);
}

TEST_F(MirrorTest, AFirstCopyBesideTheApplication) {
    first->mirror->serve(serving(1, false));
    Application application(*first->tree, first->locks, *first->mirror);
    work(application, 1500, [] {});
    work(application, 4000, [&] { join(1, 0); });
    work(application, 300, [] {});
    drain_and_compare(application);
}

TEST_F(MirrorTest, WhatIsChangedAloneIsCountedUntilBothAreInSync) {
    start_in_sync();
    const FileId id = create("file");
    ASSERT_EQ(write(id, "on both").get(), 0);
    EXPECT_TRUE(first->mirror->changed_alone().decision.none());
    second->mirror->hold();
    auto held = write(id, "held");
    first->mirror->serve(serving(2, false));
    ASSERT_EQ(held.get(), 0);
    ASSERT_EQ(write(id, std::string(1000, 'x')).get(), 0);
    const api::ChangedAlone alone{{2, 1}, 2, 1004, false};
    EXPECT_EQ(first->mirror->changed_alone(), alone);
    std::optional<api::ChangedAlone> told;
    do told = first->wait_for<api::ChangedAlone>();
    while (told && *told != alone);
    EXPECT_TRUE(told);
    for (int i = 0; i < 600 && first->kept() != alone; ++i) usleep(100'000);
    EXPECT_EQ(first->kept(), alone) << "in the background";
    join(2, 0);
    EXPECT_EQ(first->mirror->changed_alone(), api::ChangedAlone{});
    told = first->wait_for<api::ChangedAlone>();
    ASSERT_TRUE(told);
    EXPECT_TRUE(told->decision.none());
    EXPECT_TRUE(second->mirror->changed_alone().decision.none());
}

/// Whoever heard of it from the process before, or asks for it now, hears that it is over.
TEST_F(MirrorTest, WhatWasKeptAndIsGivenUpAtOnceIsTold) {
    const api::ChangedAlone before{{2, 1}, 12, 4096, true};
    first.reset();
    first = std::make_unique<Node>(base_ + "/one", 1 << 17, cable, Id128{1, seed_}, before);
    EXPECT_EQ(first->mirror->changed_alone(), before);
    first->mirror->follow(following(3, true));
    std::optional<api::ChangedAlone> told;
    do told = first->wait_for<api::ChangedAlone>(5s);
    while (told && !told->decision.none());
    EXPECT_TRUE(told);
    first->mirror->tell_alone_again();
    EXPECT_TRUE(first->wait_for<api::ChangedAlone>(5s));
}

TEST_F(MirrorTest, AFailbackBesideTheApplicationInterruptedAgainAndAgain) {
    for (int round = 0; round < rounds_; ++round) {
        SCOPED_TRACE("seed " + std::to_string(seed_));
        start_in_sync();
        Application application(*first->tree, first->locks, *first->mirror);
        work(application, 1200, [] {});
        first->mirror->serve(serving(2, false));
        work(application, 1200, [] {});
        work(application, 4000, [&] { join(2, 3); });
        work(application, 300, [] {});
        drain_and_compare(application);
        if (HasFailure()) return;
        TearDown();
        ++seed_;
        char path[] = "/var/tmp/hamirror-mirror-XXXXXX";
        base_ = ::mkdtemp(path);
        open_nodes();
    }
}

// Each change makes the hashes that are on their way useless.
TEST_F(MirrorTest, AFileThatChangesItsSizeAllTheTimeIsCopied) {
    first->mirror->serve(serving(1, false));
    const FileId id = create("changing");
    ASSERT_EQ(write(id, std::string(3 << 20, 'x')).get(), 0);
    std::atomic<bool> over = false;
    std::vector<std::thread> changing;
    for (std::uint64_t i = 0; i < 2; ++i)
        changing.emplace_back([&, i] {
            while (!over) resize(id, (3U << 20) - i);
        });
    second->mirror->follow(following(1, true));
    first->mirror->start_resync({});
    EXPECT_TRUE(first->wait_for<api::JoinReady>(30s));
    over = true;
    for (auto& thread : changing) thread.join();
    first->mirror->serve(serving(2, true));
    first->mirror->drain();
    EXPECT_TRUE(first->wait_for<api::Drained>());
    EXPECT_EQ(file_difference("changing"), "");
}

// The stream of the first is not yet gone when the second is ordered.
TEST_F(MirrorTest, AResyncThatIsStoppedAndStartedAtOnceBeginsAgain) {
    first->mirror->serve(serving(1, false));
    second->mirror->follow(following(1, true));
    first->mirror->start_resync({});
    for (int i = 0; i < 20; ++i) {
        ASSERT_TRUE(first->wait_for<api::JoinReady>()) << i;
        first->mirror->stop_resync();
        first->mirror->start_resync({});
    }
}

/// What of one disk hangs until it is let go. The node on it ends before it does.
class Hanging {
  public:
    Hanging(bool hangs, std::unique_ptr<Node>& node) : node_(node), hangs_(hangs) {}
    ~Hanging() {
        let_go();
        node_.reset();
    }
    void wait() {
        std::unique_lock lock(mutex_);
        ++asked_;
        changed_.notify_all();
        changed_.wait(lock, [this] { return !hangs_; });
    }
    void wait_for_asked(int count) {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return asked_ >= count; });
    }
    void let_go() {
        std::scoped_lock lock(mutex_);
        hangs_ = false;
        changed_.notify_all();
    }

  private:
    std::unique_ptr<Node>& node_;
    std::mutex mutex_;
    std::condition_variable changed_;
    bool hangs_;
    int asked_ = 0;
};

TEST_F(MirrorTest, APrimaryWhoseOwnDiskHangsSaysSoAndLetsNobodyWaitForIt) {
    Hanging disk(true, first);
    first = std::make_unique<Node>(base_ + "/one", 1 << 17, cable, Id128{1, seed_},
                                   api::ChangedAlone{}, [&] { disk.wait(); });
    start_in_sync();
    ASSERT_EQ(first->mirror->admit(), 0);  // and its system call does not return
    auto stalled = first->wait_for<api::AcknowledgementsStalled>();
    ASSERT_TRUE(stalled);
    EXPECT_TRUE(stalled->here);
    EXPECT_NE(stalled->text.find(base_ + "/one"), std::string::npos) << stalled->text;
    EXPECT_EQ(first->aborted, 0) << "nobody has decided yet";
    first->mirror->fail_held();
    EXPECT_EQ(first->aborted, 1);
    first->mirror->fail_held();
    EXPECT_EQ(first->aborted, 1);
    first->mirror->leave();
}

TEST_F(MirrorTest, AnOperationThatTakesLongOnADiskThatAnswersIsWaitedFor) {
    Hanging disk(false, first);
    first = std::make_unique<Node>(base_ + "/one", 1 << 17, cable, Id128{1, seed_},
                                   api::ChangedAlone{}, [&] { disk.wait(); });
    start_in_sync();
    ASSERT_EQ(first->mirror->admit(), 0);
    disk.wait_for_asked(2);  // more than disk_dead apart
    EXPECT_FALSE(first->saw<api::AcknowledgementsStalled>());
    first->mirror->leave();
    first->mirror->fail_held();
    EXPECT_EQ(first->aborted, 0);
}

TEST_F(MirrorTest, WhoServesAloneWaitsForItsDisk) {
    Hanging disk(true, first);
    first = std::make_unique<Node>(base_ + "/one", 1 << 17, cable, Id128{1, seed_},
                                   api::ChangedAlone{}, [&] { disk.wait(); });
    first->mirror->serve(serving(1, false));
    ASSERT_EQ(first->mirror->admit(), 0);
    std::this_thread::sleep_for(1500ms);  // nothing happens, and no event says so
    EXPECT_FALSE(first->saw<api::AcknowledgementsStalled>());
    first->mirror->leave();
}

// Demoted by force with operations that the peer never accepted, rebuilt, and primary again.
TEST_F(MirrorTest, WhatAResyncHasUndoneIsNotMissedLater) {
    start_in_sync();
    const FileId id = create("file");
    second->mirror->hold();
    auto unsettled = write(id, "text");
    first->mirror->fail_held();
    EXPECT_EQ(unsettled.get(), EIO);
    auto target = following(2, true);
    target.term = Id128{9, 9};
    first->mirror->follow(target);
    auto again = serving(3, true);
    again.term = Id128{10, 10};
    first->mirror->serve(again);
    first->mirror->make_durable({1, false});
    ASSERT_TRUE(first->wait_for<api::MadeDurable>());  // what was said before is here, too
    expect_no_failure();
}

// An operation that began just before a new decision, and nobody else: it hung until the peer
// counted as dead.
TEST_F(MirrorTest, WhoBeganUnderTheDecisionBeforeIsNotForgotten) {
    first->mirror->serve(serving(1, false));
    const FileId id = create("file");
    ASSERT_EQ(first->mirror->admit(), 0);
    replication::Write body{id, 0, {std::byte{'x'}}, false};
    const auto sequence = first->mirror->append({std::move(body), {}});
    first->mirror->serve(serving(2, false));
    std::promise<int> done;
    first->mirror->when_accepted(sequence, [&](int error) { done.set_value(error); });
    auto answer = done.get_future();
    EXPECT_EQ(answer.wait_for(5s), std::future_status::ready);
    first->mirror->leave();
    first->mirror->fail_held();
    EXPECT_EQ(answer.get(), 0);
}

// The word that it is in may still wait on the target when the stream breaks.
TEST_F(MirrorTest, ATargetThatIsToldInWhileItReconnectsGoesOn) {
    first->mirror->serve(serving(1, false));
    ASSERT_TRUE(rebuild(1, 0));
    const FileId id = create("slow");
    Lease lease(base_ + "/two/slow");
    auto written = write(id, "text");
    lease.wait_until_somebody_waits();
    first->mirror->serve(serving(2, true));
    first->mirror->tell_in({"decision", Epoch{2}, Id128{2, 1}});
    second->wait_for_frames(5);  // it has come, and waits behind the write
    const int before = cable.accepted();
    cable.cut();
    ASSERT_TRUE(first->wait_for<api::StreamDown>());
    cable.wait_for_accepted(before + 1);
    lease.end();
    EXPECT_TRUE(second->wait_for<api::ToldIn>());
    ASSERT_EQ(written.wait_for(30s), std::future_status::ready);
    EXPECT_EQ(written.get(), 0);
    expect_no_failure();
}

// A promotion without a seal: an operator's, or an election.
TEST_F(MirrorTest, WhatWasNotAppliedBeforeAPromotionNeverIs) {
    start_in_sync();
    const FileId slow = create("slow");
    const FileId other = create("other");
    Lease lease(base_ + "/two/slow");
    auto one = write(slow, "text");
    auto two = write(other, "old");
    lease.wait_until_somebody_waits();
    second->wait_for_frames(5);
    first->mirror->hold();  // it is lost
    second->mirror->hold();
    second->mirror->withdraw();
    EXPECT_FALSE(second->mirror->wait_until_left(50ms)) << "a record is being applied";
    lease.end();
    ASSERT_TRUE(second->mirror->wait_until_left(10s));
    auto alone = serving(2, false);
    alone.term = Id128{9, 9};
    second->mirror->serve(alone);
    std::this_thread::sleep_for(200ms);
    EXPECT_EQ(content("two/other"), "");
    first->mirror->fail_held();
    EXPECT_EQ(two.get(), EIO) << "nobody was told that it was there";
}

TEST_F(MirrorTest, WhatARoleDroppedComesAgainInTheSameTerm) {
    start_in_sync();
    const FileId slow = create("slow");
    const FileId other = create("other");
    Lease lease(base_ + "/two/slow");
    auto one = write(slow, "text");
    auto two = write(other, "text");
    lease.wait_until_somebody_waits();
    second->wait_for_frames(5);
    second->mirror->withdraw();
    lease.end();
    ASSERT_TRUE(second->mirror->wait_until_left(10s));
    EXPECT_EQ(content("two/other"), "");
    second->mirror->follow(following(1, false));
    EXPECT_EQ(one.get(), 0);
    EXPECT_EQ(two.get(), 0);
    EXPECT_EQ(content("two/other"), "text");
    first->mirror->drain();
    EXPECT_TRUE(first->wait_for<api::Drained>());
    expect_no_failure();
}

TEST_F(MirrorTest, ASealDoesNotWaitForWhatWasDropped) {
    start_in_sync();
    const FileId slow = create("slow");
    Lease lease(base_ + "/two/slow");
    auto one = write(slow, "text");
    auto two = write(slow, "more");
    lease.wait_until_somebody_waits();
    second->wait_for_frames(5);
    second->mirror->hold();
    second->mirror->seal({Epoch{1}});
    EXPECT_FALSE(second->wait_for<api::Sealed>(50ms)) << "a record is being applied";
    lease.end();
    auto sealed = second->wait_for<api::Sealed>(10s);
    ASSERT_TRUE(sealed);
    EXPECT_EQ(sealed->last, Sequence{2});
    first->mirror->fail_held();
}

// The target was given up, and is a target again before the word is read.
TEST_F(MirrorTest, AWordToAnEarlierTargetIsNoneToTheNext) {
    first->mirror->serve(serving(1, false));
    ASSERT_TRUE(rebuild(1, 0));
    const FileId id = create("slow");
    Lease lease(base_ + "/two/slow");
    auto written = write(id, "text");
    lease.wait_until_somebody_waits();
    first->mirror->serve(serving(2, true));
    first->mirror->tell_in({"decision", Epoch{2}, Id128{2, 1}});
    second->wait_for_frames(5);  // it has come, and waits behind the write
    cable.cut();
    ASSERT_TRUE(first->wait_for<api::StreamDown>());
    second->mirror->hold();
    first->mirror->serve(serving(3, false));  // without it
    second->mirror->withdraw();
    EXPECT_FALSE(second->mirror->wait_until_left(50ms));
    lease.end();
    ASSERT_TRUE(second->mirror->wait_until_left(10s));
    second->mirror->follow(following(3, true));
    first->mirror->start_resync({});
    EXPECT_TRUE(first->wait_for<api::JoinReady>(20s));
    EXPECT_FALSE(second->saw<api::ToldIn>());
}

// Whatever the order thread waits for meanwhile.
TEST_F(MirrorTest, ADemotionMakesRolesOrderedBeforeItVoid) {
    DemotableMirror mirror;
    EXPECT_FALSE(mirror.demote()) << "none is open";
    const auto before = mirror.demotions();
    mirror.open(std::move(second->mirror));
    int begun = 0;
    const auto serve = [&](Mirror& one) {
        one.serve(serving(1, false));
        ++begun;
    };
    EXPECT_TRUE(mirror.begin(before, serve));
    EXPECT_TRUE(mirror.demote());
    EXPECT_TRUE(second->wait_for<api::HeldFailed>());
    EXPECT_EQ(mirror->admit(), EIO);
    EXPECT_FALSE(mirror.begin(before, serve));
    EXPECT_EQ(mirror->admit(), EIO);
    EXPECT_TRUE(mirror.begin(mirror.demotions(), serve));
    EXPECT_EQ(begun, 2);
    EXPECT_EQ(mirror->admit(), 0);
    mirror->leave();
    mirror.close();
    EXPECT_FALSE(mirror.demote());
}

// The module's id became known, and the mirror was built anew while the demotion came.
TEST_F(MirrorTest, AMirrorThatIsOpenedDuringADemotionIsDemotedToo) {
    DemotableMirror mirror;
    const auto before = mirror.demotions();
    EXPECT_FALSE(mirror.demote());
    mirror.open(std::move(second->mirror));
    EXPECT_FALSE(mirror.begin(before, [](Mirror& one) { one.hold(); }));
    EXPECT_EQ(mirror->admit(), EIO);
    mirror.close();
}

}  // namespace
}  // namespace ha::replicatord::testing_pair
