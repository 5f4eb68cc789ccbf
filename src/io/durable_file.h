#pragma once

#include <sys/types.h>

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"

namespace ha::io {

/// Small state files that survive a power loss at any moment: a reader sees the old content or the
/// new one, whole. In front of the content stand a magic word, its length and an XXH3-64 checksum
/// of both (docs/formats.md, "Durable file"), so damage is an error and never looks like "no file".
///
/// One writer per path: the temporary file is `path` + ".new"; one that a crash left is
/// overwritten.

/// When it returns success the content is on disk under `path` (temporary file, fsync, rename,
/// fsync of the directory). After a failure the old content or the new one is there: the caller may
/// only go on with what read_durable() says. Mode 0600.
Result<> write_durable(const std::string& path, std::span<const std::byte> content);

/// nullopt: there is no such file. An error: it cannot be read, is damaged, or is longer than
/// `limit` bytes.
Result<std::optional<std::vector<std::byte>>> read_durable(const std::string& path,
                                                           std::size_t limit);

/// What read_durable() gave is durable when this returns success. A writer that crashed between
/// rename and fsync left what a power loss takes back: whoever acts on what it read calls this
/// first.
Result<> settle_durable(const std::string& path);

/// Makes the directory `path` and the missing ones above it; all their names are durable when it
/// returns success, also those an earlier call made before a crash.
Result<> make_directories_durable(const std::string& path, mode_t mode);

/// fsync(2) of the directory `path`, so that the names in it are durable.
Result<> sync_directory(const std::string& path);

}  // namespace ha::io
