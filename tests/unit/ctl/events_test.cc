#include <gtest/gtest.h>

#include "ctl/journal.h"
#include "ctl/verbs.h"

namespace ha::ctl {
namespace {

TEST(Events, TheModuleIsNamedOnce) {
    JournalEvent event;
    event.module = "db";
    event.text = "db: the other node is silent.";
    EXPECT_EQ(text_alone(event), "the other node is silent.");
    event.text = "Module db: its units run.";
    EXPECT_EQ(text_alone(event), "its units run.");
    event.text = "The configuration of module db is installed.";
    EXPECT_EQ(text_alone(event), event.text);
}

// Whether this user may read the system's journal or not.
TEST(Events, OfAnUnknownModuleAreRefused) {
    Options options;
    options.module = "no-such-module";
    auto shown = run_events(options);
    ASSERT_FALSE(shown);
    EXPECT_EQ(shown.error().exit, Exit::Refused);
    EXPECT_FALSE(shown.error().text.empty());
}

}  // namespace
}  // namespace ha::ctl
