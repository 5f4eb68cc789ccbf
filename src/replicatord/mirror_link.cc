#include <algorithm>

#include "io/clock.h"
#include "replicatord/mirror.h"
#include "replicatord/mirror_ends.h"
#include "replicatord/mirror_pass.h"

// The link thread: finds the peer, agrees with it on who is who, and receives.

namespace ha::replicatord {

using namespace replication;

namespace {

constexpr Duration kFirstPause = 20ms;
constexpr Duration kLongestPause = 1s;
constexpr Duration kHelloPatience = 2s;

FrameBuilder hello_frame(const Hello& hello) {
    FrameBuilder frame(FrameType::Hello);
    encode(hello, frame.out());
    return frame;
}

/// Refusals that waiting or an order to either side cures by itself.
bool passing(RefusalReason reason) {
    using R = RefusalReason;
    return reason == R::NotFollowing || reason == R::Term || reason == R::OldEpoch ||
           reason == R::Sealed;
}

}  // namespace

void Mirror::link_loop() {
    Duration pause = kFirstPause;
    std::unique_lock lock(mutex_);
    while (!stopping_) {
        const Mode mode = mode_;
        if (mode != Mode::Serving && mode != Mode::Follow) {
            link_.wait(lock);
            continue;
        }
        const auto generation = generation_;
        dialer_.reset();
        lock.unlock();
        auto channel = mode == Mode::Serving ? dialer_.connect() : dialer_.accept();
        bool agreed = false;
        if (channel && mode == Mode::Serving) agreed = serve_stream(**channel, generation);
        if (channel && mode == Mode::Follow) agreed = follow_stream(**channel, generation);
        lock.lock();
        pause = agreed ? kFirstPause : std::min(pause * 2, kLongestPause);
        link_.wait_for(lock, pause, [&] { return stopping_ || generation_ != generation; });
    }
}

bool Mirror::stream_begins(Channel& channel, std::uint64_t generation) {
    std::scoped_lock lock(mutex_);
    if (stopping_ || generation != generation_) return false;
    channel_ = &channel;
    break_reason_.clear();
    break_ordered_ = false;
    return true;
}

bool Mirror::serve_stream(Channel& channel, std::uint64_t generation) {
    if (!stream_begins(channel, generation)) return false;
    std::unique_lock lock(mutex_);
    const Hello ours = sender_.hello();
    lock.unlock();
    FrameReader reader;
    std::string reason = "the peer did not agree";
    bool agreed = false;
    if (send_frame(channel, hello_frame(ours))) {
        auto frame = read_frame(channel, reader, kHelloPatience);
        agreed = frame && accept_hello(*frame);
    }
    if (agreed) {
        PrimaryEnd end(*this);
        reason = run_stream(channel, reader, end);
    }
    stream_ends(reason);
    return agreed;
}

/// The secondary's answer to our Hello.
bool Mirror::accept_hello(const Frame& frame) {
    if (frame.type == FrameType::Refusal) {
        if (auto refusal = decode_refusal(frame.payload)) refused(*refusal);
        return false;
    }
    if (frame.type != FrameType::Hello) return false;
    auto theirs = decode_hello(frame.payload);
    if (!theirs) return false;
    std::unique_lock lock(mutex_);
    if (mode_ != Mode::Serving || !break_reason_.empty()) return false;
    auto refusal = sender_.resume(*theirs);
    if (refusal) {
        lock.unlock();
        refused(*refusal);
        return false;
    }
    stream_term_ = term_;
    up_ = true;
    if (resync_wanted_ && sender_.peer() == Peer::Absent) begin_pass();
    lock.unlock();
    run({{}, {api::StreamUp{theirs->term}}});
    return true;
}

/// The peer can never go on from where it is: as a member it must leave S.
void Mirror::refused(const Refusal& refusal) {
    Later later;
    {
        std::scoped_lock lock(mutex_);
        const bool told = refusal_told_ == refusal.reason;
        if (!sender_.required() || told || passing(refusal.reason)) return;
        refusal_told_ = refusal.reason;
        later.facts.emplace_back(api::PeerCopyFailed{name(refusal.reason), refusal.text});
    }
    run(std::move(later));
}

// Records of an earlier connection may still wait to be applied: a target begins at the number the
// source names, so they must be out of the way; a secondary only if the term is another. One of the
// records may be the word that the target is in: then it is none any more, and its numbers go on.
// So they do when the same term is followed again; but a failure of the role before is none of
// this.
void Mirror::prepare_applier() {
    std::unique_lock lock(mutex_);
    const auto role = generation_;
    const auto anew_numbers = [&] {
        return receiver_.target() || receiver_.term() != applied_term_;
    };
    const auto anew = [&] { return anew_numbers() || role != applied_role_; };
    if (!anew()) return;
    lock.unlock();
    applier_->settle();
    lock.lock();
    if (!anew()) return;
    lock.unlock();
    applier_->restart();
    lock.lock();
    applied_role_ = role;
    if (!anew_numbers()) return;
    applied_term_ = receiver_.term();
    applied_ = Sequence{};
    durable_here_ = Sequence{};
    results_.clear();
    failure_.reset();
}

std::optional<Refusal> Mirror::answer_hello(Channel& channel, const Frame& frame) {
    auto theirs = decode_hello(frame.payload);
    if (frame.type != FrameType::Hello || !theirs) {
        return Refusal{RefusalReason::Protocol, "no hello that can be read"};
    }
    prepare_applier();
    std::unique_lock lock(mutex_);
    if (mode_ != Mode::Follow) return Refusal{RefusalReason::NotFollowing, "not a secondary now"};
    auto answer = receiver_.greet(*theirs);
    if (const auto* refusal = std::get_if<Refusal>(&answer)) return *refusal;
    if (receiver_.target()) applied_ = receiver_.received();
    answers_.clear();
    ack_due_ = true;
    stream_term_ = receiver_.term();
    lock.unlock();
    if (!send_frame(channel, hello_frame(std::get<Hello>(answer)))) {
        return Refusal{RefusalReason::Protocol, "the connection broke"};
    }
    lock.lock();
    up_ = true;
    lock.unlock();
    run({{}, {api::StreamUp{theirs->term}}});
    return std::nullopt;
}

bool Mirror::follow_stream(Channel& channel, std::uint64_t generation) {
    if (!stream_begins(channel, generation)) return false;
    FrameReader reader;
    std::string reason = "the peer did not agree";
    bool agreed = false;
    if (auto frame = read_frame(channel, reader, kHelloPatience)) {
        auto refusal = answer_hello(channel, *frame);
        agreed = !refusal;
        if (refusal) {
            FrameBuilder answer(FrameType::Refusal);
            encode(*refusal, answer.out());
            static_cast<void>(send_frame(channel, std::move(answer)));
        }
    }
    if (agreed) {
        SecondaryEnd end(*this);
        reason = run_stream(channel, reader, end);
    }
    stream_ends(reason);
    return agreed;
}

// A resync that is not yet at its end is over with its stream, and nobody needs the target. Once
// the end was reported a decision may be under way that names it: then only an order ends the wait.
void Mirror::stream_ends(const std::string& reason) {
    Later later;
    {
        std::scoped_lock lock(mutex_);
        channel_ = nullptr;
        receiver_.disconnected();
        const bool was_up = std::exchange(up_, false);
        progress_exchanged_ = false;
        const bool reported = join_ && join_->told;
        const Peer peer = sender_.peer();
        if (peer == Peer::Joining || (peer == Peer::Joiner && !reported)) {
            end_pass();
            require(Peer::Absent);
        }
        const std::string why = break_reason_.empty() ? reason : break_reason_;
        const bool unused = mode_ == Mode::Serving && peer == Peer::Absent;
        const bool news = was_up && !unused && !break_ordered_;
        if (news) later.facts.emplace_back(api::StreamDown{stream_term_, why});
        pump(later);
    }
    run(std::move(later));
}

/// Each `probe` is told: said back it extends the peer's lease, and clusterd counts from its
/// coming.
void Mirror::evidence(Later& later, bool probe) {
    const Instant now = io::boot_now();
    if (!probe && now - evidence_told_ < settings_.heartbeat) return;
    evidence_told_ = now;
    later.facts.emplace_back(api::MirrorEvidence{});
}

}  // namespace ha::replicatord
