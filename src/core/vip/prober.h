#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/time.h"
#include "core/vip/address.h"

// Whether another machine has the addresses of a module (RFC 5227, 2.1.1): each is asked for some
// times on its link, and any ARP packet of another machine that names it as its sender's is an
// answer. Nothing here is held or changed. All that is known of an answer is that somebody on that
// link sent it.

namespace ha::vip {

/// When each address is asked for, and when the silence after the last one counts.
inline constexpr std::array<Duration, 3> kProbeAfter = {0ms, 500ms, 1000ms};
inline constexpr Duration kProbeEnds = 1500ms;

using Mac = std::array<std::uint8_t, 6>;

// ---- events

/// Where an address would be here.
struct ProbeTarget {
    Ipv4 address;
    int index = 0;
    Mac mac{};  // that link's
};
/// The module's; one that is under way ends unanswered.
struct ProbeOrdered {
    std::string module;
    std::uint64_t token = 0;
    std::vector<ProbeTarget> targets;
    std::string trouble;    // addresses that are no target, and why
    std::vector<Mac> ours;  // who has these is no other machine
};
/// An ARP packet says that `mac` has the address, or with `probes`, that it asks for it to have it.
struct ClaimHeard {
    int index = 0;
    Ipv4 address;
    Mac mac{};
    bool probes = false;
};
/// Answer to Ask; no answer is success.
struct AskFailed {
    int index = 0;
    Ipv4 address;
    std::string reason;
};
struct ProbeTimePassed {};

using ProbeEvent = std::variant<ProbeOrdered, ClaimHeard, AskFailed, ProbeTimePassed>;

// ---- effects

struct Ask {
    int index = 0;
    Ipv4 address;
};
struct ReportProbed {
    std::string module;
    std::uint64_t token = 0;
    std::optional<Ipv4> taken;
    Mac mac{};
    bool asked = false;  // one address at least
    std::string trouble;
};

using ProbeEffect = std::variant<Ask, ReportProbed>;

class Prober {
  public:
    void step(Instant now, const ProbeEvent& event, std::vector<ProbeEffect>& effects);
    /// Send ProbeTimePassed then.
    [[nodiscard]] std::optional<Instant> next_deadline() const;
    /// Claims on this link, for this address, are wanted.
    [[nodiscard]] bool listens(int index, std::optional<Ipv4> address = std::nullopt) const;

  private:
    struct Target {
        ProbeTarget at;
        bool sent = false;
    };
    struct Probe {
        ProbeOrdered order;
        Instant began{};
        std::size_t asked = 0;  // of kProbeAfter
        std::vector<Target> targets;
    };
    using Effects = std::vector<ProbeEffect>;

    void on(Instant now, const ProbeOrdered& event, Effects& effects);
    void on(Instant now, const ClaimHeard& event, Effects& effects);
    void on(Instant now, const AskFailed& event, Effects& effects);
    void on(Instant now, const ProbeTimePassed& event, Effects& effects);
    static void ask(Probe& probe, Effects& effects);
    static void report(const Probe& probe, const ClaimHeard* answer, Effects& effects);
    static bool answers(const Probe& probe, const ClaimHeard& claim);

    std::map<std::string, Probe> probes_;  // by module
};

}  // namespace ha::vip
