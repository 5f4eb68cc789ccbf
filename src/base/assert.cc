#include "base/assert.h"

#include <cstdio>
#include <cstdlib>

namespace ha {

void assertion_failed(const char* expression, const char* file, int line) noexcept {
    std::fprintf(stderr, "<2>%s:%d: broken invariant: %s\n", file, line, expression);
    std::abort();
}

}  // namespace ha
