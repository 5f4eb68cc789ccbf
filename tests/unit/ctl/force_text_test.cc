#include "ctl/force_text.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "unit/ctl/samples.h"

namespace ha::ctl {
namespace {

/// On one line, as it is read.
std::string shown(const NodeStatus& here, const NodeStatus& other,
                  const std::vector<std::string>& in_sync) {
    auto status = cluster(here, other);
    status.modules[0].known.in_sync = in_sync;
    std::string text = force_text(status.modules[0], "node1");
    for (std::size_t at = text.find("\n    "); at != std::string::npos; at = text.find("\n    ")) {
        text.replace(at, 5, " ");
    }
    return text;
}

NodeStatus unseen(std::uint64_t epoch) {
    NodeStatus status;
    status.node = "node2";
    status.epoch = epoch;
    status.last_seen_unix_ms = 1'700'000'000'000;
    return status;
}

#define SAYS(text, words) EXPECT_NE((text).find(words), std::string::npos) << (text)
#define SAYS_NOT(text, words) EXPECT_EQ((text).find(words), std::string::npos) << (text)

TEST(ForceText, OfALostPrimaryNothingCanBeExcluded) {
    auto here = node("node1", "waiting", "blocked", "peer-needed", "Not seen.");
    here.in_sync = true;
    const auto text = shown(here, unseen(3), {"node1", "node2"});
    SAYS(text,
         "node1 (here) is waiting/blocked; its newest decision known here is number 3, by "
         "which its copy is in sync.");
    SAYS(text, "node2 is NOT SEEN since 2023-11-1");
    SAYS(text, "node2 holds everything that was acknowledged.");
    SAYS(text,
         "whatever node2 acknowledged that did not reach this node; how much that is is not "
         "known.");
    SAYS(text, "That node2 lives and serves cannot be excluded");
}

TEST(ForceText, OfAnOutdatedCopyItSaysSo) {
    const auto text =
        shown(node("node1", "waiting", "blocked", "outdated", "Older."), unseen(4), {"node2"});
    SAYS(text, "OUTDATED. What was acknowledged since is not in it.");
    SAYS(text,
         "GIVEN UP, as soon as node2 is brought up to date: everything that was acknowledged "
         "while this copy was out of sync.");
}

TEST(ForceText, NothingIsMadeUpOfANodeThatWasNeverSeen) {
    auto other = unseen(0);
    other.last_seen_unix_ms = 0;
    auto here = node("node1", "waiting", "blocked", "peer-needed", "Not seen.");
    here.in_sync = true;
    const auto text = shown(here, other, {"node1"});
    SAYS(text, "was not since ha-clusterd started on this node; what it has decided is not known.");
    SAYS(text, "node2 is not in sync.");
}

TEST(ForceText, OfADivergenceTheOtherSideIsGivenUp) {
    auto here = node("node1", "alone", "ready");
    auto other = node("node2", "waiting", "blocked", "diverged", "Both served.");
    here.changed_alone = {7, 2048, false};
    other.changed_alone = {12, 4096, true};
    const auto text = shown(here, other, {"node1"});
    SAYS(text, "node1 changed alone, since it lost the other: 7 operations, 2.0 KiB written.");
    SAYS(text,
         "node2 changed alone, since it lost the other: at least 12 operations, 4.0 KiB "
         "written.");
    SAYS(text, "node2 is seen: waiting/blocked");
    SAYS(text, "everything that node2 changed alone (at least 12 operations, 4.0 KiB written).");
    SAYS_NOT(text, "cannot be excluded");
}

TEST(ForceText, ALivingPrimaryIsNamed) {
    SAYS(shown(node("node1", "waiting", "blocked"), node("node2", "alone", "ready"), {"node2"}),
         "node2 SERVES the module now.");
}

TEST(ForceText, FitsATerminal) {
    auto status = cluster(node("node1", "waiting", "blocked"), unseen(3));
    std::istringstream lines(force_text(status.modules[0], "node1"));
    for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 80U) << line;
}

}  // namespace
}  // namespace ha::ctl
