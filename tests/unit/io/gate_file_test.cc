#include "io/gate_file.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace ha::io {
namespace {

namespace fs = std::filesystem;

class GateDirectory : public ::testing::Test {
  protected:
    GateDirectory() {
        char name[] = "/tmp/gate-test-XXXXXX";
        directory_ = ::mkdtemp(name);
    }
    ~GateDirectory() override { fs::remove_all(directory_); }

    GateFinding only() {
        auto found = read_gates(directory_);
        EXPECT_TRUE(found && found->size() == 1);
        return found && found->size() == 1 ? found->front() : GateFinding{};
    }
    void damage(const std::string& name) {
        std::fstream file(directory_ + "/" + name, std::ios::in | std::ios::out);
        file.seekp(4);
        file.put('\xff');
    }

    std::string directory_;
    Gate gate_{"db", {"postgresql@15-main.service", "backup.timer"}};
};

TEST(GateText, ReadsBackWhatWasWritten) {
    Gate gate{"db", {"a.service", "b@x.socket"}};
    EXPECT_EQ(format_gate(gate),
              "hamirror-gate 1\nmodule db\nunit a.service\nunit b@x.socket\nend\n");
    EXPECT_EQ(*parse_gate(format_gate(gate)), gate);
}

TEST(GateText, CarriesTheMirroredDirectories) {
    Gate gate{"db", {"a.service"}, {"/srv/db", "/srv/my data"}};
    EXPECT_EQ(format_gate(gate),
              "hamirror-gate 1\nmodule db\nunit a.service\npath /srv/db\npath /srv/my data\nend\n");
    EXPECT_EQ(*parse_gate(format_gate(gate)), gate);
    EXPECT_FALSE(parse_gate("hamirror-gate 1\nmodule db\npath srv\nend\n"));
    EXPECT_FALSE(parse_gate("hamirror-gate 1\nmodule db\npath /s\trv\nend\n"));
}

TEST(GateText, EveryTruncationIsSeen) {
    const auto text = format_gate({"db", {"a.service", "b.service"}});
    for (std::size_t length = 0; length < text.size(); ++length)
        EXPECT_FALSE(parse_gate(text.substr(0, length))) << length;
}

TEST(GateText, OnlyKnownLinesAndGoodNames) {
    for (const char* line : {"unit ../x.service", "unit a.scope", "unit a", "Unit a.service", "",
                             "unit a.service ", "unit %i.service"}) {
        EXPECT_FALSE(parse_gate("hamirror-gate 1\nmodule db\n" + std::string(line) + "\nend\n"))
            << line;
    }
    EXPECT_FALSE(parse_gate("hamirror-gate 1\nmodule d b\nend\n"));
    EXPECT_FALSE(parse_gate("hamirror-gate 1\nmodule db\nunit a.service\nunit a.service\nend\n"));
    EXPECT_FALSE(parse_gate("hamirror-gate 2\nmodule db\nend\n"));
}

TEST(GateText, NamesOfModulesAndUnits) {
    EXPECT_TRUE(is_module_name("my-app_2.x"));
    for (const char* name : {"", ".x", "-x", "a/b", "a b"}) EXPECT_FALSE(is_module_name(name));
    EXPECT_TRUE(is_unit_name("my\\x2dapp@1:2.service"));
    EXPECT_FALSE(is_unit_name(".service"));
    EXPECT_FALSE(is_unit_name("@.service"));
}

TEST_F(GateDirectory, NoDirectoryMeansNoGates) {
    auto found = read_gates(directory_ + "/none");
    ASSERT_TRUE(found);
    EXPECT_TRUE(found->empty());
}

TEST_F(GateDirectory, TheNewGateReplacesTheOldOne) {
    ASSERT_TRUE(write_gate({"db", {"old.service"}}, directory_));
    ASSERT_TRUE(write_gate(gate_, directory_));
    EXPECT_EQ(only().gate, gate_);
    EXPECT_EQ(only().warning, "");
}

TEST_F(GateDirectory, ADamagedGateKeepsEveryUnitThereEverWas) {
    ASSERT_TRUE(write_gate({"db", {"old.service"}}, directory_));
    ASSERT_TRUE(write_gate(gate_, directory_));
    for (const char* name : {"db.gate", "db.gate.last", "db.ever"}) {
        damage(name);
        const auto found = only();
        EXPECT_EQ(found.gate.units, (std::vector<std::string>{"postgresql@15-main.service",
                                                              "backup.timer", "old.service"}))
            << name;
        EXPECT_NE(found.warning, "") << name;
    }
}

TEST_F(GateDirectory, AMissingOrEmptyGateIsNoWayOut) {
    ASSERT_TRUE(write_gate(gate_, directory_));
    fs::remove(directory_ + "/db.gate");
    EXPECT_EQ(only().gate, gate_);
    std::ofstream(directory_ + "/db.gate").flush();
    EXPECT_EQ(only().gate, gate_);
}

TEST_F(GateDirectory, ARemovedModuleIsGone) {
    ASSERT_TRUE(write_gate(gate_, directory_));
    ASSERT_TRUE(remove_gate("db", directory_));
    EXPECT_TRUE(read_gates(directory_)->empty());
    EXPECT_TRUE(remove_gate("db", directory_));
}

TEST_F(GateDirectory, ABadNameIsNotWritten) {
    EXPECT_FALSE(write_gate({"db", {"a.scope"}}, directory_));
    EXPECT_FALSE(write_gate({"../db", {"a.service"}}, directory_));
    EXPECT_TRUE(fs::is_empty(directory_));
}

}  // namespace
}  // namespace ha::io
