#include "core/replication/sender.h"

#include "base/assert.h"

namespace ha::replication {

void Sender::begin_term(const Id128& module, const Id128& term, const Id128& incarnation) {
    HA_ASSERT(!anyone_waits());
    *this = Sender{};
    module_ = module;
    term_ = term;
    incarnation_ = incarnation;
}

void Sender::decide(Epoch epoch, const Id128& decision) {
    epoch_ = epoch;
    decision_ = decision;
}

void Sender::require(Peer peer) {
    if (peer == Peer::Absent || peer == Peer::Joining) drop_queue();
    if (peer == Peer::Joining) peer_incarnation_ = Id128{};
    peer_ = peer;
}

void Sender::drop_queue() {
    queue_.clear();
    sent_ = 0;
    bytes_ = 0;
    accepted_ = last_;
    expected_.clear();
    arrived_.clear();
}

Sequence Sender::push(FrameBuilder frame, bool durable) {
    if (peer_ == Peer::Absent) return last_;
    last_ = last_.next();
    queue_.push_back({last_, std::move(frame).finish(last_)});
    bytes_ += queue_.back().frame->size();
    if (durable) expected_.insert(last_);
    return last_;
}

bool Sender::full() const {
    return bytes_ >= kMaxQueuedBytes || queue_.size() >= kMaxQueuedRecords;
}

Hello Sender::hello() const {
    Hello hello;
    hello.module = module_;
    hello.term = term_;
    hello.epoch = epoch_;
    hello.decision = decision_;
    hello.incarnation = incarnation_;
    hello.end = peer_ == Peer::Absent || peer_ == Peer::Joining ? End::Alone : End::Primary;
    hello.last = last_;
    return hello;
}

std::optional<Refusal> Sender::resume(const Hello& theirs) {
    using R = RefusalReason;
    if (theirs.protocol != kProtocol) return Refusal{R::Protocol, "another protocol version"};
    if (theirs.module != module_) return Refusal{R::Module, "another module"};
    if (theirs.term != term_) return Refusal{R::Term, "another term"};
    bool alone = peer_ == Peer::Absent || peer_ == Peer::Joining;
    if (theirs.end != (alone ? End::Target : End::Secondary)) {
        return Refusal{R::Role, "the copies must be brought together by a resync first"};
    }
    if (alone) {
        peer_incarnation_ = theirs.incarnation;
        sent_ = 0;
        return std::nullopt;
    }
    if (!peer_incarnation_.none() && theirs.incarnation != peer_incarnation_) {
        return Refusal{R::Restarted, "the secondary was restarted within the term"};
    }
    if (theirs.last < accepted_) return Refusal{R::Behind, "the secondary lacks operations"};
    if (theirs.last > last_) return Refusal{R::Ahead, "the secondary has unknown operations"};
    peer_incarnation_ = theirs.incarnation;
    sent_ = static_cast<std::size_t>(theirs.last.value - accepted_.value);
    return std::nullopt;
}

std::vector<SharedFrame> Sender::take(std::size_t max_bytes) {
    std::vector<SharedFrame> batch;
    std::size_t total = 0;
    while (sent_ < queue_.size()) {
        const auto& frame = queue_[sent_].frame;
        if (!batch.empty() && total + frame->size() > max_bytes) break;
        total += frame->size();
        batch.push_back(frame);
        ++sent_;
    }
    return batch;
}

KeepAlive Sender::keep_alive(Sequence durable_here) const {
    return {durable_here, expected_.empty() ? last_.next() : *expected_.begin()};
}

Result<> Sender::acknowledge(const Ack& ack) {
    if (peer_ == Peer::Absent) return {};
    if (ack.accepted > last_) return fail("The peer acknowledged what was never sent.");
    while (!queue_.empty() && queue_.front().sequence <= ack.accepted) {
        if (sent_ == 0) return fail("The peer acknowledged what was not sent to it.");
        bytes_ -= queue_.front().frame->size();
        queue_.pop_front();
        --sent_;
        accepted_ = accepted_.next();
    }
    if (ack.durable > durable_ && ack.durable <= accepted_) durable_ = ack.durable;
    for (const auto& result : ack.results) {
        if (result.error != 0 || expected_.erase(result.sequence) == 0) continue;
        arrived_.insert(result.sequence);
    }
    settle();
    return {};
}

// What the peer's background sync covers needs no result of its own.
void Sender::settle() {
    expected_.erase(expected_.begin(), expected_.upper_bound(durable_));
    arrived_.erase(arrived_.begin(), arrived_.upper_bound(durable_));
}

bool Sender::durable(Sequence sequence) const {
    return sequence <= accepted_ && (sequence <= durable_ || arrived_.contains(sequence));
}

void Sender::when_accepted(Sequence sequence, Completion done) {
    HA_ASSERT(sequence <= last_);
    waiting_accepted_.emplace(sequence, std::move(done));
}

void Sender::when_durable(Sequence sequence, Completion done) {
    HA_ASSERT(sequence <= last_);
    waiting_durable_.emplace(sequence, std::move(done));
}

std::vector<Completion> Sender::take_ready() {
    if (!required()) return take_all();
    std::vector<Completion> ready;
    auto end = waiting_accepted_.upper_bound(accepted_);
    for (auto at = waiting_accepted_.begin(); at != end; ++at) {
        ready.push_back(std::move(at->second));
    }
    waiting_accepted_.erase(waiting_accepted_.begin(), end);
    for (auto at = waiting_durable_.begin(); at != waiting_durable_.end();) {
        if (at->first > accepted_) break;
        if (!durable(at->first)) {
            ++at;
            continue;
        }
        ready.push_back(std::move(at->second));
        arrived_.erase(at->first);
        at = waiting_durable_.erase(at);
    }
    return ready;
}

std::vector<Completion> Sender::take_all() {
    std::vector<Completion> all;
    for (auto& [sequence, done] : waiting_accepted_) all.push_back(std::move(done));
    for (auto& [sequence, done] : waiting_durable_) all.push_back(std::move(done));
    waiting_accepted_.clear();
    waiting_durable_.clear();
    return all;
}

bool Sender::anyone_waits() const {
    return !waiting_accepted_.empty() || !waiting_durable_.empty();
}

}  // namespace ha::replication
