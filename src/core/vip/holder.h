#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/time.h"
#include "core/vip/address.h"

// "This address is here if and only if this node serves the module", reconciled for ever. The
// machine keeps two pictures, what is ordered and what the kernel has, and after every event makes
// the second like the first. Orders come from clusterd; the kernel's picture from a dump and from
// its notifications, which may be late or repeated: whatever they say, the next comparison mends
// it.
//
// An address that somebody else uses is taken all the same: the node that orders it here is the one
// that may serve, and a frozen old primary's kernel answers for ever. Announcements win the clients
// back, and the conflict is told.

namespace ha::vip {

/// After a start, this long for clusterd to order what an earlier run left behind.
inline constexpr Duration kLeftoverGrace = 2s;
/// Announcements after an address was added, its link came up, or a conflict was seen.
inline constexpr std::array<Duration, 6> kAnnounceAfter = {0ms, 100ms, 300ms, 1s, 2s, 4s};
/// An address that somebody takes away again and again is added no more often than this.
inline constexpr Duration kAddInterval = 100ms;
inline constexpr Duration kRetryInterval = 1s;
/// A second conflict within this changes nothing: two holders do not shout each other down.
inline constexpr Duration kConflictInterval = 500ms;

// ---- events

struct HoldOrdered {
    std::string module;
    std::vector<Vip> vips;
};
struct DropOrdered {
    std::string module;
};
/// At start: an earlier run added it for this module and did not remove it.
struct LeftoverFound {
    std::string module;
    Vip vip;
};
/// A dump of links and addresses follows; nothing known before counts. Until DumpEnded nothing is
/// decided.
struct DumpBegun {};
struct DumpEnded {};
/// Never the loopback.
struct LinkSeen {
    int index = 0;
    std::string name;
    bool up = false;  // administratively, and with a carrier
};
struct LinkGone {
    int index = 0;
};
struct AddressSeen {
    int index = 0;
    Ipv4 address;
    unsigned prefix = 0;
};
struct AddressGone {
    int index = 0;
    Ipv4 address;
};
/// Answer to AddAddress or RemoveAddress; success is AddressSeen or AddressGone.
struct ChangeFailed {
    Ipv4 address;
    std::string reason;
};
/// Another machine, `mac`, uses the address.
struct ConflictSeen {
    Ipv4 address;
    std::string mac;
};
struct TimePassed {};

using Event =
    std::variant<HoldOrdered, DropOrdered, LeftoverFound, DumpBegun, DumpEnded, LinkSeen, LinkGone,
                 AddressSeen, AddressGone, ChangeFailed, ConflictSeen, TimePassed>;

// ---- effects, to be carried out in this order

/// `prefix_route`: no other address of the subnet is on that link, so this one brings the route.
struct AddAddress {
    std::string module;
    int index = 0;
    std::string link;
    Vip vip;
    bool prefix_route = false;
};
struct RemoveAddress {
    int index = 0;
    Ipv4 address;
    unsigned prefix = 0;
};
/// Tell the network that the address is here (gratuitous ARP, RFC 5227 3) and with the `first` one
/// ask whether anybody else uses it.
struct Announce {
    int index = 0;
    Ipv4 address;
    bool first = false;
};
/// The address is gone and unwanted: nothing has to be remembered of it.
struct ForgetAddress {
    Ipv4 address;
};
struct ReportHeld {
    std::string module;
};
struct ReportDropped {
    std::string module;
};
struct ReportFailed {
    std::string module;
    std::string text;
};
struct TellConflict {
    std::string module;
    Ipv4 address;
    std::string mac;
};

using Effect = std::variant<AddAddress, RemoveAddress, Announce, ForgetAddress, ReportHeld,
                            ReportDropped, ReportFailed, TellConflict>;

class Holder {
  public:
    void step(Instant now, const Event& event, std::vector<Effect>& effects);
    /// Send TimePassed then.
    [[nodiscard]] std::optional<Instant> next_deadline() const;

    /// The link it would be on, and that has a carrier; or why there is none.
    [[nodiscard]] Result<int> place_for(const Vip& vip) const;

    /// Addresses that are ordered here and are here, with their links.
    [[nodiscard]] std::vector<std::pair<Ipv4, int>> held() const;

  private:
    enum class Want : std::uint8_t { Here, NotHere, Undecided };
    struct Entry {
        std::string module;
        Vip vip;
        Want want = Want::Here;
        Instant decide_by{};                   // Undecided: then not here
        Instant try_after{};                   // no change before
        std::size_t announced = 0;             // of kAnnounceAfter
        std::optional<Instant> announce_from;  // the schedule's zero; none: it is through
        std::optional<Instant> conflict;       // the last one acted upon
        std::string trouble;                   // reported already
        bool remembered = false;               // outside, since the AddAddress or an earlier run
    };
    struct Link {
        std::string name;
        bool up = false;
    };
    struct Order {
        bool hold = false;
        bool answered = false;
    };
    using Effects = std::vector<Effect>;

    void on(Instant now, const HoldOrdered& event, Effects& effects);
    void on(Instant now, const DropOrdered& event, Effects& effects);
    void on(Instant now, const LeftoverFound& event, Effects& effects);
    void on(Instant now, const DumpBegun& event, Effects& effects);
    void on(Instant now, const DumpEnded& event, Effects& effects);
    void on(Instant now, const LinkSeen& event, Effects& effects);
    void on(Instant now, const LinkGone& event, Effects& effects);
    void on(Instant now, const AddressSeen& event, Effects& effects);
    void on(Instant now, const AddressGone& event, Effects& effects);
    void on(Instant now, const ChangeFailed& event, Effects& effects);
    void on(Instant now, const ConflictSeen& event, Effects& effects);
    void on(Instant now, const TimePassed& event, Effects& effects);

    void reconcile(Instant now, Effects& effects);
    void keep_away(Instant now, Ipv4 address, Entry& entry, Effects& effects);
    void keep_here(Instant now, Ipv4 address, Entry& entry, Effects& effects);
    void announce_due(Instant now, Effects& effects);
    void answer(Effects& effects);
    void trouble(Entry& entry, const std::string& text, Effects& effects);
    [[nodiscard]] int link_for(const Vip& vip) const;
    [[nodiscard]] int place_of(Ipv4 address, int preferred) const;

    bool dumped_ = false;
    std::map<Ipv4, Entry> entries_;
    std::map<std::string, Order> orders_;
    std::map<int, Link> links_;
    std::map<std::pair<int, Ipv4>, unsigned> addresses_;  // to the prefix
};

}  // namespace ha::vip
