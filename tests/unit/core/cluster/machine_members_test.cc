// MachineMembers names every member: each byte of a machine that it does not name is padding.
#include "core/cluster/machine_members.h"

#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <new>

#include "past.h"

namespace ha::cluster {
namespace {

constexpr std::size_t kSize = sizeof(Machine);
using Bytes = std::array<unsigned char, kSize>;

class Named {
  public:
    explicit Named(const Machine& machine)
        : from_(reinterpret_cast<const unsigned char*>(&machine)) {}
    template <typename... All>
    void state(const All&... all) {
        (mark(all), ...);
    }
    template <typename... All>
    void tokens(const All&... all) {
        (mark(all), ...);
    }
    template <typename... All>
    void left_out(const All&... all) {
        (mark(all), ...);
    }
    [[nodiscard]] int times(std::size_t byte) const { return times_[byte]; }

  private:
    template <typename T>
    void mark(const T& member) {
        const auto* at = reinterpret_cast<const unsigned char*>(&member);
        ASSERT_TRUE(at >= from_ && at + sizeof(T) <= from_ + kSize);
        for (std::size_t i = 0; i < sizeof(T); ++i) {
            ++times_[static_cast<std::size_t>(at - from_) + i];
        }
    }
    const unsigned char* from_;
    std::array<int, kSize> times_{};
};

/// What the constructor writes no byte of keeps the pattern it was made in.
Bytes made_in(unsigned char pattern) {
    alignas(Machine) static std::array<unsigned char, kSize> place;
    place.fill(pattern);
    auto* machine =
        new (place.data()) Machine(settings_of(Node::First), Record{}, Id128{1, 1}, Id128{2, 3});
    Bytes bytes{};
    std::memcpy(bytes.data(), place.data(), kSize);
    machine->~Machine();
    return bytes;
}

TEST(MachineMembers, NamesEachOnce) {
    const Machine machine(settings_of(Node::First), Record{}, Id128{1, 1}, Id128{2, 3});
    Named named(machine);
    MachineMembers::visit(machine, named);
    const Bytes zeros = made_in(0x00);
    const Bytes ones = made_in(0xff);
    for (std::size_t i = 0; i < kSize; ++i) {
        EXPECT_LE(named.times(i), 1) << "byte " << i << " of the machine is named twice";
        const bool padding = zeros[i] == 0x00 && ones[i] == 0xff;
        EXPECT_TRUE(padding || named.times(i) == 1) << "byte " << i << " is not named";
    }
}

}  // namespace
}  // namespace ha::cluster
