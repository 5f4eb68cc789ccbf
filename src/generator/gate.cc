// The gate (hamirror-gate(8)), ExecCondition= of every gated service: may it start here, now?
//   0    this node serves the module: ha-watchdog's marker is there
//   1    no, and the system is only booting or stopping: systemd skips the unit, nothing is red
//   255  no, and somebody asked for it: the start fails
// When in doubt the answer is no. The reason is in the unit's journal, at a level at which
// journalctl and systemctl status set it off from systemd's own words around it.
#include <sys/stat.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>

#include "io/gate_file.h"
#include "io/systemd.h"

namespace {

constexpr int kServed = 0;
constexpr int kSkip = 1;
constexpr int kRefused = 255;

bool exists(const std::string& path) {
    struct stat found {};
    return ::stat(path.c_str(), &found) == 0;
}

bool passing_through() {
    using namespace std::chrono_literals;
    auto bus = ha::io::open_systemd(2s);
    if (!bus) return true;
    auto state = ha::io::system_state(bus->get());
    return !state || *state == "initializing" || *state == "starting" || *state == "stopping";
}

// The first line of the module's status, which ha-clusterd keeps there.
std::string reason(const std::string& module) {
    std::ifstream in("/run/hamirror/status/" + module);
    std::string line;
    if (std::getline(in, line) && !line.empty()) return line;
    return "ha-clusterd has not said where it is served; see 'hamirrorctl status " + module + "'";
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2 || !ha::io::is_module_name(argv[1])) {
        std::fputs("usage: gate MODULE\n", stderr);
        return kRefused;
    }
    const std::string module = argv[1];
    if (exists("/run/hamirror/primary/" + module)) return kServed;
    const bool skip = passing_through();
    const char* level = std::getenv("JOURNAL_STREAM") == nullptr ? "" : skip ? "<5>" : "<4>";
    std::fprintf(stderr,
                 "%sNot started: it belongs to hamirror module %s, which this node does not serve: "
                 "%s\n",
                 level, module.c_str(), reason(module).c_str());
    return skip ? kSkip : kRefused;
}
