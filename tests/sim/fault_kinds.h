#pragma once

#include <functional>

#include "scheduler.h"

// The faults by what they hit; faults.cc chooses among them.

namespace ha::sim {

class Host;
class World;
using Fault = void (*)(World&);

Host& any_host(World& world);
/// Short ones often, long ones sometimes: the interesting times are those of the protocol.
Duration outage(World& world);
void later(World& world, Duration delay, std::function<void()> task);

/// Each comes back after an outage.
void end_clusterd(World& world, Host& host);
void end_mirror(World& world, Host& host);
void lose_power(World& world, Host& host);

// ---- disks (faults_disk.cc)

/// ha-clusterd or the power ends while a record is on its way to the disk.
void interrupt_record(World& world);
/// What the disk gives back of the record is not what was written; until somebody mends it.
void damage_record(World& world);

/// No room where the data is, or where the daemons keep their state; on one node or on both.
void fill_disk(World& world);

/// The disk under the directories of one node takes nothing for a while.
void freeze_disk(World& world);
/// The same of the node that serves, which hears nobody, then loses its ha-replicatord, is stopped
/// and loses power: what it wrote last was in the page cache alone.
void stop_frozen(World& world);
/// Keeps what a node's disk holds, or puts it back in a power loss of a healthy pair: the other
/// node knows of more than there is, and nothing else goes wrong until that one leads.
void put_disk_back(World& world);
/// A disk was put back, and what comes of it is not seen yet.
[[nodiscard]] bool disk_is_put_back(World& world);

/// Ends every one of them that has an end of its own.
void heal_disks(World& world);

// ---- the application and who holds it (faults_units.cc)

void break_unit(World& world);
/// Its processes are left by SIGKILL for a while.
void stick_unit(World& world);
/// The same of the node that serves, while the other one does not hear it.
void stick_unheard(World& world);
/// ha-watchdog or ha-vipd stands still; systemd replaces it in the end.
void hang_worker(World& world);
/// The same of ha-replicatord.
void hang_mirror(World& world);

void heal_units(World& world);

}  // namespace ha::sim
