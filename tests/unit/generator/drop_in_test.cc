#include "generator/drop_in.h"

#include <gtest/gtest.h>

namespace ha::generator {
namespace {

TEST(DropIn, AServiceAsksTheGate) {
    EXPECT_EQ(drop_in("postgresql@15-main.service", {{"postgresql", {}, {}}}),
              "# Written by hamirror-generator(8) from /etc/hamirror/gate.d.\n"
              "[Unit]\n"
              "PartOf=ha-primary@postgresql.target\n"
              "After=ha-primary@postgresql.target\n"
              "Documentation=man:hamirror-gate(8)\n"
              "\n"
              "[Service]\n"
              "ExecCondition=+/usr/lib/hamirror/gate postgresql\n");
}

TEST(DropIn, OtherUnitsHaveACondition) {
    const auto text = drop_in("backup.timer", {{"db", {}, {}}});
    EXPECT_NE(text.find("ConditionPathExists=/run/hamirror/primary/db\n"), std::string::npos);
    EXPECT_EQ(text.find("[Service]"), std::string::npos);
}

TEST(DropIn, AUnitOfTwoModulesNeedsBoth) {
    const auto texts = drop_ins({{{"a", {"x.service"}, {}}, ""}, {{"b", {"x.service"}, {}}, ""}});
    ASSERT_EQ(texts.size(), 1U);
    const auto& text = texts.at("x.service");
    EXPECT_NE(text.find("gate a\n"), std::string::npos);
    EXPECT_NE(text.find("gate b\n"), std::string::npos);
}

// As systemd-escape --path --suffix=mount has it.
TEST(DropIn, MountUnitsAreNamedAsSystemdDoes) {
    EXPECT_EQ(mount_unit("/srv/data"), "srv-data.mount");
    EXPECT_EQ(mount_unit("//srv/my-data//"), "srv-my\\x2ddata.mount");
    EXPECT_EQ(mount_unit("/.a/.b c"), "\\x2ea-.b\\x20c.mount");
    EXPECT_EQ(mount_unit("/"), "-.mount");
    EXPECT_EQ(mount_unit("/\xc3\xa4"), "\\xc3\\xa4.mount");
}

TEST(DropIn, TheApplicationStopsBeforeTheMirrorIsUnmounted) {
    const auto texts = drop_ins({{{"db", {"db.service", "srv-db.mount"}, {"/srv/db"}}, ""}});
    EXPECT_NE(texts.at("db.service").find("\nAfter=srv-db.mount\n"), std::string::npos);
    EXPECT_EQ(texts.at("db.service").find("Requires"), std::string::npos);
    EXPECT_NE(texts.at("ha-replicatord@db.service").find("\nAfter=srv-db.mount\n"),
              std::string::npos);
    EXPECT_EQ(texts.at("srv-db.mount").find("After=srv-db.mount"), std::string::npos);
}

}  // namespace
}  // namespace ha::generator
