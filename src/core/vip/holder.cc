#include "core/vip/holder.h"

#include <algorithm>
#include <utility>

namespace ha::vip {
namespace {

constexpr int kNowhere = 0;  // no link has this index

std::string no_link(const Vip& vip) {
    if (!vip.interface.empty()) {
        return "there is no interface " + vip.interface + " for " + vip.text();
    }
    return "no interface has an address in the subnet of " + vip.text() +
           "; name the interface: " + vip.text() + "@eth0";
}

}  // namespace

void Holder::step(Instant now, const Event& event, Effects& effects) {
    std::visit([&](const auto& it) { on(now, it, effects); }, event);
    if (!dumped_) return;
    reconcile(now, effects);
    announce_due(now, effects);
    answer(effects);
}

void Holder::on(Instant, const HoldOrdered& event, Effects&) {
    orders_[event.module] = {.hold = true, .answered = false};
    for (auto& [address, entry] : entries_) {
        if (entry.module == event.module) entry.want = Want::NotHere;
    }
    for (const auto& vip : event.vips) {
        auto& entry = entries_[vip.address];
        entry.module = event.module;
        entry.vip = vip;
        entry.want = Want::Here;
        entry.try_after = {};
        entry.trouble.clear();
    }
}

void Holder::on(Instant, const DropOrdered& event, Effects&) {
    orders_[event.module] = {.hold = false, .answered = false};
    for (auto& [address, entry] : entries_) {
        if (entry.module != event.module) continue;
        entry.want = Want::NotHere;
        entry.try_after = {};
    }
}

void Holder::on(Instant now, const LeftoverFound& event, Effects&) {
    Entry entry;
    entry.module = event.module;
    entry.vip = event.vip;
    entry.want = Want::Undecided;
    entry.decide_by = now + kLeftoverGrace;
    entry.remembered = true;
    entries_.try_emplace(event.vip.address, entry);
}

void Holder::on(Instant, const DumpBegun&, Effects&) {
    dumped_ = false;
    links_.clear();
    addresses_.clear();
}

void Holder::on(Instant, const DumpEnded&, Effects&) {
    dumped_ = true;
}

void Holder::on(Instant now, const LinkSeen& event, Effects&) {
    auto& link = links_[event.index];
    const bool came_up = event.up && !link.up;
    link = {event.name, event.up};
    if (!came_up || !dumped_) return;
    for (auto& [address, entry] : entries_) {
        if (addresses_.count({event.index, address}) == 0) continue;
        entry.announce_from = now;
        entry.announced = 0;
    }
}

void Holder::on(Instant, const LinkGone& event, Effects&) {
    links_.erase(event.index);
    std::erase_if(addresses_, [&](const auto& it) { return it.first.first == event.index; });
}

void Holder::on(Instant now, const AddressSeen& event, Effects&) {
    const bool fresh =
        addresses_.insert_or_assign({event.index, event.address}, event.prefix).second;
    auto entry = entries_.find(event.address);
    if (!fresh || entry == entries_.end() || entry->second.want != Want::Here) return;
    entry->second.announce_from = now;
    entry->second.announced = 0;
    entry->second.trouble.clear();
}

void Holder::on(Instant, const AddressGone& event, Effects&) {
    addresses_.erase({event.index, event.address});
}

void Holder::on(Instant now, const ChangeFailed& event, Effects& effects) {
    auto at = entries_.find(event.address);
    if (at == entries_.end()) return;
    at->second.try_after = now + kRetryInterval;
    trouble(at->second, event.reason, effects);
}

void Holder::on(Instant now, const ConflictSeen& event, Effects& effects) {
    auto at = entries_.find(event.address);
    if (at == entries_.end() || at->second.want != Want::Here) return;
    auto& entry = at->second;
    if (entry.conflict && now - *entry.conflict < kConflictInterval) return;
    entry.conflict = now;
    effects.push_back(TellConflict{entry.module, event.address, event.mac});
    // Not from the beginning if the schedule is under way: its next one is near.
    if (entry.announce_from && entry.announced > 0 && entry.announced < 4) return;
    entry.announce_from = now;
    entry.announced = 0;
}

void Holder::on(Instant now, const TimePassed&, Effects&) {
    for (auto& [address, entry] : entries_) {
        if (entry.want == Want::Undecided && now >= entry.decide_by) entry.want = Want::NotHere;
    }
}

void Holder::reconcile(Instant now, Effects& effects) {
    for (auto& [address, entry] : entries_) {
        if (entry.want == Want::NotHere) keep_away(now, address, entry, effects);
        if (entry.want == Want::Here) keep_here(now, address, entry, effects);
    }
}

// The entry stays: should somebody add the address later, it goes again.
void Holder::keep_away(Instant now, Ipv4 address, Entry& entry, Effects& effects) {
    entry.announce_from.reset();
    bool anywhere = false;
    for (const auto& [place, prefix] : addresses_) {
        if (place.second != address) continue;
        anywhere = true;
        if (now >= entry.try_after) effects.push_back(RemoveAddress{place.first, address, prefix});
    }
    if (anywhere && now >= entry.try_after) entry.try_after = now + kAddInterval;
    if (!anywhere && std::exchange(entry.remembered, false))
        effects.push_back(ForgetAddress{address});
}

void Holder::keep_here(Instant now, Ipv4 address, Entry& entry, Effects& effects) {
    const int link = link_for(entry.vip);
    if (link == kNowhere) {
        trouble(entry, no_link(entry.vip), effects);
        return;
    }
    const int place = place_of(address, link);
    if (place == link || now < entry.try_after) return;
    entry.try_after = now + kAddInterval;
    if (place != kNowhere)
        effects.push_back(RemoveAddress{place, address, addresses_.at({place, address})});
    const bool alone = std::none_of(addresses_.begin(), addresses_.end(), [&](const auto& it) {
        return it.first.first == link && it.first.second.same_subnet(address, entry.vip.prefix);
    });
    entry.remembered = true;
    effects.push_back(AddAddress{entry.module, link, links_.at(link).name, entry.vip,
                                 alone && entry.vip.prefix < 32});
}

void Holder::announce_due(Instant now, Effects& effects) {
    for (auto& [address, entry] : entries_) {
        while (entry.announce_from &&
               now >= *entry.announce_from + kAnnounceAfter[entry.announced]) {
            const int place = place_of(address, kNowhere);
            if (place != kNowhere && links_[place].up)
                effects.push_back(Announce{place, address, entry.announced == 0});
            if (++entry.announced == kAnnounceAfter.size()) entry.announce_from.reset();
        }
    }
}

void Holder::answer(Effects& effects) {
    for (auto& [name, order] : orders_) {
        if (order.answered) continue;
        const std::string& module = name;  // clang 14 captures no structured binding
        const bool hold = order.hold;
        const bool done = std::all_of(entries_.begin(), entries_.end(), [&](const auto& it) {
            if (it.second.module != module) return true;
            const bool here = place_of(it.first, kNowhere) != kNowhere;
            return here == (hold && it.second.want == Want::Here);
        });
        if (!done) continue;
        order.answered = true;
        if (hold)
            effects.push_back(ReportHeld{module});
        else
            effects.push_back(ReportDropped{module});
    }
}

void Holder::trouble(Entry& entry, const std::string& text, Effects& effects) {
    if (entry.trouble == text) return;
    entry.trouble = text;
    effects.push_back(ReportFailed{entry.module, text});
}

int Holder::link_for(const Vip& vip) const {
    for (const auto& [index, link] : links_) {
        if (!vip.interface.empty() && link.name == vip.interface) return index;
    }
    if (!vip.interface.empty()) return kNowhere;
    for (const auto& [place, prefix] : addresses_) {
        const bool own = entries_.count(place.second) != 0;
        if (!own && prefix < 32 && links_.count(place.first) != 0 &&
            place.second.same_subnet(vip.address, prefix))
            return place.first;
    }
    return kNowhere;
}

Result<int> Holder::place_for(const Vip& vip) const {
    if (!dumped_) return fail("the links of this node are not known yet");
    const int index = link_for(vip);
    if (index == kNowhere) return fail(no_link(vip));
    const Link& link = links_.at(index);
    if (!link.up) return fail(link.name + " has no carrier");
    return index;
}

int Holder::place_of(Ipv4 address, int preferred) const {
    if (addresses_.count({preferred, address}) != 0) return preferred;
    for (const auto& [place, prefix] : addresses_) {
        if (place.second == address) return place.first;
    }
    return kNowhere;
}

std::optional<Instant> Holder::next_deadline() const {
    std::optional<Instant> next;
    const auto sooner = [&](Instant at) { next = next ? std::min(*next, at) : at; };
    for (const auto& [address, entry] : entries_) {
        const bool here = place_of(address, kNowhere) != kNowhere;
        if (entry.want == Want::Undecided) sooner(entry.decide_by);
        if (entry.announce_from) sooner(*entry.announce_from + kAnnounceAfter[entry.announced]);
        if (entry.want == Want::NotHere && here) sooner(entry.try_after);
        if (entry.want == Want::Here && !here && link_for(entry.vip) != kNowhere)
            sooner(entry.try_after);
    }
    return next;
}

std::vector<std::pair<Ipv4, int>> Holder::held() const {
    std::vector<std::pair<Ipv4, int>> all;
    for (const auto& [address, entry] : entries_) {
        const int place = place_of(address, kNowhere);
        if (entry.want == Want::Here && place != kNowhere) all.emplace_back(address, place);
    }
    return all;
}

}  // namespace ha::vip
