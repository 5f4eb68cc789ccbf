#include "replicatord/store.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/assert.h"
#include "base/bytes.h"
#include "io/durable_file.h"
#include "replicatord/tree.h"

namespace ha::replicatord {
namespace {

constexpr std::uint16_t kVersion = 1;
constexpr std::size_t kLimit = 4096;

}  // namespace

Store::Store(std::string path, const State& state)
    : path_(std::move(path)), state_(state), counter_(state.id_bound) {}

Result<std::unique_ptr<Store>> Store::open(const std::string& directory) {
    if (auto made = io::make_directories_durable(directory, 0700); !made)
        return tl::unexpected(made.error());
    const std::string path = directory + "/state";
    auto state = load(path);
    if (!state) return tl::unexpected(state.error());
    return std::unique_ptr<Store>(new Store(path, *state));
}

Result<Store::State> Store::load(const std::string& path) {
    auto content = io::read_durable(path, kLimit);
    if (!content) return tl::unexpected(content.error());
    State state;
    // The first counters are left to the roots, whatever epoch they are minted under.
    state.id_bound = Tree::kFirstMinted;
    if (!content->has_value()) return state;
    ByteReader reader(**content);
    const std::uint16_t version = reader.u16();
    if (version != kVersion)
        return fail(path + " was written by another version of hamirror (format " +
                    std::to_string(version) + ")");
    state.id_bound = reader.u64();
    state.stamps.current = reader.u64();
    state.stamps.next = reader.u64();
    state.sealed_floor = Epoch{reader.u64()};
    if (!reader.done()) return fail(path + " is damaged: wrong length", EBADMSG);
    if (auto settled = io::settle_durable(path); !settled) return tl::unexpected(settled.error());
    return state;
}

Result<> Store::save(const State& state) {
    std::vector<std::byte> content;
    ByteWriter writer(content);
    writer.u16(kVersion);
    writer.u64(state.id_bound);
    writer.u64(state.stamps.current);
    writer.u64(state.stamps.next);
    writer.u64(state.sealed_floor.value);
    auto written = io::write_durable(path_, content);
    if (written) state_ = state;
    return written;
}

void Store::set_minting(Epoch epoch, unsigned node) {
    HA_ASSERT(epoch.value >= 1 && epoch.value <= kMaxEpoch && node <= 1);
    std::scoped_lock lock(mutex_);
    minting_ = epoch.value << 41U | static_cast<std::uint64_t>(node) << 40U;
}

FileId Store::mint() {
    std::scoped_lock lock(mutex_);
    if (minting_ == 0) return {};
    if (counter_ == state_.id_bound) {
        State next = state_;
        next.id_bound += kBlock;
        if (next.id_bound > kMaxCounter || !save(next)) return {};
    }
    return FileId{minting_ | counter_++};
}

std::uint64_t Store::id_bound() const {
    std::scoped_lock lock(mutex_);
    return state_.id_bound;
}

Store::Stamps Store::stamps() const {
    std::scoped_lock lock(mutex_);
    return state_.stamps;
}

Result<std::uint64_t> Store::prepare_stamp() {
    std::scoped_lock lock(mutex_);
    if (state_.stamps.next != 0) return state_.stamps.next;
    State next = state_;
    next.stamps.next = next.stamps.current + 1;
    if (auto saved = save(next); !saved) return tl::unexpected(saved.error());
    return next.stamps.next;
}

Result<> Store::commit_stamp() {
    std::scoped_lock lock(mutex_);
    HA_ASSERT(state_.stamps.next != 0);
    State next = state_;
    next.stamps = Stamps{state_.stamps.next, 0};
    return save(next);
}

Epoch Store::sealed_floor() const {
    std::scoped_lock lock(mutex_);
    return state_.sealed_floor;
}

Result<> Store::seal(Epoch floor) {
    std::scoped_lock lock(mutex_);
    if (floor <= state_.sealed_floor) return {};
    State next = state_;
    next.sealed_floor = floor;
    return save(next);
}

}  // namespace ha::replicatord
