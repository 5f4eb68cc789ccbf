#include "core/vip/prober.h"

#include <algorithm>

namespace ha::vip {

void Prober::step(Instant now, const ProbeEvent& event, std::vector<ProbeEffect>& effects) {
    std::visit([&](const auto& it) { on(now, it, effects); }, event);
}

void Prober::on(Instant now, const ProbeOrdered& event, Effects& effects) {
    Probe probe;
    probe.order = event;
    probe.began = now;
    for (const auto& target : event.targets) probe.targets.push_back({target, false});
    probes_.erase(event.module);
    if (probe.targets.empty()) return report(probe, nullptr, effects);
    ask(probes_[event.module] = std::move(probe), effects);
}

void Prober::on(Instant, const ClaimHeard& event, Effects& effects) {
    for (auto at = probes_.begin(); at != probes_.end();) {
        const bool answered = answers(at->second, event);
        if (answered) report(at->second, &event, effects);
        at = answered ? probes_.erase(at) : std::next(at);
    }
}

/// It counts as asked if the last attempt left this node.
void Prober::on(Instant, const AskFailed& event, Effects&) {
    for (auto& [module, probe] : probes_) {
        for (auto& target : probe.targets) {
            if (target.at.index != event.index || target.at.address != event.address) continue;
            target.sent = false;
            auto& trouble = probe.order.trouble;
            const std::string text = event.address.text() + ": " + event.reason;
            if (trouble.find(text) == std::string::npos) {
                trouble += (trouble.empty() ? "" : "; ") + text;
            }
        }
    }
}

void Prober::on(Instant now, const ProbeTimePassed&, Effects& effects) {
    for (auto at = probes_.begin(); at != probes_.end();) {
        Probe& probe = at->second;
        const bool due = probe.asked < kProbeAfter.size();
        if (due && now >= probe.began + kProbeAfter.at(probe.asked)) ask(probe, effects);
        const bool over = probe.asked == kProbeAfter.size() && now >= probe.began + kProbeEnds;
        if (over) report(probe, nullptr, effects);
        at = over ? probes_.erase(at) : std::next(at);
    }
}

void Prober::ask(Probe& probe, Effects& effects) {
    ++probe.asked;
    for (auto& target : probe.targets) {
        target.sent = true;
        effects.push_back(Ask{target.at.index, target.at.address});
    }
}

void Prober::report(const Probe& probe, const ClaimHeard* answer, Effects& effects) {
    ReportProbed told{probe.order.module, probe.order.token, {}, {}, false, probe.order.trouble};
    told.asked = std::any_of(probe.targets.begin(), probe.targets.end(),
                             [](const Target& target) { return target.sent; });
    if (answer != nullptr) {
        told.asked = true;
        told.taken = answer->address;
        told.mac = answer->mac;
    }
    effects.push_back(std::move(told));
}

/// Two that ask at once and hear each other would both find nobody: the one with the lesser MAC
/// gives way.
bool Prober::answers(const Probe& probe, const ClaimHeard& claim) {
    const auto& ours = probe.order.ours;
    if (std::find(ours.begin(), ours.end(), claim.mac) != ours.end()) return false;
    return std::any_of(probe.targets.begin(), probe.targets.end(), [&](const Target& target) {
        const bool same = target.at.index == claim.index && target.at.address == claim.address;
        return same && (!claim.probes || target.at.mac < claim.mac);
    });
}

std::optional<Instant> Prober::next_deadline() const {
    std::optional<Instant> next;
    for (const auto& [module, probe] : probes_) {
        const bool asks = probe.asked < kProbeAfter.size();
        const Instant due = probe.began + (asks ? kProbeAfter.at(probe.asked) : kProbeEnds);
        next = next ? std::min(*next, due) : due;
    }
    return next;
}

bool Prober::listens(int index, std::optional<Ipv4> address) const {
    return std::any_of(probes_.begin(), probes_.end(), [&](const auto& it) {
        const auto& targets = it.second.targets;
        return std::any_of(targets.begin(), targets.end(), [&](const Target& target) {
            return target.at.index == index && (!address || target.at.address == *address);
        });
    });
}

}  // namespace ha::vip
