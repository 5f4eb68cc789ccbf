#pragma once

#include <deque>
#include <stdexcept>
#include <string>

#include "scheduler.h"

namespace ha::sim {

/// An invariant does not hold. Ends the run of a seed.
class Violation : public std::runtime_error {
  public:
    Violation(const std::string& name, const std::string& text)
        : std::runtime_error(name + ": " + text) {}
};

template <typename Text>
void check(bool holds, const char* invariant, const Text& text) {
    if (!holds) throw Violation(invariant, text);
}

/// The last lines of what happened; kept only in the run that is to be printed.
class Trace {
  public:
    explicit Trace(std::size_t lines) : lines_(lines) {}
    [[nodiscard]] bool on() const { return lines_ != 0; }
    void add(Time now, const std::string& line);
    [[nodiscard]] const std::deque<std::string>& lines() const { return kept_; }

  private:
    std::size_t lines_;
    std::deque<std::string> kept_;
};

}  // namespace ha::sim
