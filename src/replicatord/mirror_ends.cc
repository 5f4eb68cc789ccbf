#include "replicatord/mirror_ends.h"

#include <algorithm>

#include "io/clock.h"
#include "replicatord/mirror_pass.h"

namespace ha::replicatord {

using namespace replication;

namespace {

constexpr std::size_t kBatch = 1U << 20;

template <typename Message>
SharedFrame unnumbered(FrameType type, const Message& message) {
    FrameBuilder frame(type);
    encode(message, frame.out());
    frame.seal();
    return std::move(frame).finish(Sequence{});
}

}  // namespace

// ---- the primary

std::vector<SharedFrame> Mirror::PrimaryEnd::to_send() {
    Mirror& m = mirror_;
    std::unique_lock lock(m.mutex_);
    m.sending_.wait_for(lock, m.settings_.heartbeat,
                        [&] { return ended_ || m.sender_.anything_to_send(); });
    if (ended_) return {};
    auto frames = m.sender_.take(kBatch);
    const Instant now = io::boot_now();
    if (frames.empty() || now - kept_alive_ >= m.settings_.heartbeat) {
        kept_alive_ = now;
        KeepAlive keep_alive = m.sender_.keep_alive(m.durable_here_);
        keep_alive.probe = probes_.send(now);
        keep_alive.progress = m.progress_told();
        frames.push_back(unnumbered(FrameType::KeepAlive, keep_alive));
    }
    return frames;
}

Result<> Mirror::PrimaryEnd::received(const Frame& frame) {
    if (frame.type == FrameType::Ack) {
        auto ack = decode_ack(frame.payload);
        if (!ack) return tl::unexpected(ack.error());
        mirror_.heard_progress(ack->progress);
        return acknowledged(*ack);
    }
    if (frame.type == FrameType::Answer) {
        auto answer = decode_answer(frame.payload);
        if (!answer) return tl::unexpected(answer.error());
        std::unique_lock lock(mirror_.mutex_);
        auto pass = mirror_.pass_;
        lock.unlock();
        if (pass) pass->source.answered(std::move(*answer));
        return {};
    }
    if (frame.type != FrameType::Failure) return fail("the peer sent a frame out of place");
    auto failure = decode_failure(frame.payload);
    if (!failure) return tl::unexpected(failure.error());
    mirror_.run({{}, {api::PeerCopyFailed{failure->code, failure->text}}});
    return fail("the peer's copy failed: " + failure->text);
}

Result<> Mirror::PrimaryEnd::acknowledged(const Ack& ack) {
    Later later;
    Result<> done;
    {
        Mirror& m = mirror_;
        std::scoped_lock lock(m.mutex_);
        const Sequence before = m.sender_.accepted();
        done = m.sender_.acknowledge(ack);
        const Instant now = io::boot_now();
        const auto confirmed = probes_.echoed(ack.probe);
        if (confirmed) m.progress_exchanged_ = true;
        if (done && confirmed && m.settings_.lease != nullptr) {
            m.settings_.lease->confirm(Lease::By::Mirror, *confirmed);
        }
        if (m.sender_.accepted() > before) m.progress_ = now;
        if (!ack.results.empty()) m.durable_progress_ = now;
        m.evidence(later, false);
        m.pump(later);
    }
    mirror_.run(std::move(later));
    return done;
}

Duration Mirror::PrimaryEnd::silence() const {
    std::scoped_lock lock(mirror_.mutex_);
    const Duration usual = mirror_.settings_.silent_after;
    return mirror_.sender_.required() ? usual : std::max(usual, kMirrorDead);
}

void Mirror::PrimaryEnd::end() noexcept {
    std::scoped_lock lock(mirror_.mutex_);
    ended_ = true;
    mirror_.sending_.notify_all();
}

// ---- the secondary

std::vector<SharedFrame> Mirror::SecondaryEnd::to_send() {
    Mirror& m = mirror_;
    std::unique_lock lock(m.mutex_);
    m.sending_.wait_for(lock, m.settings_.heartbeat, [&] { return ended_ || m.ack_due_; });
    if (ended_) return {};
    m.ack_due_ = false;
    std::vector<SharedFrame> frames;
    Ack ack{m.applied_, std::min(m.durable_here_, m.applied_), m.results_, probe_,
            m.progress_told()};
    if (ack.results.size() > kMaxResults) ack.results.resize(kMaxResults);
    frames.push_back(unnumbered(FrameType::Ack, ack));
    for (const auto& answer : m.answers_) {
        frames.push_back(unnumbered(FrameType::Answer, answer));
    }
    m.answers_.clear();
    if (m.failure_) frames.push_back(unnumbered(FrameType::Failure, *m.failure_));
    return frames;
}

Result<> Mirror::SecondaryEnd::received(const Frame& frame) {
    Later later;
    {
        std::scoped_lock lock(mirror_.mutex_);
        mirror_.evidence(later, frame.type == FrameType::KeepAlive);
    }
    mirror_.run(std::move(later));
    if (frame.type == FrameType::Operation || frame.type == FrameType::Copy) {
        return numbered(frame);
    }
    if (frame.type != FrameType::KeepAlive) return fail("the peer sent a frame out of place");
    auto keep_alive = decode_keep_alive(frame.payload);
    if (!keep_alive) return tl::unexpected(keep_alive.error());
    mirror_.heard_progress(keep_alive->progress);
    std::scoped_lock lock(mirror_.mutex_);
    probe_ = keep_alive->probe;
    std::erase_if(mirror_.results_, [&](const DurableResult& result) {
        return result.sequence < keep_alive->settled;
    });
    return {};
}

Result<Applier::Item> Mirror::SecondaryEnd::decode_item(const Frame& frame) {
    Applier::Item item;
    item.sequence = frame.sequence;
    item.bytes = frame.payload.size();
    if (frame.type == FrameType::Operation) {
        auto operation = decode(frame.payload);
        if (!operation) return tl::unexpected(operation.error());
        item.record = std::move(*operation);
        return item;
    }
    auto record = decode_copy(frame.payload);
    if (!record) return tl::unexpected(record.error());
    item.record = std::move(*record);
    return item;
}

Result<> Mirror::SecondaryEnd::numbered(const Frame& frame) {
    auto item = decode_item(frame);
    if (!item) return tl::unexpected(item.error());
    const auto* copy = std::get_if<CopyRecord>(&item->record);
    const bool control = copy != nullptr && (std::holds_alternative<Barrier>(copy->body) ||
                                             std::holds_alternative<TellIn>(copy->body));
    {
        std::scoped_lock lock(mirror_.mutex_);
        if (copy != nullptr && !control && !mirror_.receiver_.target()) {
            return fail("the peer copies to a node that is no target");
        }
        switch (mirror_.receiver_.receive(frame.sequence)) {
            case Receiver::Verdict::Apply:
                break;
            case Receiver::Verdict::Duplicate:
                return {};
            case Receiver::Verdict::Gap:
                return fail("the peer left out an operation");
            case Receiver::Verdict::Refused:
                return fail("frames of this decision are refused");
        }
        item->role = mirror_.generation_;
    }
    mirror_.applier_->enqueue(std::move(*item));
    return {};
}

Duration Mirror::SecondaryEnd::silence() const {
    std::scoped_lock lock(mirror_.mutex_);
    const Duration usual = mirror_.settings_.silent_after;
    return mirror_.receiver_.target() ? std::max(usual, kMirrorDead) : usual;
}

void Mirror::SecondaryEnd::end() noexcept {
    std::scoped_lock lock(mirror_.mutex_);
    ended_ = true;
    mirror_.sending_.notify_all();
}

// ---- what the applier says

Applier::Listener Mirror::listener() {
    Applier::Listener listener;
    listener.applied = [this](Sequence sequence) {
        Later later;
        {
            std::scoped_lock lock(mutex_);
            applied_ = sequence;
            ack_due_ = true;
            sending_.notify_all();
            pump_seal(later);
        }
        run(std::move(later));
    };
    listener.durable = [this](DurableResult result) {
        std::scoped_lock lock(mutex_);
        results_.push_back(result);
        ack_due_ = true;
        sending_.notify_all();
    };
    listener.answered = [this](HashAnswer answer) {
        std::scoped_lock lock(mutex_);
        answers_.push_back(std::move(answer));
        ack_due_ = true;
        sending_.notify_all();
    };
    listener.told = [this](const TellIn& tell, std::uint64_t role) { told_in(tell, role); };
    listener.failed = [this](const Failure& failure, std::optional<std::uint64_t> role) {
        copy_failed(failure, role);
    };
    return listener;
}

void Mirror::told_in(const TellIn& tell, std::uint64_t role) {
    {
        std::scoped_lock lock(mutex_);
        if (role != generation_) return;
        receiver_.told_in(tell.epoch);
    }
    run({{}, {api::ToldIn{tell.decision}}});
}

/// Of the term that is being applied; another term's numbers are its own.
void Mirror::forget_after(Sequence last) {
    if (receiver_.term() == applied_term_) receiver_.forget_after(last);
}

void Mirror::copy_failed(const Failure& failure, std::optional<std::uint64_t> role) {
    Later later;
    {
        std::scoped_lock lock(mutex_);
        if (role && *role != generation_) {
            forget_after(applied_);  // if the term goes on, the record comes and fails again
        } else {
            receiver_.copy_failed();
            failure_ = failure;
            ack_due_ = true;
            sending_.notify_all();
            later.facts.emplace_back(api::LocalCopyFailed{failure.code, failure.text, !role});
        }
        pump_seal(later);
    }
    run(std::move(later));
}

}  // namespace ha::replicatord
