#pragma once

#include <string>

namespace ha::sim {

/// 2-safety, "Heartbeats and mirror can disagree": what each node of a healthy pair does when what
/// is between them, and between them and the witness, passes or not. Plays every cell with several
/// seeds and holds it against the table in matrix.cc; then all is mended, and they must be a pair
/// again. The table in Markdown, as docs/safety.md has it; `good` becomes false if a cell is not as
/// expected.
std::string play_matrix(bool& good);

}  // namespace ha::sim
