#include "core/replication/sender.h"

#include <gtest/gtest.h>

#include "core/replication/receiver.h"

namespace ha::replication {
namespace {

const Id128 kModule{1, 1}, kTerm{2, 2}, kPrimary{3, 3}, kSecondary{4, 4}, kOther{5, 5};

FrameBuilder frame(std::size_t size = 10) {
    FrameBuilder builder(FrameType::Operation);
    builder.out().resize(builder.out().size() + size);
    builder.seal();
    return builder;
}

class Term : public testing::Test {
  protected:
    Term() : receiver(kSecondary) {
        sender.begin_term(kModule, kTerm, kPrimary);
        sender.decide(Epoch{5}, Id128{6, 6});
        sender.require(Peer::Member);
        receiver.follow(kModule, kTerm, Epoch{5}, false);
    }

    /// The handshake; the secondary's refusal, or the primary's, or none.
    std::optional<RefusalReason> connect() {
        auto answer = receiver.greet(sender.hello());
        if (auto* refusal = std::get_if<Refusal>(&answer)) return refusal->reason;
        auto refusal = sender.resume(std::get<Hello>(answer));
        if (refusal) return refusal->reason;
        return std::nullopt;
    }

    /// Moves everything to be sent, up to `count` frames, into the receiver.
    void move(std::size_t count = 1000) {
        for (std::size_t i = 0; i < count && sender.anything_to_send(); ++i) {
            auto batch = sender.take(1);
            ASSERT_EQ(batch.size(), 1U);
            FrameReader reader;
            auto space = reader.space(batch[0]->size());
            std::copy(batch[0]->begin(), batch[0]->end(), space.begin());
            reader.committed(space.size());
            auto sequence = (*reader.next())->sequence;
            ASSERT_EQ(receiver.receive(sequence), Receiver::Verdict::Apply);
        }
    }

    Completion note(int number) {
        return [this, number](int error) { told.emplace_back(number, error); };
    }
    void run(std::vector<Completion> ready) {
        for (auto& done : ready) done(0);
    }
    Result<> ack(std::uint64_t accepted, std::uint64_t durable = 0,
                 std::vector<DurableResult> results = {}) {
        return sender.acknowledge({Sequence{accepted}, Sequence{durable}, std::move(results)});
    }

    Sender sender;
    Receiver receiver;
    std::vector<std::pair<int, int>> told;
};

TEST_F(Term, AnAcknowledgementIsCumulative) {
    ASSERT_FALSE(connect());
    for (int i = 1; i <= 5; ++i) sender.when_accepted(sender.push(frame(), false), note(i));
    move();
    EXPECT_TRUE(sender.take_ready().empty());
    ASSERT_TRUE(ack(3));
    run(sender.take_ready());
    EXPECT_EQ(told.size(), 3U);
    EXPECT_EQ(sender.accepted(), Sequence{3});
    ASSERT_TRUE(ack(5));
    EXPECT_EQ(sender.queued_bytes(), 0U);
    EXPECT_FALSE(sender.outstanding());
}

TEST_F(Term, AnAcknowledgementThatCannotBeTrueEndsTheConnection) {
    ASSERT_FALSE(connect());
    sender.push(frame(), false);
    EXPECT_FALSE(ack(1)) << "not sent yet";
    move();
    EXPECT_FALSE(ack(2)) << "never taken";
}

TEST_F(Term, ABrokenConnectionResumesBehindTheLastReceived) {
    ASSERT_FALSE(connect());
    for (int i = 0; i < 10; ++i) sender.push(frame(), false);
    move(6);
    ASSERT_TRUE(ack(4));
    receiver.disconnected();
    EXPECT_EQ(receiver.receive(Sequence{7}), Receiver::Verdict::Refused);
    ASSERT_FALSE(connect());
    move();
    EXPECT_EQ(receiver.received(), Sequence{10});
    ASSERT_TRUE(ack(10));
}

TEST_F(Term, OtherProcessesDoNotInheritNumbers) {
    ASSERT_FALSE(connect());
    sender.push(frame(), false);
    move();
    ASSERT_TRUE(ack(1));
    Receiver fresh(kOther);
    fresh.follow(kModule, kTerm, Epoch{5}, false);
    auto hello = std::get<Hello>(fresh.greet(sender.hello()));
    EXPECT_EQ(sender.resume(hello)->reason, RefusalReason::Restarted);
    Sender restarted;
    restarted.begin_term(kModule, kTerm, kOther);
    restarted.decide(Epoch{5}, Id128{6, 6});
    restarted.require(Peer::Member);
    auto answer = receiver.greet(restarted.hello());
    EXPECT_EQ(std::get<Refusal>(answer).reason, RefusalReason::Restarted);
}

TEST_F(Term, ASecondaryThatLostWhatWasAcknowledgedIsRefused) {
    ASSERT_FALSE(connect());
    sender.push(frame(), false);
    move();
    ASSERT_TRUE(ack(1));
    Hello less = std::get<Hello>(receiver.greet(sender.hello()));
    less.last = Sequence{0};
    EXPECT_EQ(sender.resume(less)->reason, RefusalReason::Behind);
    less.last = Sequence{2};
    EXPECT_EQ(sender.resume(less)->reason, RefusalReason::Ahead);
}

TEST_F(Term, EveryMismatchHasItsReason) {
    Hello hello = sender.hello();
    auto reason = [&](Hello changed) {
        auto answer = receiver.greet(changed);
        auto* refusal = std::get_if<Refusal>(&answer);
        return refusal ? std::optional(refusal->reason) : std::nullopt;
    };
    auto with = [&](auto change) {
        Hello changed = hello;
        change(changed);
        return reason(changed);
    };
    EXPECT_EQ(with([](Hello& h) { h.protocol = kProtocol + 1; }), RefusalReason::Protocol);
    EXPECT_EQ(with([](Hello& h) { h.module = kOther; }), RefusalReason::Module);
    EXPECT_EQ(with([](Hello& h) { h.term = kOther; }), RefusalReason::Term);
    EXPECT_EQ(with([](Hello& h) { h.epoch = Epoch{4}; }), RefusalReason::OldEpoch);
    EXPECT_EQ(with([](Hello& h) { h.end = End::Alone; }), RefusalReason::Role);
    EXPECT_EQ(with([](Hello&) {}), std::nullopt);
    receiver.copy_failed();
    EXPECT_EQ(with([](Hello&) {}), RefusalReason::CopyFailed);
    receiver.stop();
    EXPECT_EQ(with([](Hello&) {}), RefusalReason::NotFollowing);
}

TEST_F(Term, R2ANewerDecisionClosesTheOldConnection) {
    ASSERT_FALSE(connect());
    receiver.follow(kModule, kTerm, Epoch{6}, false);
    EXPECT_EQ(receiver.receive(Sequence{1}), Receiver::Verdict::Refused);
    EXPECT_EQ(connect(), RefusalReason::OldEpoch);
}

TEST_F(Term, R12ASealRefusesEveryFrameOfTheSealedDecisions) {
    ASSERT_FALSE(connect());
    sender.push(frame(), false);
    move();
    receiver.seal(Epoch{5});
    EXPECT_EQ(receiver.receive(Sequence{2}), Receiver::Verdict::Refused);
    EXPECT_EQ(connect(), RefusalReason::Sealed);
    EXPECT_EQ(receiver.received(), Sequence{1});
    sender.decide(Epoch{6}, Id128{7, 7});
    EXPECT_FALSE(connect());
}

TEST_F(Term, DuplicatesAreDroppedAndGapsAreSeen) {
    ASSERT_FALSE(connect());
    EXPECT_EQ(receiver.receive(Sequence{1}), Receiver::Verdict::Apply);
    EXPECT_EQ(receiver.receive(Sequence{1}), Receiver::Verdict::Duplicate);
    EXPECT_EQ(receiver.receive(Sequence{3}), Receiver::Verdict::Gap);
}

TEST_F(Term, DurableNeedsAcceptedAndADurableResult) {
    ASSERT_FALSE(connect());
    auto first = sender.push(frame(), true);
    auto second = sender.push(frame(), true);
    sender.when_durable(first, note(1));
    move();
    ASSERT_TRUE(ack(2));
    EXPECT_TRUE(sender.take_ready().empty());
    EXPECT_EQ(sender.keep_alive(Sequence{}).settled, first);
    ASSERT_TRUE(ack(2, 0, {{first, 0}, {second, 5}}));
    EXPECT_EQ(sender.take_ready().size(), 1U);
    sender.when_durable(second, note(2));
    EXPECT_TRUE(sender.take_ready().empty()) << "it failed there: only a decision ends the wait";
    EXPECT_EQ(sender.keep_alive(Sequence{}).settled, second);
    ASSERT_TRUE(ack(2, 2));
    EXPECT_EQ(sender.take_ready().size(), 1U) << "the background sync covers it";
}

TEST_F(Term, AResultMayComeBeforeAnybodyWaits) {
    ASSERT_FALSE(connect());
    auto first = sender.push(frame(), true);
    move();
    ASSERT_TRUE(ack(1, 0, {{first, 0}}));
    sender.when_durable(first, note(1));
    EXPECT_EQ(sender.take_ready().size(), 1U);
}

TEST_F(Term, ShrinkCompletesEverythingHeldAndNothingElseDoes) {
    sender.when_accepted(sender.push(frame(), false), note(1));
    sender.when_durable(sender.push(frame(), true), note(2));
    sender.require(Peer::Joiner);
    EXPECT_TRUE(sender.take_ready().empty());
    sender.require(Peer::Absent);
    EXPECT_EQ(sender.take_ready().size(), 2U);
    EXPECT_EQ(sender.push(frame(), false), sender.last()) << "no number is taken while alone";
    EXPECT_EQ(sender.last(), Sequence{2});
    EXPECT_FALSE(sender.anything_to_send());
}

TEST_F(Term, AJoinContinuesTheNumbersOfTheStream) {
    sender.push(frame(), false);
    sender.require(Peer::Absent);
    receiver.follow(kModule, kTerm, Epoch{5}, true);
    ASSERT_FALSE(connect());
    sender.require(Peer::Joining);
    EXPECT_EQ(sender.push(frame(), false), Sequence{2});
    sender.when_accepted(Sequence{2}, note(1));
    EXPECT_EQ(sender.take_ready().size(), 1U) << "a target that is not joining holds nobody up";
    sender.require(Peer::Joiner);
    sender.when_accepted(sender.push(frame(), false), note(2));
    EXPECT_TRUE(sender.take_ready().empty());
    move();
    ASSERT_TRUE(ack(3));
    EXPECT_EQ(sender.take_ready().size(), 1U);
    receiver.told_in(Epoch{6});
    sender.decide(Epoch{6}, Id128{7, 7});
    sender.require(Peer::Member);
    receiver.disconnected();
    ASSERT_FALSE(connect());
    sender.push(frame(), false);
    move();
    EXPECT_EQ(receiver.received(), Sequence{4});
}

TEST_F(Term, AMemberMeetsNoTarget) {
    receiver.follow(kModule, kTerm, Epoch{5}, true);
    EXPECT_EQ(connect(), RefusalReason::Role);
    Hello target;
    target.module = kModule;
    target.term = kTerm;
    target.end = End::Target;
    EXPECT_EQ(sender.resume(target)->reason, RefusalReason::Role);
}

TEST_F(Term, TheQueueIsBoundedInBytesAndInRecords) {
    while (!sender.full()) sender.push(frame(1 << 20), false);
    EXPECT_LE(sender.queued_bytes(), Sender::kMaxQueuedBytes + (1U << 20) + kFrameHeader);
    sender.require(Peer::Absent);
    EXPECT_FALSE(sender.full());
    sender.require(Peer::Member);
    for (std::size_t i = 0; i < Sender::kMaxQueuedRecords; ++i) sender.push(frame(), false);
    EXPECT_TRUE(sender.full());
}

}  // namespace
}  // namespace ha::replication
