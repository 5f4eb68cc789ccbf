#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <iostream>

#include "ctl/daemon.h"
#include "ctl/journalctl.h"
#include "ctl/verbs.h"
#include "io/yaml_config.h"

// The journal of a module, by journalctl(1) in this program's place: paging, colours and
// permissions are as everybody knows them.

namespace ha::ctl {
namespace {

/// As this node's files name them; none: they cannot be read, or have no such module.
std::optional<std::vector<std::string>> units_by_file(const std::string& module) {
    const std::string directory = io::kConfigDirectory;
    const auto text = io::read_config_text(directory + "/cluster.yaml");
    if (!text) return std::nullopt;
    const auto cluster = io::parse_cluster(*text, "cluster.yaml");
    if (!cluster.value) return std::nullopt;
    const auto modules = io::load_modules(directory, *cluster.value);
    const auto found = std::ranges::find(*modules.value, module, &config::ModuleConfig::name);
    if (found == modules.value->end()) return std::nullopt;
    return found->units;
}

/// Also without the daemon: what it wrote last is then what is looked for.
Outcome<std::vector<std::string>> units_of(const std::string& module) {
    auto daemon = Daemon::connect();
    auto seen = daemon ? daemon->status() : tl::unexpected(daemon.error());
    if (!seen) {
        if (auto known = units_by_file(module)) return std::move(*known);
        return tl::unexpected(seen.error());
    }
    const auto* found = seen->status.find(module);
    if (found != nullptr) return found->units;
    return failed(Exit::Refused,
                  "There is no module " + module + "; `hamirrorctl status` lists them.");
}

Outcome<> become_journalctl(std::vector<std::string> words) {
    std::string name = "journalctl";
    std::vector<char*> pointers{name.data()};
    for (auto& word : words) pointers.push_back(word.data());
    pointers.push_back(nullptr);
    execvp(name.c_str(), pointers.data());
    return failed(Exit::Refused, std::string("journalctl cannot be run: ") + std::strerror(errno));
}

}  // namespace

Outcome<> run_logs(const Options& options) {
    auto units = units_of(options.module);
    if (!units) return tl::unexpected(units.error());
    auto words = journalctl_words(
        {options.module, std::move(*units), options.follow, options.lines, options.since});
    if (!words) return failed(Exit::Refused, words.error().text);
    return become_journalctl(std::move(*words));
}

}  // namespace ha::ctl
