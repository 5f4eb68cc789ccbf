#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <variant>
#include <vector>

// The ladder of one module's application: ha-primary@M.target is its first rung, then come the
// units in the order the configuration names them. Up one rung at a time, each when systemd's job
// for the one before it is done; down the same way; or down all at once, by SIGKILL.
//
// The machine believes nothing it was not told: after a reconnection to systemd every state and
// every open job is asked for again (BusConnected, then UnitSeen), and an order given twice is
// carried out again, which systemd answers at once where nothing is left to do.

namespace ha::apps {

/// Names one effect; the event that answers it carries it back. An answer to an effect that no
/// longer matters is recognised by it and ignored.
using Ticket = std::uint64_t;

// ---- events

struct StartOrdered {
    std::vector<std::string> units;
};
struct StopOrdered {
    std::vector<std::string> units;
};
struct KillOrdered {
    std::vector<std::string> units;
};
/// systemd accepted the job of StartUnit or StopUnit. After this nothing that was about to start
/// can start any more, if it was a stop.
struct JobQueued {
    Ticket ticket = 0;
};
/// The job was removed. `result`: systemd's word ("done", "failed", "timeout", "dependency", ...),
/// or the error with which the job was refused.
struct JobFinished {
    Ticket ticket = 0;
    std::string result;
};
enum class UnitState : std::uint8_t {
    Running,   // active, reloading
    Changing,  // activating, deactivating, or systemd has a job for it
    Finished,  // inactive after success, and made to be so (Type=oneshot)
    Dead,      // inactive or failed
};
struct UnitSeen {
    std::string unit;
    UnitState state = UnitState::Dead;
    std::string result;  // Result= of the unit: "success", "signal", "exit-code", ...
};
/// Answer to KillGroup: no process is left in the unit's control group. Every time that happens.
struct GroupEmptied {
    std::string unit;
};
/// A process appeared in a control group that was to be empty.
struct GroupPopulated {
    std::string unit;
};
struct MarkerFailed {
    std::string reason;
};
struct BusConnected {};
struct BusLost {};

using Event = std::variant<StartOrdered, StopOrdered, KillOrdered, JobQueued, JobFinished, UnitSeen,
                           GroupEmptied, GroupPopulated, MarkerFailed, BusConnected, BusLost>;

// ---- effects, to be carried out in this order

/// /run/hamirror/primary/M, what the gate looks for. Answer: none, or MarkerFailed.
struct WriteMarker {};
struct RemoveMarker {};
/// Answers: JobQueued, JobFinished, and before the latter a UnitSeen.
struct StartUnit {
    Ticket ticket = 0;
    std::string unit;
};
struct StopUnit {
    Ticket ticket = 0;
    std::string unit;
};
/// SIGKILL to every process of the unit, now, without systemd's help. Answer: GroupEmptied, at once
/// if there is no such group. From here on GroupPopulated and GroupEmptied are reported, until
/// ReleaseGroups; but of a group that does not exist yet nothing is heard.
struct KillGroup {
    std::string unit;
};
/// A process that appears in one of the control groups is no longer ours to kill: the gate itself
/// runs there when somebody tries to start the unit by hand.
struct ReleaseGroups {};
/// Ask systemd for the unit's state now and tell it at every change: UnitSeen.
struct WatchUnit {
    std::string unit;
};
struct ReportStarted {};
struct ReportStopped {};
struct ReportGone {};
struct ReportFailed {
    std::string unit;
    std::string result;
};

using Effect =
    std::variant<WriteMarker, RemoveMarker, StartUnit, StopUnit, KillGroup, ReleaseGroups,
                 WatchUnit, ReportStarted, ReportStopped, ReportGone, ReportFailed>;

class Ladder {
  public:
    /// Its tickets count upwards from above `first_ticket`.
    explicit Ladder(const std::string& module, Ticket first_ticket = 0)
        : target_("ha-primary@" + module + ".target"), last_ticket_(first_ticket) {}

    void step(const Event& event, std::vector<Effect>& effects);

    /// Idle: no order yet, or everything is down. Up: started and watched; some unit may have
    /// failed since, or the ladder may have broken at it.
    enum class Phase : std::uint8_t { Idle, Starting, Up, Stopping, Killing };
    [[nodiscard]] Phase phase() const { return phase_; }
    /// While killing: some control group is not known to be empty.
    [[nodiscard]] bool processes_left() const;

  private:
    using Effects = std::vector<Effect>;

    void on(const StartOrdered& event, Effects& effects);
    void on(const StopOrdered& event, Effects& effects);
    void on(const KillOrdered& event, Effects& effects);
    void on(const JobQueued& event, Effects& effects);
    void on(const JobFinished& event, Effects& effects);
    void on(const UnitSeen& event, Effects& effects);
    void on(const GroupEmptied& event, Effects& effects);
    void on(const GroupPopulated& event, Effects& effects);
    void on(const MarkerFailed& event, Effects& effects);
    void on(const BusConnected& event, Effects& effects);
    void on(const BusLost& event, Effects& effects);

    void take_rungs(const std::vector<std::string>& units);
    void climb(Effects& effects);
    void descend(Effects& effects);
    void kill_all(Effects& effects);
    void stop_all(bool await_acceptance, Effects& effects);
    void kill_again(const std::string& unit, Effects& effects);
    void settle_kill(Effects& effects);
    void fail(const std::string& unit, const std::string& result, Effects& effects);
    Ticket next_ticket() { return ++last_ticket_; }

    std::string target_;
    Phase phase_ = Phase::Idle;
    std::vector<std::string> rungs_;  // the target, then the units
    std::size_t rung_ = 0;  // Starting: the one being started; Stopping: how many are left
    Ticket waiting_ = 0;    // for this job
    Ticket last_ticket_ = 0;
    std::map<std::string, UnitState> seen_;
    std::map<std::string, bool> empty_;  // Killing: control groups, and whether nothing is in them
    struct Stop {
        std::string unit;
        bool accepted = false;
    };
    std::map<Ticket, Stop> stops_;  // Killing: open stop jobs, and whether systemd has each
    bool bus_ = false;
    bool owe_stopped_ = false;
    bool owe_gone_ = false;
};

}  // namespace ha::apps
