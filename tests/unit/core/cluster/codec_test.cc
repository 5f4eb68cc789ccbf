#include "core/cluster/codec.h"

#include <gtest/gtest.h>

namespace ha::cluster {
namespace {

Chain sample_chain() {
    Chain chain;
    Decision birth{Epoch{1},     Id128{1, 1}, Id128{}, Node::First, InSync::only(Node::First),
                   Cause::Birth, Id128{}};
    chain.append({birth, true, Confirmation::Birth});
    Decision join{Epoch{2},       Id128{1, 2}, Id128{1, 1}, Node::First,
                  InSync::both(), Cause::Join, Id128{}};
    chain.append({join, false, Confirmation::PeerConsent});
    return chain;
}

Record sample_record() {
    Record record;
    record.module_id = Id128{7, 8};
    record.chain = sample_chain();
    record.outdated = true;
    record.ceding = record.chain.head().decision;
    record.stopped_together = Id128{3, 3};
    record.wanted = true;
    record.open_boot = Id128{9, 9};
    record.restarts = 2;
    return record;
}

Report sample_report() {
    Report report;
    report.serial = 5;
    report.boot = Id128{1, 9};
    report.module_id = Id128{7, 8};
    report.chain = sample_chain();
    report.activity = Activity::Serving;
    report.progress = Progress{77, 1ULL << 40U};
    report.term = Id128{4, 4};
    report.proposal = report.chain.head().decision;
    report.rules = 0x123456789abcdefULL;
    report.state = "primary";
    report.reason = "because";
    return report;
}

TEST(Codec, RecordAndReportReadBack) {
    EXPECT_EQ(*decode_record(encode(sample_record())), sample_record());
    EXPECT_EQ(*decode_report(encode(sample_report())), sample_report());
    Decision decision = sample_chain().head().decision;
    EXPECT_EQ(*decode_decision(encode(decision)), decision);
}

TEST(Codec, EveryTruncationIsRefused) {
    auto record = encode(sample_record());
    auto report = encode(sample_report());
    for (std::size_t n = 0; n < record.size(); ++n) {
        EXPECT_FALSE(decode_record(std::span<const std::byte>(record).first(n))) << n;
    }
    for (std::size_t n = 0; n < report.size(); ++n) {
        EXPECT_FALSE(decode_report(std::span<const std::byte>(report).first(n))) << n;
    }
}

TEST(Codec, ABrokenChainIsRefused) {
    auto bytes = encode(sample_record());
    bytes[2 + 16 + 4 + 7] = std::byte{1};  // the number of the first decision becomes huge
    auto read = decode_record(bytes);
    ASSERT_FALSE(read);
    EXPECT_NE(read.error().text.find("child"), std::string::npos) << read.error().text;
}

TEST(Codec, AnUnknownVersionIsRefused) {
    auto bytes = encode(sample_report());
    bytes[0] = std::byte{9};
    EXPECT_FALSE(decode_report(bytes));
}

}  // namespace
}  // namespace ha::cluster
