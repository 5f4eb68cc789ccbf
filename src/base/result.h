#pragma once

#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace ha {

/// An expected failure. `code` is an errno value where a system call failed and 0 where the failure
/// has none; `text` is a whole sentence for the administrator: what failed, on what, what to do.
struct [[nodiscard]] Error {
    std::string text;
    int code = 0;
};

template <typename T = void>
using Result = tl::expected<T, Error>;

inline tl::unexpected<Error> fail(std::string text, int code = 0) {
    return tl::unexpected<Error>(Error{std::move(text), code});
}

}  // namespace ha
