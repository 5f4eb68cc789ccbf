// The way of a record to the disk, as clusterd/record_store and io/durable_file go it, and what
// stops it there.

#include <utility>

#include "clusterd_model.h"
#include "host.h"
#include "world.h"

namespace ha::sim {

using namespace cluster;

void ClusterdModel::execute_persist(const Record& record) {
    World& world = host_.world;
    bool slow = world.random.chance(world.weather.slow_disk);
    Duration takes = slow ? world.random.between(10ms, 2500ms) : world.random.between(200us, 8ms);
    persisting_ = record;
    ++writes_;
    world.invariants.decides(host_, record);
    interrupt(false);
    world.scheduler.after(takes, host_.owner(), [this, takes, process = process_] {
        if (process == process_) write_record(false, takes / 4);
    });
}

void ClusterdModel::write_record(bool renamed, Duration rest) {
    if (!renamed && !host_.record_fits()) return abort_full();
    if (!renamed) {
        host_.record_file.renamed = persisting_;
        interrupt(true);
        return host_.world.scheduler.after(rest, host_.owner(), [this, process = process_] {
            if (process == process_) write_record(true, {});
        });
    }
    host_.settle_record();
    persisting_.reset();
    run();
    update_lease();
    host_.world.stepped(host_);
}

/// What is not durable may not be acted on; systemd starts it again, and it tries again.
void ClusterdModel::abort_full() {
    World& world = host_.world;
    world.say(host_, [] { return "## its record cannot be written: clusterd ends"; });
    ++world.totals.crashes;
    crash();
    host_.later(world.random.between(100ms, 200ms), [this] {
        start();
        mirror_connected();
    });
}

void ClusterdModel::interrupt_write(bool renamed, std::function<void()> how) {
    interruptions_[renamed ? 1 : 0] = std::move(how);
}

/// Soon, in this very write.
void ClusterdModel::interrupt(bool renamed) {
    auto how = std::exchange(interruptions_[renamed ? 1 : 0], nullptr);
    if (!how) return;
    auto still = [this, write = writes_, process = process_, renamed] {
        const bool is = host_.record_file.renamed == persisting_;
        return process == process_ && write == writes_ && persisting_ && is == renamed;
    };
    host_.world.scheduler.after(1us, host_.owner(), [how = std::move(how), still] {
        if (still()) how();
    });
}

}  // namespace ha::sim
