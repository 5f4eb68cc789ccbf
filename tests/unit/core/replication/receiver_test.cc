#include "core/replication/receiver.h"

#include <gtest/gtest.h>

namespace ha::replication {
namespace {

const Id128 kModule{1, 1};
const Id128 kTerm{2, 1};
const Id128 kOtherTerm{2, 2};

Hello source(const Id128& term, std::uint64_t epoch) {
    Hello hello;
    hello.protocol = kProtocol;
    hello.module = kModule;
    hello.term = term;
    hello.epoch = Epoch{epoch};
    hello.end = End::Alone;
    return hello;
}

bool accepts(Receiver& receiver, const Hello& hello) {
    return std::holds_alternative<Hello>(receiver.greet(hello));
}

TEST(Receiver, AnOlderDecisionOfTheTermIsRefused) {
    Receiver receiver(Id128{9, 9});
    receiver.follow(kModule, kTerm, Epoch{5}, true);
    EXPECT_FALSE(accepts(receiver, source(kTerm, 4)));
    EXPECT_FALSE(accepts(receiver, source(kOtherTerm, 6)));
    EXPECT_TRUE(accepts(receiver, source(kTerm, 5)));
}

TEST(Receiver, ASealedDecisionIsRefused) {
    Receiver receiver(Id128{9, 9});
    receiver.follow(kModule, kTerm, Epoch{5}, true);
    ASSERT_TRUE(accepts(receiver, source(kTerm, 5)));
    receiver.seal(Epoch{5});
    EXPECT_EQ(receiver.receive(Sequence{1}), Receiver::Verdict::Refused);
    EXPECT_FALSE(accepts(receiver, source(kTerm, 5)));
}

/// An operator chose the other node's branch, which is older by its numbers: this copy is undone.
TEST(Receiver, TheTargetOfAnotherBranchFollowsLowerNumbers) {
    Receiver receiver(Id128{9, 9});
    receiver.follow(kModule, kTerm, Epoch{7}, true);
    receiver.seal(Epoch{7});
    receiver.follow(kModule, kOtherTerm, Epoch{3}, true);
    EXPECT_FALSE(accepts(receiver, source(kTerm, 7)));
    EXPECT_FALSE(accepts(receiver, source(kOtherTerm, 2)));
    EXPECT_TRUE(accepts(receiver, source(kOtherTerm, 3)));
    EXPECT_EQ(receiver.receive(Sequence{1}), Receiver::Verdict::Apply);
}

}  // namespace
}  // namespace ha::replication
