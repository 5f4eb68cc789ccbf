#include "ctl/journalctl.h"

#include "core/config/values.h"

namespace ha::ctl {
namespace {

constexpr int kNewest = 100;
// SD_MESSAGE_COREDUMP of sd-messages(3).
constexpr const char* kCoredump = "MESSAGE_ID=fc2e22bc6ee647b6b90729ab34a250b1";

using Words = std::vector<std::string>;

Words options(const LogsWanted& wanted) {
    Words words;
    if (wanted.follow) words.emplace_back("--follow");
    if (!wanted.since.empty()) words.push_back("--since=" + wanted.since);
    const int lines = wanted.lines == 0 && wanted.since.empty() ? kNewest : wanted.lines;
    if (lines != 0) words.push_back("--lines=" + std::to_string(lines));
    return words;
}

/// Matches of one field are alternatives, different fields must all match, and + is "or".
void either(Words& words, const Words& all, const char* field, const Words& units) {
    words.insert(words.end(), all.begin(), all.end());
    for (const auto& unit : units) words.push_back(field + unit);
    words.emplace_back("+");
}

}  // namespace

Result<std::vector<std::string>> journalctl_words(const LogsWanted& wanted) {
    if (!config::valid_module_name(wanted.module)) {
        return fail("'" + wanted.module + "' is not the name of a module.");
    }
    Words units = wanted.units;
    for (const auto& unit : units) {
        if (!config::valid_unit_name(unit)) return fail("'" + unit + "' is not a unit's name.");
    }
    units.push_back("ha-primary@" + wanted.module + ".target");
    units.push_back("ha-replicatord@" + wanted.module + ".service");
    Words words = options(wanted);
    either(words, {}, "_SYSTEMD_UNIT=", units);
    // Everybody may write the other fields; who wrote them is the journal's own word.
    either(words, {"_PID=1"}, "UNIT=", units);
    either(words, {"_UID=0"}, "OBJECT_SYSTEMD_UNIT=", units);
    either(words, {"_UID=0", kCoredump}, "COREDUMP_UNIT=", units);
    words.insert(words.end(), {"_UID=0", "HAMIRROR_MODULE=" + wanted.module});
    return words;
}

}  // namespace ha::ctl
