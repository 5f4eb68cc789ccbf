#pragma once

#include <string>
#include <vector>

#include "core/replication/frame.h"
#include "replicatord/channel.h"

namespace ha::replicatord {

/// What one end does with an established connection.
class StreamEnd {
  public:
    virtual ~StreamEnd() = default;
    /// The sender thread: waits until there is something to send, a keep-alive at the latest after
    /// a heartbeat. Empty: the connection is to end.
    virtual std::vector<replication::SharedFrame> to_send() = 0;
    /// The receiver thread: may block; the silence of the peer does not count meanwhile. An error
    /// ends the connection.
    virtual Result<> received(const replication::Frame& frame) = 0;
    /// Without any frame or byte for this long the connection counts as broken.
    [[nodiscard]] virtual Duration silence() const = 0;
    /// Makes to_send() return empty, now and later. Any thread.
    virtual void end() noexcept = 0;
};

/// Sends one frame that is not numbered.
Result<> send_frame(Channel& channel, replication::FrameBuilder frame);

/// The next frame, within `patience`.
Result<replication::Frame> read_frame(Channel& channel, replication::FrameReader& reader,
                                      Duration patience);

/// Moves frames both ways until the connection breaks, the peer is silent, or an end gives up; then
/// why. The calling thread receives; another one sends, many frames in one write.
std::string run_stream(Channel& channel, replication::FrameReader& reader, StreamEnd& end);

}  // namespace ha::replicatord
