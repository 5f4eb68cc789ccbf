#include "watchdog/groups.h"

#include <sys/inotify.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "io/clock.h"
#include "io/unit_group.h"

namespace ha::watchdog {
namespace {

// The kernel tells a second change within 10 ms only after these 10 ms, and not at all if systemd
// has removed the group by then: while processes are left, events are not all there is.
constexpr auto kLookAgain = 10ms;

}  // namespace

bool Groups::kill(const std::string& unit) {
    auto& group = groups_[unit];
    if (!group) {
        group = std::make_unique<Group>();
        group->owner = this;
        group->unit = unit;
    }
    const auto path = io::find_unit_group(unit);
    group->source.reset();  // it may be another one of the same name
    group->path = path;
    bool any = false;
    if (!path.empty()) {
        any = io::group_populated(path).value_or(true);
        if (auto killed = io::kill_group(path); !killed)
            callbacks_.on_trouble(unit, killed.error().text);
        watch(*group);
    }
    group->populated = true;
    look_soon(unit);
    return any;
}

void Groups::watch(Group& group) {
    if (group.source) return;
    sd_event_source* source = nullptr;
    const auto path = group.path + "/cgroup.events";
    const int code = sd_event_add_inotify(loop_.raw(), &source, path.c_str(),
                                          IN_MODIFY | IN_DELETE_SELF, &Groups::on_change, &group);
    if (code >= 0) group.source.reset(source);
    if (code < 0 && code != -ENOENT)
        callbacks_.on_trouble(group.unit, "cannot watch " + path + ": " + std::strerror(-code));
}

int Groups::on_change(sd_event_source*, const inotify_event*, void* group) noexcept {
    auto& changed = *static_cast<Group*>(group);
    changed.owner->look_soon(changed.unit);
    return 0;
}

// The watch was set first, so that a change after this look is told by an event.
void Groups::look_soon(const std::string& unit) {
    loop_.post([this, unit, alive = std::weak_ptr<bool>(alive_)] {
        if (alive.expired()) return;
        auto at = groups_.find(unit);
        if (at != groups_.end()) look(*at->second);
    });
}

bool Groups::any_left() const {
    return std::any_of(groups_.begin(), groups_.end(), [](const auto& it) {
        const auto& path = it.second->path;
        return !path.empty() && io::group_populated(path).value_or(true);
    });
}

void Groups::look_at_all() {
    for (const auto& [unit, group] : groups_) look_soon(unit);
}

void Groups::look(Group& group) {
    const auto unit = group.unit;
    auto populated = group.path.empty() ? Result<bool>(false) : io::group_populated(group.path);
    if (!populated) {
        callbacks_.on_trouble(unit, populated.error().text);
        return;
    }
    if (*populated && !look_again_.armed())
        look_again_.arm(io::boot_now() + kLookAgain, [this] { look_at_all(); });
    if (*populated == group.populated) return;
    group.populated = *populated;
    if (*populated)
        callbacks_.on_populated(unit);
    else
        callbacks_.on_emptied(unit);
}

}  // namespace ha::watchdog
