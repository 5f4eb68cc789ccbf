#pragma once

#include <string>
#include <tl/expected.hpp>

namespace ha::ctl {

/// The exit codes of hamirrorctl; hamirrorctl(1) documents them. A number is never reused.
enum class Exit : int {
    Done = 0,
    Refused = 1,      // or failed; nothing was changed
    Usage = 2,        // the command line is wrong
    Unreachable = 3,  // the cluster daemon of this node does not answer
    TimedOut = 4,     // the order was taken and goes on; it was not complete in time
    Stuck = 5,        // the order was taken and ended somewhere else: blocked, or undone
};

/// Why a verb ends; `text` may have several lines.
struct Failure {
    Exit exit = Exit::Refused;
    std::string text;
    std::string code;  // of the daemon's refusal, the last part of its D-Bus name; stable
};

template <typename T = void>
using Outcome = tl::expected<T, Failure>;

inline tl::unexpected<Failure> failed(Exit exit, std::string text) {
    return tl::unexpected(Failure{exit, std::move(text), ""});
}

}  // namespace ha::ctl
