#include "vipd/daemon.h"

#include <algorithm>
#include <set>
#include <utility>

#include "base/overloaded.h"
#include "io/clock.h"
#include "io/log.h"

namespace ha::vipd {
namespace {

constexpr auto kDumpInterval = 200ms;
constexpr unsigned kDumpAttempts = 10;

vip::Event event_of(const io::NetworkChange& change) {
    if (const auto* link = std::get_if<io::LinkChange>(&change)) {
        if (link->gone) return vip::LinkGone{link->index};
        return vip::LinkSeen{link->index, link->name, link->up};
    }
    const auto& address = std::get<io::AddressChange>(change);
    const vip::Ipv4 number{address.address};
    if (address.gone) return vip::AddressGone{address.index, number};
    return vip::AddressSeen{address.index, number, address.prefix};
}

}  // namespace

Daemon::Daemon(io::Loop& loop, io::Netlink netlink, Places places)
    : loop_(loop),
      places_(std::move(places)),
      netlink_(std::move(netlink)),
      monitor_(
          loop, [this](const io::NetworkChange& it) { on_change(it); }, [this] { dump_again(); }),
      clusterd_(loop, api::WorkerHello{.kind = api::WorkerKind::Vip, .module = ""},
                {.on_order = [this](const api::Order& it) { on_order(it); },
                 .on_connected = [] {},
                 .on_disconnected =
                     [](const std::string& reason) {
                         io::log(io::Level::Info, "ha-clusterd is away (" + reason +
                                                      "); addresses stay as they are.");
                     }},
                places_.socket),
      leases_(
          loop, [this](const std::string& module) { let_go(module); }, places_.leases),
      timer_(loop),
      probe_timer_(loop),
      dump_timer_(loop) {}

Result<> Daemon::start() {
    for (const auto& record : recall(places_.records))
        step(vip::LeftoverFound{record.module, record.vip});
    if (auto done = monitor_.start(); !done) return done;
    if (auto done = dump(); !done) return done;
    for (const auto& record : recall(places_.records)) may_hold(record.module);
    clusterd_.start();
    return {};
}

Result<> Daemon::dump() {
    step(vip::DumpBegun{});
    auto done = places_.dump(netlink_, [this](const io::NetworkChange& it) { step(event_of(it)); });
    if (done) step(vip::DumpEnded{});
    return done;
}

// Until a dump has ended the holder decides nothing and answers no order. The kernel breaks one off
// when links change meanwhile, which is also what made it drop messages: soon it will not.
void Daemon::dump_again() {
    auto done = dump();
    if (done) {
        failed_dumps_ = 0;
        return dump_timer_.cancel();
    }
    io::log(io::Level::Warning, "The addresses of this node are unknown: " + done.error().text);
    if (++failed_dumps_ < kDumpAttempts)
        return dump_timer_.arm(io::boot_now() + kDumpInterval, [this] { dump_again(); });
    outcome_ = std::move(done);
    loop_.stop();
}

void Daemon::on_change(const io::NetworkChange& change) {
    step(event_of(change));
}

void Daemon::on_order(const api::Order& order) {
    if (const auto* it = std::get_if<api::HoldAddresses>(&order))
        hold(*it);
    else if (const auto* drop = std::get_if<api::DropAddresses>(&order))
        step(vip::DropOrdered{drop->module});
    else if (const auto* probed = std::get_if<api::ProbeAddresses>(&order))
        probe(*probed);
    else if (const auto* lease = std::get_if<api::LookAtLease>(&order))
        may_hold(lease->module);
    else
        io::log(io::Level::Warning, "An order that is not for ha-vipd was ignored.");
}

/// False: the lease under which addresses of the module were to be here has run out, and none is.
bool Daemon::may_hold(const std::string& module) {
    auto expired = leases_.look(module);
    if (!expired) tell_failure({module, expired.error().text});
    if (expired && *expired) let_go(module);
    return expired && !*expired;
}

void Daemon::let_go(const std::string& module) {
    io::log(io::Level::Warning, api::message::kLeaseExpired, {{"HAMIRROR_MODULE", module}},
            "Module " + module +
                ": the other node has not been heard of in time; its addresses leave this node.");
    step(vip::DropOrdered{module});
}

void Daemon::hold(const api::HoldAddresses& order) {
    if (!may_hold(order.module)) return;
    vip::HoldOrdered event{order.module, {}};
    for (const auto& text : order.addresses) {
        auto parsed = vip::Vip::parse(text);
        if (!parsed) {
            tell_failure({order.module, parsed.error().text});
            return;
        }
        event.vips.push_back(*parsed);
    }
    step(event);
}

// The kernel answers while effects are carried out; the machine hears of it after them.
void Daemon::step(const vip::Event& event) {
    std::vector<vip::Event> events{event};
    while (!events.empty()) {
        for (const auto& each : std::exchange(events, {})) {
            std::vector<vip::Effect> effects;
            holder_.step(io::boot_now(), each, effects);
            for (const auto& effect : effects) perform(effect);
        }
        events = std::exchange(answers_, {});
    }
    settle();
}

void Daemon::settle() {
    listen_where_wanted();
    const auto deadline = holder_.next_deadline();
    if (deadline)
        timer_.arm(*deadline, [this] { step(vip::TimePassed{}); });
    else
        timer_.cancel();
}

void Daemon::perform(const vip::Effect& effect) {
    std::visit(
        Overloaded{
            [&](const vip::AddAddress& it) { add(it); },
            [&](const vip::RemoveAddress& it) { remove(it); },
            [&](const vip::Announce& it) { announce(it); },
            [&](const vip::ForgetAddress& it) { forget(it.address, places_.records); },
            [&](const vip::ReportHeld& it) { clusterd_.send(api::AddressesHeld{it.module}); },
            [&](const vip::ReportDropped& it) { clusterd_.send(api::AddressesDropped{it.module}); },
            [&](const vip::ReportFailed& it) { tell_failure(it); },
            [&](const vip::TellConflict& it) { tell_conflict(it); },
        },
        effect);
}

void Daemon::add(const vip::AddAddress& effect) {
    auto placed = effect.vip;
    placed.interface = effect.link;
    auto done = remember({effect.module, placed}, places_.records);
    if (done)
        done = netlink_.add_address(effect.index, placed.address.number, placed.prefix,
                                    effect.prefix_route);
    if (!done) {
        answers_.push_back(vip::ChangeFailed{
            placed.address, "cannot add " + placed.text() + ": " + done.error().text});
        return;
    }
    answers_.push_back(vip::AddressSeen{effect.index, placed.address, placed.prefix});
    io::log(io::Level::Info, api::message::kAddressTaken, {{"HAMIRROR_MODULE", effect.module}},
            "Module " + effect.module + ": " + placed.text() + " is on this node.");
}

void Daemon::remove(const vip::RemoveAddress& effect) {
    auto done = netlink_.remove_address(effect.index, effect.address.number, effect.prefix);
    if (!done) {
        answers_.push_back(vip::ChangeFailed{
            effect.address, "cannot remove " + effect.address.text() + ": " + done.error().text});
        return;
    }
    answers_.push_back(vip::AddressGone{effect.index, effect.address});
    io::log(io::Level::Info, api::message::kAddressDropped, {},
            "The address " + effect.address.text() + " is no longer on this node.");
}

// Nothing but the announcement is lost if the link cannot send: the next one is near.
void Daemon::announce(const vip::Announce& effect) {
    listen_where_wanted();
    auto link = arp_.find(effect.index);
    if (link == arp_.end()) return;
    auto done = link->second->announce(effect.address.number);
    if (done && effect.first) done = link->second->probe(effect.address.number);
    if (!done)
        io::log(io::Level::Debug, effect.address.text() + " not announced: " + done.error().text);
}

void Daemon::tell_conflict(const vip::TellConflict& effect) {
    const auto address = effect.address.text();
    io::log(io::Level::Warning, api::message::kAddressConflict,
            {{"HAMIRROR_MODULE", effect.module}, {"HAMIRROR_MAC", effect.mac}},
            "Module " + effect.module + ": another machine (" + effect.mac + ") uses " + address +
                "; this node serves the module, keeps the address and announces it again.");
}

void Daemon::tell_failure(const vip::ReportFailed& effect) {
    io::log(io::Level::Error, "Module " + effect.module + ": " + effect.text + ".");
    clusterd_.send(api::AddressesFailed{effect.module, effect.text});
}

void Daemon::probe(const api::ProbeAddresses& order) {
    vip::ProbeOrdered event{order.module, order.token, {}, "", io::own_macs()};
    for (const auto& text : order.addresses) {
        const auto parsed = vip::Vip::parse(text);
        const auto place = parsed ? holder_.place_for(*parsed) : tl::unexpected(parsed.error());
        if (place) {
            const io::ArpLink* link = arp_link(*place);
            event.targets.push_back(
                {parsed->address, *place, link == nullptr ? io::Mac{} : link->mac()});
        } else if (event.trouble.find(place.error().text) == std::string::npos) {
            event.trouble += (event.trouble.empty() ? "" : "; ") + place.error().text;
        }
    }
    step_prober(event);
}

void Daemon::step_prober(const vip::ProbeEvent& event) {
    std::vector<vip::ProbeEvent> events{event};
    while (!events.empty()) {
        for (const auto& each : std::exchange(events, {})) {
            std::vector<vip::ProbeEffect> effects;
            prober_.step(io::boot_now(), each, effects);
            for (const auto& effect : effects) perform(effect);
        }
        events = std::exchange(ask_failures_, {});
    }
    listen_where_wanted();
    const auto deadline = prober_.next_deadline();
    if (!deadline) return probe_timer_.cancel();
    probe_timer_.arm(*deadline, [this] { step_prober(vip::ProbeTimePassed{}); });
}

void Daemon::perform(const vip::ProbeEffect& effect) {
    if (const auto* it = std::get_if<vip::Ask>(&effect)) return ask(*it);
    const auto& probed = std::get<vip::ReportProbed>(effect);
    api::AddressesProbed fact{probed.module, probed.token, "", "", probed.asked, probed.trouble};
    if (probed.taken) {
        fact.taken = probed.taken->text();
        fact.mac = io::text_of(probed.mac);
    }
    clusterd_.send(fact);
}

void Daemon::ask(const vip::Ask& effect) {
    io::ArpLink* link = arp_link(effect.index);
    auto done =
        link == nullptr ? fail("its link knows no ARP") : link->probe(effect.address.number);
    if (done) return;
    ask_failures_.emplace_back(vip::AskFailed{effect.index, effect.address, done.error().text});
}

// Posted: a step may close the very socket that is being read.
void Daemon::on_claim(int index, const io::ArpClaim& claim) {
    const vip::Ipv4 address{claim.address};
    if (prober_.listens(index, address)) {
        loop_.post([this, index, address, claim] {
            step_prober(vip::ClaimHeard{index, address, claim.mac, claim.probes});
        });
    }
    const auto held = holder_.held();
    const bool ours = std::find(held.begin(), held.end(), std::pair{address, index}) != held.end();
    if (claim.probes || !ours) return;
    loop_.post([this, address, mac = claim.mac] {
        step(vip::ConflictSeen{address, io::text_of(mac)});
    });
}

/// None: it has no Ethernet addresses, so no ARP, or cannot be listened on.
io::ArpLink* Daemon::arp_link(int index) {
    auto& link = arp_[index];
    if (link) return link.get();
    auto fresh = std::make_unique<io::ArpLink>(
        loop_, [this, index](const io::ArpClaim& claim) { on_claim(index, claim); });
    if (fresh->open(index)) link = std::move(fresh);
    if (!link) arp_.erase(index);
    return arp_.count(index) == 0 ? nullptr : arp_[index].get();
}

// One ARP socket for each link that carries one of our addresses or is asked on. Links without
// Ethernet addresses have no ARP and need none.
void Daemon::listen_where_wanted() {
    std::set<int> wanted;
    std::string status;
    for (const auto& [address, index] : holder_.held()) {
        wanted.insert(index);
        status += " " + address.text();
    }
    std::erase_if(arp_, [&](const auto& link) {
        return wanted.count(link.first) == 0 && !prober_.listens(link.first);
    });
    for (int index : wanted) arp_link(index);
    io::notify_status(status.empty() ? "No virtual address is here." : "Here:" + status);
}

}  // namespace ha::vipd
