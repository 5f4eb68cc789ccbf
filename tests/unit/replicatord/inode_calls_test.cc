#include "replicatord/inode_calls.h"

#include <fcntl.h>
#include <sys/xattr.h>

#include <fstream>

#include "temporary_tree.h"

namespace ha::replicatord {
namespace {

using InodeCalls = TemporaryTree;

TEST_F(InodeCalls, AFileWithTooManyAttributesIsNamed) {
    const std::string path = path_ + "/burdened";
    std::ofstream(path) << "x";
    for (int i = 0; i < 65; ++i)
        ASSERT_EQ(::setxattr(path.c_str(), ("user." + std::to_string(i)).c_str(), "v", 1, 0), 0);
    io::Fd fd(::open(path.c_str(), O_PATH));
    auto read = read_attributes(fd.get());
    ASSERT_FALSE(read);
    EXPECT_NE(read.error().text.find(path), std::string::npos) << read.error().text;
}

}  // namespace
}  // namespace ha::replicatord
