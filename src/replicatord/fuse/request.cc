#include "replicatord/fuse/request.h"

#include "replicatord/fuse/session.h"

namespace ha::replicatord::fuse {

std::span<const std::byte> Request::rest(std::size_t skip) const {
    const std::size_t start = sizeof(fuse_in_header) + skip;
    HA_ASSERT(header().len >= start);
    // Extensions (groups, security contexts) stand at the end.
    const std::size_t extensions = std::size_t{header().total_extlen} * 8;
    HA_ASSERT(header().len - start >= extensions);
    return {buffer_ + start, header().len - start - extensions};
}

std::optional<std::string> Request::text(std::size_t& skip) const {
    auto bytes = rest(skip);
    const void* end = std::memchr(bytes.data(), 0, bytes.size());
    if (end == nullptr) return std::nullopt;
    const auto length = static_cast<std::size_t>(static_cast<const std::byte*>(end) - bytes.data());
    skip += length + 1;
    return std::string(reinterpret_cast<const char*>(bytes.data()), length);
}

void Request::finish(int error) {
    std::span<const std::byte> body;
    if (error == 0) body = {head_->reply.data(), head_->reply_size};
    session_->answer(*this, error, body);
}

bool Request::finish_with(std::span<const std::byte> reply) {
    return session_->answer(*this, 0, reply);
}

void Request::no_reply() {
    session_->give_slot(*this);
}

void Request::expect_parts(int count) {
    part_error_.store(0, std::memory_order_relaxed);
    parts_.store(count, std::memory_order_release);
}

std::optional<int> Request::part_done(int error) {
    int none = 0;
    if (error != 0) part_error_.compare_exchange_strong(none, error);
    if (parts_.fetch_sub(1, std::memory_order_acq_rel) != 1) return std::nullopt;
    return part_error_.load(std::memory_order_relaxed);
}

}  // namespace ha::replicatord::fuse
