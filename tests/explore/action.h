#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "mutants.h"
#include "state.h"

namespace ha::explore {

enum class What : std::uint8_t {
    // to a clusterd
    Report,    // the oldest report on its way arrives
    Newest,    // the newest does, what was before it is lost
    Silent,    // PeerSilent
    Overdue,   // PeerOverdue
    Heard,     // evidence of life again
    Ahead,     // a heartbeat shows a newer decision
    Answered,  // a ping target answers what was asked in this silence
    Probed,    // ha-vipd has asked for the addresses; `detail`: Probe
    Deadline,  // next_deadline() has passed
    Expired,   // LeaseExpired
    Stop,      // commands
    StopAll,
    Swap,
    Restart,
    Start,
    Source,        // start --as-source
    Crash,         // clusterd; what it was recording is lost
    CrashDurable,  // clusterd; what it was recording is on the disk
    Begin,         // clusterd again
    RunsOut,       // the lease: the workers let go
    // of the server; `detail`: what of the page cache a power loss leaves
    PowerOff,
    PowerOffDurable,  // and what was being recorded is on the disk
    PowerOn,
    Blink,  // a mutant's: power lost and back, and its processes go on
    // the witness
    Arrives,     // exchange `detail`; the answer comes, if it is awaited
    Unanswered,  // exchange `detail`; the answer is lost
    Read,
    Lost,     // does not answer this node any more
    Forgets,  // a mutant's: it shows the value before
    // the application and the mirror
    Write,
    Fsync,
    Connect,
    Frame,        // the first one arrives
    Breaks,       // this end of the stream gives up
    Notices,      // the other end has
    Stalled,      // acknowledgements, by the other node
    StalledHere,  // by the disk of this one, which is frozen
    Thaws
};

enum class Probe : std::uint8_t { Unanswered, Taken, NotAsked };

/// One move of the world, and how far what it began goes on by itself.
struct Action {
    static constexpr std::uint8_t kToTheEnd = 0xff;

    What what = What::Report;
    Node node = Node::First;
    std::uint8_t detail = 0;
    std::uint8_t stop = kToTheEnd;  // after so many steps that go by themselves

    [[nodiscard]] std::uint32_t packed() const;
    static Action unpack(std::uint32_t packed);
};

std::string describe(const Action& action);

/// All that may happen in this state.
std::vector<Action> enabled(const State& state, const Bounds& bounds, Mutant mutant);

}  // namespace ha::explore
