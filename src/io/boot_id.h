#pragma once

#include <string>

#include "base/id128.h"
#include "base/result.h"

namespace ha::io {

inline constexpr const char* kRunDirectory = "/run/hamirror";

/// The identity of this boot of this system: random, made by whoever asks first, kept in
/// DIRECTORY/boot-id, gone when the system stops because /run is. Not the kernel's boot_id, which
/// containers share with their host. All daemons of a node get the same one.
Result<Id128> boot_id(const std::string& directory = kRunDirectory);

/// From the kernel (getrandom(2)); never none.
Id128 random_id();

}  // namespace ha::io
