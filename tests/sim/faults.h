#pragma once

namespace ha::sim {

class World;

/// Something bad, or an operator's command, now; and the next one later.
void begin_faults(World& world);
/// Ends every fault that has an end of its own.
void heal(World& world);

}  // namespace ha::sim
