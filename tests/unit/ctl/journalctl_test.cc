#include "ctl/journalctl.h"

#include <gtest/gtest.h>

namespace ha::ctl {
namespace {

using Words = std::vector<std::string>;

LogsWanted db() {
    LogsWanted wanted;
    wanted.module = "db";
    wanted.units = {"db.service"};
    return wanted;
}

TEST(Journalctl, ShowsWhatBelongsToTheModuleInOneStream) {
    EXPECT_EQ(journalctl_words(db()).value(),
              (Words{"--lines=100",
                     "_SYSTEMD_UNIT=db.service",
                     "_SYSTEMD_UNIT=ha-primary@db.target",
                     "_SYSTEMD_UNIT=ha-replicatord@db.service",
                     "+",
                     "_PID=1",
                     "UNIT=db.service",
                     "UNIT=ha-primary@db.target",
                     "UNIT=ha-replicatord@db.service",
                     "+",
                     "_UID=0",
                     "OBJECT_SYSTEMD_UNIT=db.service",
                     "OBJECT_SYSTEMD_UNIT=ha-primary@db.target",
                     "OBJECT_SYSTEMD_UNIT=ha-replicatord@db.service",
                     "+",
                     "_UID=0",
                     "MESSAGE_ID=fc2e22bc6ee647b6b90729ab34a250b1",
                     "COREDUMP_UNIT=db.service",
                     "COREDUMP_UNIT=ha-primary@db.target",
                     "COREDUMP_UNIT=ha-replicatord@db.service",
                     "+",
                     "_UID=0",
                     "HAMIRROR_MODULE=db"}));
}

TEST(Journalctl, SinceIsAllSinceThen) {
    auto wanted = db();
    wanted.since = "-1h";
    EXPECT_EQ(journalctl_words(wanted)->at(0), "--since=-1h");
    EXPECT_EQ(journalctl_words(wanted)->at(1), "_SYSTEMD_UNIT=db.service");
    wanted.lines = 7;
    wanted.follow = true;
    const auto words = journalctl_words(wanted).value();
    EXPECT_EQ(Words(words.begin(), words.begin() + 3),
              (Words{"--follow", "--since=-1h", "--lines=7"}));
}

TEST(Journalctl, IsGivenNothingThatCouldMeanSomethingElse) {
    for (const char* name : {"", "-f", "--file=x", "a b", "_UID=1", "+"}) {
        auto wanted = db();
        wanted.module = name;
        EXPECT_FALSE(journalctl_words(wanted)) << name;
        wanted = db();
        wanted.units = {"db.service", name};
        EXPECT_FALSE(journalctl_words(wanted)) << name;
    }
}

}  // namespace
}  // namespace ha::ctl
