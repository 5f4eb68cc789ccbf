#include "io/etcd_wire.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace ha::io {
namespace {

using nlohmann::json;
using ports::RegisterOutcome;
using ports::RegisterRefusal;

const EtcdStore kStore{"/hamirror", {0, 10}};
constexpr const char* kZeros = "0000000000000000";

std::vector<std::byte> hi() {
    return {std::byte{'h'}, std::byte{'i'}};
}

ports::RegisterRequest exchange() {
    return {"db", {kStore.id, 7}, ports::RegisterExchange{{0, 1}, {{0, 2}, hi()}}};
}

/// The example of docs/etcd.md.
TEST(EtcdWire, AnExchangeIsOneTransaction) {
    auto sent = json::parse(etcd_exchange(kStore, "db", 7, *exchange().exchange));
    auto expected = json::parse(R"({
      "compare": [
        {"key": "STORE", "target": "VALUE", "result": "EQUAL", "value": "aGFtaXJyb3ItcmVnaXN0ZXIgMQ=="},
        {"key": "STORE", "target": "VERSION", "result": "GREATER", "version": "7"},
        {"key": "MODULE", "target": "VALUE", "result": "GREATER",
         "value": "MDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDE="},
        {"key": "MODULE", "target": "VALUE", "result": "LESS",
         "value": "MDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDEL"}],
      "success": [
        {"request_put": {"key": "STORE", "value": "aGFtaXJyb3ItcmVnaXN0ZXIgMQ=="}},
        {"request_put": {"key": "MODULE",
                         "value": "MDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDIKaGk="}},
        {"request_range": {"key": "STORE"}}, {"request_range": {"key": "MODULE"}}],
      "failure": [{"request_range": {"key": "STORE"}}, {"request_range": {"key": "MODULE"}}]})");
    const auto store = sent["compare"][0]["key"];
    const auto module = sent["compare"][2]["key"];
    EXPECT_EQ(store, "L2hhbWlycm9yLzAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDBhL3N0b3Jl");
    auto text = expected.dump();
    for (auto [word, key] : {std::pair{"STORE", store}, std::pair{"MODULE", module}}) {
        for (auto at = text.find(word); at != std::string::npos; at = text.find(word)) {
            text.replace(at, std::string(word).size(), key.get<std::string>());
        }
    }
    EXPECT_EQ(sent, json::parse(text));
}

TEST(EtcdWire, ABirthWantsTheKeyAbsent) {
    auto wanted = *exchange().exchange;
    wanted.expected = {};
    auto sent = json::parse(etcd_exchange(kStore, "db", 0, wanted));
    EXPECT_EQ(sent["compare"][2]["target"], "CREATE");
    EXPECT_EQ(sent["compare"][2]["create_revision"], "0");
}

/// What an etcd 3.4 answers when the exchange of the example is won.
std::string answered() {
    return R"({"header":{"cluster_id":"14841639068965178418","revision":"31"},"succeeded":true,"responses":[
      {"response_put":{"header":{"revision":"31"}}},{"response_put":{"header":{"revision":"31"}}},
      {"response_range":{"kvs":[{"key":"L2hhbWlycm9yLzAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDBhL3N0b3Jl",
        "version":"9","value":"aGFtaXJyb3ItcmVnaXN0ZXIgMQ=="}],"count":"1"}},
      {"response_range":{"kvs":[{"key":
        "L2hhbWlycm9yLzAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDBhL21vZHVsZXMvZGI=",
        "version":"2","value":"MDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDIKaGk="}],"count":"1"}}]})";
}

TEST(EtcdWire, TheAnswerOfTheExample) {
    auto view = decode_etcd_view(answered(), kStore, "db");
    ASSERT_TRUE(view) << view.error().text;
    auto answer = answer_of(*view, kStore, exchange(), 7);
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->outcome, RegisterOutcome::Won);
    EXPECT_EQ(answer->stamp, (ports::RegisterStamp{kStore.id, 8}));
    EXPECT_EQ(answer->current, exchange().exchange->value);
    EXPECT_EQ(view->cluster, 14841639068965178418U);
}

TEST(EtcdWire, WhatIsNoAnswerIsNone) {
    const std::string good = answered();
    for (std::size_t size = 0; size + 1 < good.size(); size += 7) {
        EXPECT_FALSE(decode_etcd_view(good.substr(0, size), kStore, "db")) << size;
    }
    for (const char* text :
         {"null", "[]", "{}", R"({"responses":3})", R"({"responses":[]})",
          R"({"responses":[{"response_range":{}}]})",
          R"({"responses":[{"response_range":{}},{"response_range":{"kvs":3}}]})",
          R"({"responses":[1,2,{"response_range":3},{"response_range":[]},
                                 {"response_range":{}}]})"}) {
        EXPECT_FALSE(decode_etcd_view(text, kStore, "db")) << text;
        auto headed = std::string(text);
        if (headed.starts_with("{\"")) headed.insert(1, R"("header":{"cluster_id":"1"},)");
        EXPECT_FALSE(decode_etcd_view(headed, kStore, "db")) << headed;
    }
    auto headless = good;
    headless.replace(headless.find("cluster_id"), 10, "member_ids");
    EXPECT_FALSE(decode_etcd_view(headless, kStore, "db")) << "of no cluster";
    EXPECT_FALSE(decode_etcd_view(good, kStore, "other")) << "another key than was asked for";
    EXPECT_FALSE(decode_etcd_view(good, {"/hamirror", {0, 11}}, "db"));
}

TEST(EtcdWire, FlippedBytesAreNeverAnotherValue) {
    const std::string good = answered();
    for (std::size_t at = 0; at < good.size(); ++at) {
        auto bad = good;
        bad[at] = static_cast<char>(bad[at] ^ 0x10);
        (void)decode_etcd_view(bad, kStore, "db");  // ends, and ASan has nothing to say
    }
}

EtcdView view(std::uint64_t version, const std::string& store, std::optional<std::string> module) {
    EtcdView out;
    out.store = {store, version};
    if (module) out.module = {*module, 1};
    return out;
}

TEST(EtcdWire, WhatTheStoreSaysOfItself) {
    const std::string whole = "hamirror-register 1";
    const std::string first = kZeros + std::string(kZeros).replace(15, 1, "1") + "\n";
    auto refusal = [&](const EtcdView& shown) {
        return answer_of(shown, kStore, exchange(), 7).value().refusal;
    };
    EXPECT_EQ(refusal({}), RegisterRefusal::NotPaired);
    EXPECT_EQ(refusal(view(9, "", first)), RegisterRefusal::Damaged);
    EXPECT_EQ(refusal(view(9, whole + " ", first)), RegisterRefusal::Damaged);
    EXPECT_EQ(refusal(view(9, "hamirror-register 2", first)), RegisterRefusal::Version);
    EXPECT_EQ(refusal(view(9, whole + " behind 20", first)), RegisterRefusal::Behind);
    for (const auto& bad : {std::string(), std::string("x"), first.substr(0, 32),
                            std::string(kZeros) + kZeros + "\n", first + std::string(2049, 'x')}) {
        EXPECT_EQ(refusal(view(9, whole, bad)), RegisterRefusal::Damaged) << bad;
    }
    EXPECT_FALSE(answer_of(view(7, whole, first), kStore, exchange(), 7)) << "to be marked";
    EXPECT_TRUE(answer_of(view(8, whole, first), kStore, exchange(), 7));
    const std::string ours = kZeros + std::string(kZeros).replace(15, 1, "2") + "\n";
    EXPECT_EQ(refusal(view(9, whole, ours + "ho")), RegisterRefusal::Conflict);
    EXPECT_EQ(answer_of(view(9, whole, ours + "hi"), kStore, exchange(), 7)->outcome,
              RegisterOutcome::Won);
    EXPECT_EQ(answer_of(view(9, whole, std::nullopt), kStore, exchange(), 7)->outcome,
              RegisterOutcome::Lost);
}

TEST(EtcdWire, OnlyWhatIsKnownToBeRefusedIsRefused) {
    auto of = [](const std::string& words, int status = 503) {
        return decode_etcd_error(status, json{{"error", words}, {"code", 14}}.dump());
    };
    EXPECT_EQ(of("etcdserver: request timed out").fault, EtcdFault::Unknown);
    EXPECT_EQ(of("etcdserver: leader changed").fault, EtcdFault::Unknown);
    EXPECT_EQ(of("transport is closing").fault, EtcdFault::Unknown);
    EXPECT_EQ(of("etcdserver: too many requests").fault, EtcdFault::Later);
    EXPECT_EQ(of("etcdserver: invalid auth token").fault, EtcdFault::Token);
    EXPECT_EQ(of("etcdserver: permission denied").refusal, RegisterRefusal::NotPaired);
    EXPECT_EQ(of("etcdserver: mvcc: database space exceeded").refusal, RegisterRefusal::Unwritable);
    EXPECT_EQ(decode_etcd_error(502, "<html>").fault, EtcdFault::Unknown);
    EXPECT_EQ(decode_etcd_error(404, "404 page not found").refusal, RegisterRefusal::Version);
    EXPECT_EQ(decode_etcd_error(500, R"({"message":"etcdserver: corrupt cluster"})").refusal,
              RegisterRefusal::Damaged);
    EXPECT_EQ(decode_etcd_error(500, "\x1b[31m\xff").text, "etcd says:  [31m  (500)");
}

TEST(EtcdWire, ATokenIsOneWord) {
    EXPECT_EQ(decode_etcd_token(R"({"token":"abc.1"})").value(), "abc.1");
    EXPECT_FALSE(decode_etcd_token(R"({"token":"abc\r\nHost: x"})"));
    EXPECT_FALSE(decode_etcd_token(R"({"token":""})"));
    EXPECT_FALSE(decode_etcd_token("[]"));
}

}  // namespace
}  // namespace ha::io
