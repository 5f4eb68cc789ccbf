#include <iostream>
#include <iterator>

#include "ctl/daemon.h"
#include "ctl/verbs.h"
#include "io/yaml_config.h"

namespace ha::ctl {
namespace {

Outcome<std::string> read_input(const std::string& file) {
    if (file == "-") {
        std::string text{std::istreambuf_iterator<char>(std::cin), {}};
        if (text.size() <= io::kMaxConfigText) return text;
        return failed(Exit::Refused, "The configuration is longer than 1 MiB.");
    }
    auto text = io::read_config_text(file);
    if (!text) return failed(Exit::Refused, text.error().text);
    return *text;
}

}  // namespace

Outcome<> run_apply(const Options& options) {
    auto text = read_input(options.file);
    if (!text) return tl::unexpected(text.error());
    auto daemon = Daemon::connect();
    if (!daemon) return tl::unexpected(daemon.error());
    const std::string name = options.file == "-" ? "standard input" : options.file;
    auto plan = daemon->apply(*text, name, options.dry_run, options.without_peer);
    if (!plan) return tl::unexpected(plan.error());
    std::cout << *plan;
    if (!plan->empty() && plan->back() != '\n') std::cout << "\n";
    if (options.dry_run) std::cout << "Nothing was installed (--dry-run).\n";
    return {};
}

}  // namespace ha::ctl
