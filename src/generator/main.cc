// hamirror-generator(8), a systemd.generator(7): runs before any unit, at boot and at every
// daemon-reload, with nothing else of the system there. It reads the gate files and writes one
// drop-in for each unit of a module. It carries on past every failure: a unit it can gate is gated.
#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>

#include "generator/drop_in.h"
#include "io/fd.h"

namespace {

namespace fs = std::filesystem;

// The journal is not there yet; the kernel's log is.
void say(const std::string& text) {
    const auto line = "<4>hamirror-generator: " + text + "\n";
    ha::io::Fd kernel(::open("/dev/kmsg", O_WRONLY | O_CLOEXEC | O_NOCTTY));
    if (kernel && ::write(kernel.get(), line.data(), line.size()) > 0) return;
    std::fputs(line.c_str() + 3, stderr);
}

bool write_drop_in(const std::string& directory, const std::string& unit, const std::string& text) {
    const auto folder = directory + "/" + unit + ".d";
    std::error_code error;
    fs::create_directories(folder, error);
    std::ofstream out(folder + "/" + ha::generator::kDropInName, std::ios::trunc);
    out << text;
    out.flush();
    if (!error && out) return true;
    say("cannot write the gate of " + unit + " into " + folder + "; it could start on both nodes");
    return false;
}

}  // namespace

int main(int argc, char** argv) {
    // normal-dir, early-dir, late-dir: what is in early-dir cannot be overridden by a file of the
    // same name in /etc.
    if (argc != 4 && argc != 2) {
        std::fputs("usage: hamirror-generator NORMAL-DIR EARLY-DIR LATE-DIR (systemd calls it)\n",
                   stderr);
        return 2;
    }
    const std::string directory = argv[argc == 4 ? 2 : 1];
    const char* gates = std::getenv("HAMIRROR_GATE_DIRECTORY");
    auto found = ha::io::read_gates(gates != nullptr ? gates : ha::io::kGateDirectory);
    if (!found) {
        say(found.error().text + "; no unit is gated");
        return 1;
    }
    for (const auto& finding : *found) {
        if (!finding.warning.empty()) say(finding.warning);
    }
    bool sound = true;
    for (const auto& [unit, text] : ha::generator::drop_ins(*found))
        sound = write_drop_in(directory, unit, text) && sound;
    return sound ? 0 : 1;
}
