#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>

#include "base/result.h"

namespace ha::io {

/// Plain text that people or other programs read too (YAML, PEM), replaced whole and durably: when
/// it returns success the new text is on disk. A reader sees the old or the new one, never a part.
Result<> write_text_durable(const std::string& path, std::string_view text, mode_t mode);

/// Makes a directory and its parents. The mode is for the last one if it was not there.
Result<> make_directory(const std::string& path, mode_t mode);

}  // namespace ha::io
