#include "base/lease.h"

#include <gtest/gtest.h>

namespace ha {
namespace {

constexpr Instant kStart{1000s};

TEST(Lease, AllZeroHasNoExpiry) {
    Lease lease;
    EXPECT_FALSE(lease.expiry());
    EXPECT_FALSE(lease.expired(kStart));
}

TEST(Lease, RunsOutItsBoundAfterTheNewestThatIsConfirmed) {
    Lease lease;
    lease.begin(kStart, 1500ms);
    EXPECT_EQ(lease.expiry(), kStart + 1500ms);
    lease.confirm(Lease::By::Mirror, kStart + 1s);
    lease.confirm(Lease::By::Heartbeat, kStart + 400ms);
    lease.confirm(Lease::By::Mirror, kStart + 300ms);  // late
    EXPECT_EQ(lease.expiry(), kStart + 2500ms);
    EXPECT_FALSE(lease.expired(kStart + 2499ms));
    EXPECT_TRUE(lease.expired(kStart + 2500ms));
}

TEST(Lease, RunOutItStaysSoUntilTheNext) {
    Lease lease;
    lease.begin(kStart, 1500ms);
    EXPECT_TRUE(lease.expired(kStart + 2s));
    lease.confirm(Lease::By::Heartbeat, kStart + 2s);  // was waiting to be read
    EXPECT_TRUE(lease.expired(kStart + 2s));
    lease.begin(kStart + 3s, 1500ms);
    EXPECT_FALSE(lease.expired(kStart + 3s));
}

TEST(Lease, RevokedItHasRunOutForEverybody) {
    Lease lease;
    lease.revoke();
    EXPECT_FALSE(lease.expired(kStart)) << "there was none";
    lease.begin(kStart, 1500ms);
    lease.revoke();
    lease.confirm(Lease::By::Heartbeat, kStart + 1s);
    EXPECT_TRUE(lease.expired(kStart));
    lease.begin(kStart, 1500ms);
    EXPECT_FALSE(lease.expired(kStart));
}

TEST(Lease, EndedItDoesNotRunOut) {
    Lease lease;
    lease.begin(kStart, 1500ms);
    lease.end();
    EXPECT_FALSE(lease.expired(kStart + 9s));
    lease.begin(kStart + 10s, 1500ms);
    EXPECT_FALSE(lease.expired(kStart + 11s));
}

}  // namespace
}  // namespace ha
