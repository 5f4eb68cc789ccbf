#include "replicatord/caller.h"

#include <gtest/gtest.h>
#include <sys/prctl.h>

#include <thread>

namespace ha::replicatord {
namespace {

TEST(Caller, AnIoFlushersThreadsAreIoFlushers) {
    bool allowed = false;
    int inherited = 0;
    std::thread([&] {
        allowed = become_io_flusher();
        std::thread([&] { inherited = ::prctl(PR_GET_IO_FLUSHER, 0, 0, 0, 0); }).join();
    }).join();
    if (!allowed) GTEST_SKIP() << "NEEDS CAP_SYS_RESOURCE";
    EXPECT_EQ(inherited, 1);
    EXPECT_EQ(::prctl(PR_GET_IO_FLUSHER, 0, 0, 0, 0), 0);
}

}  // namespace
}  // namespace ha::replicatord
