#include "io/unit_group.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace ha::io {
namespace {

namespace fs = std::filesystem;

class UnitGroup : public testing::Test {
  protected:
    UnitGroup() {
        char name[] = "/tmp/unit-group-test-XXXXXX";
        root_ = mkdtemp(name);
    }
    ~UnitGroup() override { fs::remove_all(root_); }
    void make(const std::string& path) { fs::create_directories(root_ + "/" + path); }

    std::string root_;
};

TEST_F(UnitGroup, IsFoundInAnySlice) {
    make("system.slice/system-postgresql.slice/postgresql@15-main.service");
    make("system.slice/_memory.service");
    EXPECT_EQ(find_unit_group("postgresql@15-main.service", root_),
              root_ + "/system.slice/system-postgresql.slice/postgresql@15-main.service");
    EXPECT_EQ(find_unit_group("memory.service", root_), root_ + "/system.slice/_memory.service");
    EXPECT_EQ(find_unit_group("other.service", root_), "");
}

TEST_F(UnitGroup, AUsersOrAContainersUnitOfTheSameNameIsNotOurs) {
    make("user.slice/user-1000.slice/user@1000.service/app.slice/app.service");
    make("machine.slice/machine-x.scope/system.slice/app.service");
    make("system.slice/box.service/app.service");
    EXPECT_EQ(find_unit_group("app.service", root_), "");
}

TEST_F(UnitGroup, PopulatedIsWhatTheKernelSays) {
    make("a.service");
    const auto group = root_ + "/a.service";
    std::ofstream(group + "/cgroup.events") << "populated 1\nfrozen 0\n";
    EXPECT_TRUE(*group_populated(group));
    std::ofstream(group + "/cgroup.events") << "populated 0\nfrozen 0\n";
    EXPECT_FALSE(*group_populated(group));
}

TEST_F(UnitGroup, AGroupThatIsGoneIsEmptyAndKilled) {
    EXPECT_FALSE(*group_populated(root_ + "/none"));
    EXPECT_TRUE(kill_group(root_ + "/none"));
}

}  // namespace
}  // namespace ha::io
