#include "clusterd/control_protocol.h"

#include <gtest/gtest.h>

namespace ha::clusterd {
namespace {

std::vector<ControlMessage> samples() {
    return {ControlHello{kControlVersion, "node1", Id128{1, 2}},
            ModuleReport{"pg", {std::byte{1}, std::byte{2}}},
            ControlRequest{7, ControlRequest::Verb::InstallModule, "pg.yaml", "module: pg\n"},
            ControlRequest{8, ControlRequest::Verb::SetWitness, "", "port: 7401\n"},
            ControlRequest{9, ControlRequest::Verb::Swap, "pg", "node1", Instant(5s)},
            ControlReply{7, false, "Refused", "no"}};
}

TEST(ControlProtocol, EveryMessageReadsBack) {
    for (const auto& sample : samples()) {
        auto bytes = encode(sample);
        auto read = decode_control(bytes);
        ASSERT_TRUE(read) << read.error().text;
        EXPECT_EQ(encode(*read), bytes);
    }
}

TEST(ControlProtocol, EveryTruncationIsRefused) {
    for (const auto& sample : samples()) {
        auto bytes = encode(sample);
        for (std::size_t n = 0; n < bytes.size(); ++n) {
            EXPECT_FALSE(decode_control(std::span<const std::byte>(bytes).first(n)));
        }
        bytes.push_back(std::byte{0});
        EXPECT_FALSE(decode_control(bytes));
    }
}

TEST(ControlProtocol, UnknownTypesAndVerbsAreRefused) {
    auto bytes = encode(samples()[0]);
    bytes[0] = std::byte{9};
    EXPECT_FALSE(decode_control(bytes));
    bytes = encode(samples()[2]);
    for (int verb : {static_cast<int>(ControlRequest::Verb::Restart) + 1, 200}) {
        bytes[9] = static_cast<std::byte>(verb);
        EXPECT_FALSE(decode_control(bytes));
    }
}

}  // namespace
}  // namespace ha::clusterd
