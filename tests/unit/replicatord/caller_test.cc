#include "replicatord/caller.h"

#include <gtest/gtest.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <thread>

namespace ha::replicatord {
namespace {

bool has_sys_resource() {
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    __user_cap_data_struct data[2]{};
    EXPECT_EQ(::syscall(SYS_capget, &header, data), 0);
    return (data[0].effective & (1U << CAP_SYS_RESOURCE)) != 0;
}

TEST(Caller, AnIoFlushersThreadsAreIoFlushers) {
    bool allowed = false;
    int inherited = 0;
    std::thread([&] {
        allowed = become_io_flusher();
        std::thread([&] { inherited = ::prctl(PR_GET_IO_FLUSHER, 0, 0, 0, 0); }).join();
    }).join();
    ASSERT_EQ(allowed, has_sys_resource());
    if (!allowed) GTEST_SKIP() << "NEEDS CAP_SYS_RESOURCE, to see that threads inherit it";
    EXPECT_EQ(inherited, 1);
    EXPECT_EQ(::prctl(PR_GET_IO_FLUSHER, 0, 0, 0, 0), 0);
}

}  // namespace
}  // namespace ha::replicatord
