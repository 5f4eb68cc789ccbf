#include "core/replication/receiver.h"

#include "base/assert.h"

namespace ha::replication {

void Receiver::follow(const Id128& module, const Id128& term, Epoch epoch, bool target) {
    // Of a branch that stands above the one sealed here, whatever its numbers: the term names it.
    if (target && sealed(epoch)) sealed_up_to_ = Epoch{epoch.value - 1};
    HA_ASSERT(!sealed(epoch));
    bool keeps_numbers = term == term_ && target == target_ && (!failed_ || !target);
    if (!keeps_numbers) {
        received_ = Sequence{};
        primary_incarnation_ = Id128{};
        failed_ = false;
        connected_ = false;
    }
    if (term != term_ || epoch > epoch_) epoch_ = epoch;
    module_ = module;
    term_ = term;
    target_ = target;
    following_ = true;
}

void Receiver::stop() {
    following_ = false;
    connected_ = false;
}

void Receiver::seal(Epoch epoch) {
    if (!sealed_ || epoch > sealed_up_to_) sealed_up_to_ = epoch;
    sealed_ = true;
    if (connection_epoch_ <= sealed_up_to_) connected_ = false;
}

void Receiver::forget_after(Sequence last) {
    if (last < received_) received_ = last;
}

void Receiver::told_in(Epoch epoch) {
    target_ = false;
    if (epoch > epoch_) epoch_ = epoch;
    if (epoch > connection_epoch_) connection_epoch_ = epoch;
}

std::optional<Refusal> Receiver::objection(const Hello& theirs) const {
    using R = RefusalReason;
    if (theirs.protocol != kProtocol) return Refusal{R::Protocol, "another protocol version"};
    if (!following_) return Refusal{R::NotFollowing, "this node is not a secondary now"};
    if (theirs.module != module_) return Refusal{R::Module, "another module"};
    if (theirs.epoch < epoch_) return Refusal{R::OldEpoch, "a newer decision is known here"};
    if (sealed(theirs.epoch)) return Refusal{R::Sealed, "this node sealed that decision"};
    if (theirs.term != term_) return Refusal{R::Term, "this node follows another term"};
    if (failed_) return Refusal{R::CopyFailed, "the copy here could not follow"};
    if (theirs.end != (target_ ? End::Alone : End::Primary)) {
        return Refusal{R::Role, "the copies must be brought together by a resync first"};
    }
    if (target_) return std::nullopt;
    if (!primary_incarnation_.none() && theirs.incarnation != primary_incarnation_) {
        return Refusal{R::Restarted, "the primary was restarted within the term"};
    }
    if (theirs.last < received_) return Refusal{R::Ahead, "more was received here than was sent"};
    return std::nullopt;
}

std::variant<Hello, Refusal> Receiver::greet(const Hello& theirs) {
    connected_ = false;
    if (auto refusal = objection(theirs)) return *refusal;
    // A resync begins at the number the source stands at; it is not resumed.
    if (target_) received_ = theirs.last;
    primary_incarnation_ = theirs.incarnation;
    if (theirs.epoch > epoch_) epoch_ = theirs.epoch;
    connection_epoch_ = theirs.epoch;
    connected_ = true;
    Hello ours;
    ours.module = module_;
    ours.term = term_;
    ours.epoch = epoch_;
    ours.incarnation = incarnation_;
    ours.end = target_ ? End::Target : End::Secondary;
    ours.last = received_;
    return ours;
}

Receiver::Verdict Receiver::receive(Sequence sequence) {
    if (!following_ || !connected_ || failed_) return Verdict::Refused;
    if (connection_epoch_ < epoch_ || sealed(connection_epoch_)) return Verdict::Refused;
    if (sequence <= received_) return Verdict::Duplicate;
    if (sequence != received_.next()) return Verdict::Gap;
    received_ = sequence;
    return Verdict::Apply;
}

}  // namespace ha::replication
