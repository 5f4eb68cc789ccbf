#include "clusterd/beat.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "core/config/config.h"
#include "io/heartbeat_codec.h"

namespace ha::clusterd {
namespace {

Beat of_all_modules(std::size_t count) {
    Beat beat;
    for (std::size_t i = 0; i < count; ++i) {
        ModuleBeat module;
        module.module = std::string(29, 'm') + std::to_string(10 + i);
        module.newest = Epoch{i};
        module.alone = {{i, 1}, 12, api::kMaxChangedAlone, i % 2 == 0};
        beat.modules.push_back(module);
    }
    return beat;
}

TEST(Beat, AsManyModulesAsThereMayBeFit) {
    auto beat = of_all_modules(config::kMaxModules);
    beat.probe = 7;
    beat.echo = 5;
    const auto bytes = encode(beat);
    EXPECT_LE(bytes.size(), io::kMaxHeartbeatPayload);
    auto read = decode_beat(bytes);
    ASSERT_TRUE(read) << read.error().text;
    EXPECT_EQ(read->probe, 7U);
    EXPECT_EQ(read->echo, 5U);
    EXPECT_EQ(read->modules.size(), config::kMaxModules);
    EXPECT_EQ(read->modules.back().module, beat.modules.back().module);
    for (std::size_t i = 0; i < config::kMaxModules; ++i) {
        EXPECT_EQ(read->modules[i].alone, beat.modules[i].alone);
    }
}

TEST(Beat, FiguresAreChecked) {
    const auto reads = [](const api::ChangedAlone& alone) {
        Beat beat = of_all_modules(1);
        beat.modules[0].alone = alone;
        return decode_beat(encode(beat)).has_value();
    };
    EXPECT_TRUE(reads({}));
    EXPECT_TRUE(reads({{1, 1}, api::kMaxChangedAlone, api::kMaxChangedAlone, true}));
    EXPECT_FALSE(reads({{1, 1}, api::kMaxChangedAlone + 1, 0, false}));
    EXPECT_FALSE(reads({{1, 1}, 0, api::kMaxChangedAlone + 1, false}));
    auto bytes = encode(of_all_modules(1));
    const std::size_t kind = bytes.size() - 33;
    ASSERT_EQ(bytes[kind], std::byte{2});
    bytes[kind] = std::byte{3};
    EXPECT_FALSE(decode_beat(bytes));
    bytes[kind] = std::byte{2};
    std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(kind) + 1, 16, std::byte{});
    EXPECT_FALSE(decode_beat(bytes)) << "of no decision";
    for (std::size_t length = 0; length < bytes.size(); ++length) {
        EXPECT_FALSE(decode_beat(std::span(bytes).first(length))) << length;
    }
}

}  // namespace
}  // namespace ha::clusterd
