#include "io/pairing_token.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cctype>
#include <filesystem>

namespace ha::io {
namespace {

class Tokens : public testing::Test {
  protected:
    std::string directory_ = testing::TempDir() + "/tokens." + std::to_string(getpid());
    Instant now_{100s};
    TokenStore store_{directory_, [this] { return now_; }};
    Fingerprint issuer_ = *Fingerprint::parse(std::string(64, 'a'));

    void TearDown() override { std::filesystem::remove_all(directory_); }
    TokenStore::State state() { return store_.current().value().state; }
};

TEST_F(Tokens, TextAndBackAsPeopleTypeIt) {
    auto token = store_.issue(issuer_).value();
    auto text = token.text();
    EXPECT_EQ(text.size(), 56U + 13U);
    auto lower = text;
    for (char& c : lower) {
        c = static_cast<char>(std::tolower(c));
        if (c == '0') c = 'o';
        if (c == '1') c = 'l';
        if (c == '-') c = ' ';
    }
    for (const auto& typed : {text, lower, " " + text + "\n"}) {
        auto parsed = PairingToken::parse(typed);
        ASSERT_TRUE(parsed) << typed;
        EXPECT_EQ(parsed->secret, token.secret);
        EXPECT_TRUE(parsed->names(issuer_));
    }
    EXPECT_FALSE(token.names(*Fingerprint::parse(std::string(64, 'b'))));
}

TEST_F(Tokens, AnyWrongDigitIsSeen) {
    auto text = store_.issue(issuer_).value().text();
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '-') continue;
        auto wrong = text;
        wrong[i] = wrong[i] == '7' ? '8' : '7';
        EXPECT_FALSE(PairingToken::parse(wrong)) << i;
    }
    EXPECT_FALSE(PairingToken::parse(""));
    EXPECT_FALSE(PairingToken::parse(text.substr(1)));
    EXPECT_FALSE(PairingToken::parse(text + "7"));
    EXPECT_FALSE(PairingToken::parse(text + "!"));
}

TEST_F(Tokens, ATokenEnds) {
    EXPECT_EQ(state(), TokenStore::State::None);
    auto token = store_.issue(issuer_).value();
    EXPECT_EQ(state(), TokenStore::State::Open);
    EXPECT_EQ(store_.current()->secret, token.secret);
    now_ += kTokenLife - 1ms;
    EXPECT_EQ(state(), TokenStore::State::Open);
    now_ += 1ms;
    EXPECT_EQ(state(), TokenStore::State::Expired);
    (void)store_.issue(issuer_);
    EXPECT_EQ(state(), TokenStore::State::Open);
    EXPECT_TRUE(store_.use_up());
    EXPECT_EQ(state(), TokenStore::State::Used);
    EXPECT_EQ(store_.current()->secret, (std::array<std::byte, 16>{}));
}

TEST_F(Tokens, FiveWrongTriesAreTheLast) {
    (void)store_.issue(issuer_);
    for (int i = 0; i < 4; ++i) EXPECT_TRUE(store_.count_wrong_attempt());
    EXPECT_EQ(state(), TokenStore::State::Open);
    EXPECT_TRUE(store_.count_wrong_attempt());
    EXPECT_EQ(state(), TokenStore::State::Burnt);
}

}  // namespace
}  // namespace ha::io
