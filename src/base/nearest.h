#pragma once

#include <string>
#include <vector>

namespace ha {

/// For "did you mean": the first of the `words` least edits away from `word`, at most two. Empty:
/// none is that near.
std::string nearest(const std::string& word, const std::vector<std::string>& words);

}  // namespace ha
