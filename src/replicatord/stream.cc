#include "replicatord/stream.h"

#include <thread>

#include "io/clock.h"

namespace ha::replicatord {
namespace {

using replication::Frame;
using replication::FrameReader;

constexpr std::size_t kReadSize = 256U << 10;

Result<> write_frames(Channel& channel, const std::vector<replication::SharedFrame>& frames,
                      std::vector<std::byte>& buffer) {
    if (frames.size() == 1) return channel.write(*frames.front());
    buffer.clear();
    for (const auto& frame : frames) buffer.insert(buffer.end(), frame->begin(), frame->end());
    return channel.write(buffer);
}

void send_all(Channel& channel, StreamEnd& end) {
    std::vector<std::byte> buffer;
    for (auto frames = end.to_send(); !frames.empty(); frames = end.to_send()) {
        if (!write_frames(channel, frames, buffer)) break;
    }
    channel.shutdown();
}

/// 0 bytes: `deadline` passed.
Result<std::size_t> read_more(Channel& channel, FrameReader& reader, Instant deadline) {
    for (;;) {
        Duration left = deadline - io::boot_now();
        if (left <= Duration::zero()) return 0;
        auto count = channel.read(reader.space(kReadSize), left);
        if (!count || *count == 0) {
            if (!count) return count;
            continue;
        }
        reader.committed(*count);
        return count;
    }
}

Result<> receive_all(Channel& channel, FrameReader& reader, StreamEnd& end) {
    Instant evidence = io::boot_now();
    for (;;) {
        auto frame = reader.next();
        if (!frame) return tl::unexpected(frame.error());
        if (*frame) {
            if (auto taken = end.received(**frame); !taken) return taken;
            evidence = io::boot_now();
            continue;
        }
        auto count = read_more(channel, reader, evidence + end.silence());
        if (!count) return tl::unexpected(count.error());
        if (*count == 0) return fail("the peer was silent");
        evidence = io::boot_now();  // part of a frame, on a slow line
    }
}

}  // namespace

Result<> send_frame(Channel& channel, replication::FrameBuilder frame) {
    frame.seal();
    return channel.write(*std::move(frame).finish(Sequence{}));
}

Result<Frame> read_frame(Channel& channel, FrameReader& reader, Duration patience) {
    const Instant deadline = io::boot_now() + patience;
    for (;;) {
        auto frame = reader.next();
        if (!frame) return tl::unexpected(frame.error());
        if (*frame) return **frame;
        auto count = read_more(channel, reader, deadline);
        if (!count) return tl::unexpected(count.error());
        if (*count == 0) return fail("the peer did not answer");
    }
}

std::string run_stream(Channel& channel, FrameReader& reader, StreamEnd& end) {
    std::thread sender([&] { send_all(channel, end); });
    auto result = receive_all(channel, reader, end);
    channel.shutdown();
    end.end();
    sender.join();
    return result.error().text;
}

}  // namespace ha::replicatord
