#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <optional>
#include <vector>

namespace ha::sim {

/// The state of one copy of the tree: which blocks of the numbered writes it holds. A write has
/// two, and holds if both are there; a power loss may leave one of them. Two copies are equal if
/// and only if their sets are; a write belongs to the zone `number % kZones`.
class WriteSet {
  public:
    static constexpr std::uint32_t kZones = 8;
    static constexpr std::uint32_t kBlocks = 2;
    static constexpr std::uint32_t kWrites = 64 / kBlocks;  // of a word
    static_assert(kWrites % kZones == 0);

    void insert(std::uint32_t write) {
        grow(write / kWrites + 1);
        words_[write / kWrites] |= blocks(write);
    }
    [[nodiscard]] bool has(std::uint32_t write) const {
        return (word(write / kWrites) & blocks(write)) == blocks(write);
    }
    void clear() { words_.clear(); }

    void add(const WriteSet& other) {
        grow(other.words_.size());
        for (std::size_t i = 0; i < other.words_.size(); ++i) words_[i] |= other.words_[i];
    }
    void keep(const WriteSet& other) {
        for (std::size_t i = 0; i < words_.size(); ++i) words_[i] &= other.word(i);
    }
    /// The writes of one zone become those `source` holds.
    void copy_zone(const WriteSet& source, std::uint32_t zone) {
        std::uint64_t mask = 0;
        for (std::uint32_t i = zone; i < kWrites; i += kZones) mask |= blocks(i);
        grow(source.words_.size());
        for (std::size_t i = 0; i < words_.size(); ++i) {
            words_[i] = (words_[i] & ~mask) | (source.word(i) & mask);
        }
    }
    /// For each block in which the two differ, `choose()` says whether `other`'s state is taken.
    template <typename Choose>
    void blend(const WriteSet& other, Choose choose) {
        grow(other.words_.size());
        for (std::size_t i = 0; i < words_.size(); ++i) {
            std::uint64_t differing = words_[i] ^ other.word(i);
            for (; differing != 0; differing &= differing - 1) {
                if (choose()) words_[i] ^= differing & (~differing + 1);
            }
        }
    }
    /// Writes of which one block is there and one is not.
    [[nodiscard]] std::uint64_t torn() const {
        std::uint64_t count = 0;
        for (std::uint64_t one : words_) {
            count += static_cast<std::uint64_t>(std::popcount((one ^ (one >> 1U)) & kFirstBlocks));
        }
        return count;
    }
    /// The first write of this set of which the other lacks a block.
    [[nodiscard]] std::optional<std::uint32_t> first_not_in(const WriteSet& other) const {
        for (std::size_t i = 0; i < words_.size(); ++i) {
            std::uint64_t missing = words_[i] & ~other.word(i);
            if (missing != 0) {
                return static_cast<std::uint32_t>(i) * kWrites +
                       static_cast<std::uint32_t>(std::countr_zero(missing)) / kBlocks;
            }
        }
        return std::nullopt;
    }
    bool operator==(const WriteSet& other) const {
        std::size_t size = std::max(words_.size(), other.words_.size());
        for (std::size_t i = 0; i < size; ++i) {
            if (word(i) != other.word(i)) return false;
        }
        return true;
    }

  private:
    static constexpr std::uint64_t kFirstBlocks = 0x5555555555555555ULL;
    static constexpr std::uint64_t blocks(std::uint32_t write) {
        return std::uint64_t{3} << (write % kWrites * kBlocks);
    }
    [[nodiscard]] std::uint64_t word(std::size_t index) const {
        return index < words_.size() ? words_[index] : 0;
    }
    void grow(std::size_t size) {
        if (words_.size() < size) words_.resize(size);
    }

    std::vector<std::uint64_t> words_;
};

}  // namespace ha::sim
