#include <unistd.h>

#include <ctime>
#include <iostream>
#include <nlohmann/json.hpp>

#include "ctl/journal.h"
#include "ctl/status_text.h"
#include "ctl/verbs.h"
#include "io/yaml_config.h"

namespace ha::ctl {
namespace {

constexpr std::size_t kModuleColumn = 20;
constexpr std::size_t kTextColumn = 34;

std::string row(const std::string& when, const std::string& module, const std::string& text) {
    std::string head = when + " " + module;
    head.resize(std::max(head.size() + 1, kTextColumn), ' ');
    return wrap(head + text, kTextColumn, 0) + "\n";
}

std::string local_time(std::uint64_t unix_us) {
    const auto seconds = static_cast<std::time_t>(unix_us / 1'000'000);
    std::tm local{};
    localtime_r(&seconds, &local);
    char text[kModuleColumn];
    return {text, std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &local)};
}

std::string json_line(const JournalEvent& event) {
    const nlohmann::ordered_json json = {{"at_unix_us", event.at_unix_us},
                                         {"module", event.module},
                                         {"message_id", event.message_id},
                                         {"priority", event.priority},
                                         {"text", event.text}};
    return json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

/// No event was shown: an error, unless there is none and might be.
Outcome<> explain_nothing(const std::string& module) {
    auto readable = EventJournal::readable();
    if (!readable) return failed(Exit::Refused, readable.error().text);
    if (!*readable && geteuid() != 0) {
        return failed(Exit::Refused,
                      "You may not read the system's journal: repeat it with sudo, or join the "
                      "group systemd-journal.");
    }
    const auto file = std::string(io::kConfigDirectory) + "/modules/" + module + ".yaml";
    if (module.empty() || access(file.c_str(), F_OK) == 0) return {};
    return failed(Exit::Refused, "There is no module " + module +
                                     " on this node, and its journal has nothing of one; "
                                     "`hamirrorctl status` lists them.");
}

}  // namespace

Outcome<> run_events(const Options& options) {
    auto journal = EventJournal::open(options.module);
    if (!journal) return failed(Exit::Refused, journal.error().text);
    std::uint64_t shown = 0;
    const auto show = [&](const JournalEvent& event) {
        if (shown++ == 0 && !options.json)
            std::cout << row("TIME               ", "MODULE", "WHAT");
        std::cout << (options.json
                          ? json_line(event)
                          : row(local_time(event.at_unix_us),
                                event.module.empty() ? "-" : event.module, text_alone(event)));
        std::cout.flush();
        return static_cast<bool>(std::cout);
    };
    auto listed = journal->newest(static_cast<std::uint64_t>(options.count), show);
    if (!listed) return failed(Exit::Refused, listed.error().text);
    if (shown == 0) {
        if (auto known = explain_nothing(options.module); !known) return known;
        if (!options.json) std::cerr << "No events.\n";
    }
    if (!options.follow) return {};
    auto followed = journal->follow(show);
    if (!followed) return failed(Exit::Refused, followed.error().text);
    return {};
}

}  // namespace ha::ctl
