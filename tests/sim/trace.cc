#include "trace.h"

#include <array>
#include <cstdio>

namespace ha::sim {

void Trace::add(Time now, const std::string& line) {
    if (!on()) return;
    std::array<char, 32> time{};
    auto micros = std::chrono::duration_cast<std::chrono::microseconds>(now).count();
    std::snprintf(time.data(), time.size(), "%10.6f ", static_cast<double>(micros) / 1e6);
    kept_.push_back(time.data() + line);
    if (kept_.size() > lines_) kept_.pop_front();
}

}  // namespace ha::sim
