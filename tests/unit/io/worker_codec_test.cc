#include "io/worker_codec.h"

#include <gtest/gtest.h>

namespace ha::io {
namespace {

// Fields that differ from their defaults, where a message has any: a swapped or forgotten field
// then shows in the second text.
template <typename Variant, std::size_t Index = 0>
void round_trip_every_alternative() {
    if constexpr (Index < std::variant_size_v<Variant>) {
        Variant message(std::in_place_index<Index>);
        auto text = encode(message);
        ASSERT_TRUE(text);
        auto again = [&] {
            if constexpr (std::is_same_v<Variant, api::Order>) return decode_order(*text);
            if constexpr (std::is_same_v<Variant, api::Fact>) return decode_fact(*text);
        }();
        ASSERT_TRUE(again) << *text << ": " << again.error().text;
        EXPECT_EQ(again->index(), Index);
        EXPECT_EQ(*encode(*again), *text);
        round_trip_every_alternative<Variant, Index + 1>();
    }
}

TEST(WorkerCodec, EveryAlternativeRoundTrips) {
    round_trip_every_alternative<api::Order>();
    round_trip_every_alternative<api::Fact>();
}

TEST(WorkerCodec, EveryFieldArrives) {
    api::OpenMirror open{
        "m",          Id128{1, 2}, 1, {{"/data", {"**/x", "y"}}, {"/log", {}}}, 7410, {"10.0.0.1"},
        {"10.0.0.2"}, 100ms,       1s};
    auto back = decode_order(*encode(api::Order(open)));
    ASSERT_TRUE(back) << back.error().text;
    const auto& got = std::get<api::OpenMirror>(*back);
    EXPECT_EQ(got.module, "m");
    EXPECT_EQ(got.module_id, (Id128{1, 2}));
    EXPECT_EQ(got.node, 1);
    ASSERT_EQ(got.paths.size(), 2U);
    EXPECT_EQ(got.paths[0].path, "/data");
    EXPECT_EQ(got.paths[0].exclude, (std::vector<std::string>{"**/x", "y"}));
    EXPECT_EQ(got.port, 7410);
    EXPECT_EQ(got.local_addresses, open.local_addresses);
    EXPECT_EQ(got.peer_addresses, open.peer_addresses);
    EXPECT_EQ(got.heartbeat, 100ms);
    EXPECT_EQ(got.silent_after, 1s);
}

TEST(WorkerCodec, FiguresAreBounded) {
    const auto read = [](std::uint64_t operations, std::uint64_t bytes) {
        return decode_fact(*encode(api::Fact(api::ChangedAlone{{1, 2}, operations, bytes, true})));
    };
    auto fact = read(12, api::kMaxChangedAlone);
    ASSERT_TRUE(fact) << fact.error().text;
    EXPECT_EQ(std::get<api::ChangedAlone>(*fact),
              (api::ChangedAlone{{1, 2}, 12, api::kMaxChangedAlone, true}));
    EXPECT_FALSE(read(api::kMaxChangedAlone + 1, 0));
    EXPECT_FALSE(read(0, api::kMaxChangedAlone + 1));
}

TEST(WorkerCodec, WhatIsSaidOfATreeArrives) {
    api::MirrorOpened opened;
    opened.never_stamped = true;
    opened.progress = 77;
    opened.peer_progress = 1ULL << 40U;
    auto fact = decode_fact(*encode(api::Fact(opened)));
    ASSERT_TRUE(fact) << fact.error().text;
    EXPECT_TRUE(std::get<api::MirrorOpened>(*fact).never_stamped);
    EXPECT_EQ(std::get<api::MirrorOpened>(*fact).progress, 77U);
    EXPECT_EQ(std::get<api::MirrorOpened>(*fact).peer_progress, 1ULL << 40U);
    EXPECT_FALSE(std::get<api::MirrorOpened>(*fact).compared);
}

TEST(WorkerCodec, WhatAClosingMadeDurableArrives) {
    auto order = decode_order(*encode(api::Order(api::CloseMirror{true, {"/data", "/log"}})));
    ASSERT_TRUE(order) << order.error().text;
    const auto& close = std::get<api::CloseMirror>(*order);
    EXPECT_TRUE(close.together);
    EXPECT_EQ(close.paths, (std::vector<std::string>{"/data", "/log"}));
    for (bool durable : {false, true}) {
        auto fact = decode_fact(*encode(api::Fact(api::MirrorClosed{durable})));
        ASSERT_TRUE(fact) << fact.error().text;
        EXPECT_EQ(std::get<api::MirrorClosed>(*fact).durable, durable);
    }
    EXPECT_FALSE(decode_fact(R"({"type":"MirrorClosed"})"));
}

TEST(WorkerCodec, NumbersKeepTheirRange) {
    constexpr auto kMost = ~std::uint64_t{0};
    auto fact =
        decode_fact(*encode(api::Fact(api::Sealed{Epoch{kMost}, Id128{3, 4}, Sequence{9}})));
    ASSERT_TRUE(fact) << fact.error().text;
    EXPECT_EQ(std::get<api::Sealed>(*fact).epoch.value, kMost);
    EXPECT_EQ(std::get<api::Sealed>(*fact).last.value, 9U);
}

TEST(WorkerCodec, BytesThatAreNotUtf8AreReplaced) {
    auto fact = decode_fact(*encode(api::Fact(api::MirrorFailed{"io-error", "file \xff\xfe"})));
    ASSERT_TRUE(fact) << fact.error().text;
    EXPECT_EQ(std::get<api::MirrorFailed>(*fact).text, "file \xef\xbf\xbd\xef\xbf\xbd");
}

TEST(WorkerCodec, OversizeIsRefusedBothWays) {
    EXPECT_FALSE(encode(api::Fact(api::MirrorFailed{"x", std::string(kMaxWorkerMessage, 'a')})));
    EXPECT_FALSE(decode_fact(std::string(kMaxWorkerMessage + 1, ' ')));
}

struct Hostile {
    const char* text;
    const char* problem;
};

TEST(WorkerCodec, HostileTextsAreRefusedWithAReason) {
    const Hostile table[] = {
        {"", "the message is not a JSON object"},
        {"{", "the message is not a JSON object"},
        {"[]", "the message is not a JSON object"},
        {"{}", "the message has no type"},
        {R"({"type":3})", "the message has no type"},
        {R"({"type":"Sealed2"})", "unknown type of message \"Sealed2\""},
        {R"({"type":"SealMirror","epoch":1})", "unknown type of message \"SealMirror\""},
        {R"({"type":"MadeDurable"})", "MadeDurable: field token is missing"},
        {R"({"type":"MadeDurable","token":"1"})", "MadeDurable: field token has a wrong value"},
        {R"({"type":"MadeDurable","token":-1})", "MadeDurable: field token has a wrong value"},
        {R"({"type":"MadeDurable","token":1.5})", "MadeDurable: field token has a wrong value"},
        {R"({"type":"MadeDurable","token":18446744073709551616})",
         "MadeDurable: field token has a wrong value"},
        {R"({"type":"MadeDurable","token":1,"x":2})", "MadeDurable: there are unknown fields"},
        {R"({"type":"MirrorEvidence","age_ns":9223372036854775808})",
         "MirrorEvidence: field age_ns has a wrong value"},
        {R"({"type":"StreamUp","term":"12"})", "StreamUp: field term has a wrong value"},
        {R"({"type":"WorkerHello","kind":"king","module":"","protocol":1})",
         "WorkerHello: field kind has a wrong value"},
        {R"({"type":"WorkerHello","kind":"vip","module":"a\u0000b","protocol":1})",
         "WorkerHello: field module has a wrong value"},
        {R"({"type":"WorkerHello","kind":"vip","module":"","protocol":4294967296})",
         "WorkerHello: field protocol has a wrong value"},
    };
    for (const auto& each : table) {
        auto fact = decode_fact(each.text);
        ASSERT_FALSE(fact) << each.text;
        EXPECT_EQ(fact.error().text, each.problem) << each.text;
    }
}

TEST(WorkerCodec, EveryTruncationAndDepthIsRefused) {
    auto text = *encode(api::Order(api::StartUnits{"m", {"a.service", "b.service"}}));
    for (std::size_t length = 0; length < text.size(); ++length) {
        EXPECT_FALSE(decode_order(text.substr(0, length)));
    }
    EXPECT_FALSE(decode_order(std::string(500000, '[')));
    EXPECT_FALSE(decode_order(std::string(500000, '[') + std::string(500000, ']')));
}

}  // namespace
}  // namespace ha::io
