#include "io/witness_config.h"

#include <gtest/gtest.h>

namespace ha::io {
namespace {

TEST(WitnessConfig, IsTheRecordAndBack) {
    config::WitnessConfig witness{{"10.0.9.9", "10.0.8.9"}, 7500, "", Id128{3, 4}};
    for (int i = 0; i < 32; ++i) witness.key += "4f";
    EXPECT_TRUE(config::check(witness).empty());
    const auto record = record_of(witness);
    EXPECT_EQ(record.addresses, witness.addresses);
    EXPECT_EQ(record.port, 7500);
    EXPECT_EQ(record.key.bytes[31], std::byte{0x4f});
    EXPECT_EQ(record.store, (Id128{3, 4}));
    EXPECT_EQ(config_of(record), witness);
}

}  // namespace
}  // namespace ha::io
