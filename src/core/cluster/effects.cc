#include "core/cluster/effects.h"

#include <algorithm>

namespace ha::cluster {
namespace {

template <typename... Types>
bool one_of(const Effect& effect) {
    return (std::holds_alternative<Types>(effect) || ...);
}

bool gives_up(const Effect& effect) {
    return one_of<DropAddresses, KillUnits, FailHeld>(effect);
}

bool void_after_giving_up(const Effect& effect) {
    return !one_of<Persist, AskWitness, SendReport, OpenMirror, CloseMirror, Refuse, Tell>(effect);
}

}  // namespace

std::vector<Effect> enqueue(std::deque<Effect>& queue, std::vector<Effect> fresh) {
    std::vector<Effect> urgent;
    bool demotes = std::any_of(fresh.begin(), fresh.end(), [](const Effect& effect) {
        return std::holds_alternative<KillUnits>(effect);
    });
    if (demotes) std::erase_if(queue, void_after_giving_up);
    for (Effect& effect : fresh) {
        if (demotes && gives_up(effect)) {
            urgent.push_back(std::move(effect));
        } else {
            queue.push_back(std::move(effect));
        }
    }
    return urgent;
}

bool persists(const std::deque<Effect>& queue) {
    return std::any_of(queue.begin(), queue.end(), one_of<Persist>);
}

void forget_asked(std::deque<Effect>& queue) {
    std::erase_if(queue, one_of<AskWitness>);
}

}  // namespace ha::cluster
