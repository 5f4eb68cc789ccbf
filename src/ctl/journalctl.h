#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace ha::ctl {

struct LogsWanted {
    std::string module;
    std::vector<std::string> units;  // of the module, as its file names them
    bool follow = false;
    int lines = 0;      // 0: not said
    std::string since;  // as journalctl(1) reads it; empty: not said
};

/// The words after "journalctl" that show what belongs to a module on this node: what its units
/// and its mirror wrote, what systemd and other root services said about them
/// (journalctl(1), --unit), and what our daemons said with HAMIRROR_MODULE=. Error: a name is none,
/// so nothing that is given here can be read as an option or as a match of its own.
Result<std::vector<std::string>> journalctl_words(const LogsWanted& wanted);

}  // namespace ha::ctl
