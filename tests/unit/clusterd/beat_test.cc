#include "clusterd/beat.h"

#include <gtest/gtest.h>

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
}

}  // namespace
}  // namespace ha::clusterd
