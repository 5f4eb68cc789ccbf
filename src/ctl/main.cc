#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <iostream>
#include <string_view>

#include "base/nearest.h"
#include "ctl/verbs.h"

// The words on the command line. What each verb does is in verb_*.cc.

namespace ha::ctl {
namespace {

constexpr const char* kExitCodes =
    "Exit codes:\n"
    "  0  done\n"
    "  1  refused or failed; nothing was changed\n"
    "  2  the command line is wrong\n"
    "  3  the cluster daemon of this node does not answer\n"
    "  4  not complete in time; the order was taken and goes on\n"
    "  5  the order was taken but ended blocked or undone; the text says what is needed\n";

void module(CLI::App& app, Options& options, bool required = true) {
    app.add_option("MODULE", options.module, "Name of the module")->required(required);
}

void waiting(CLI::App& app, Options& options, const char* of = "With --wait") {
    app.add_flag("--wait", options.wait, "Return when it is complete, not when it has begun");
    app.add_option("--timeout", options.timeout_s, std::string(of) + ": at most so many seconds")
        ->check(CLI::Range(1, 86400))
        ->capture_default_str();
}

void status_words(CLI::App& app, Options& options) {
    module(app, options, false);
    app.add_flag("--watch", options.watch, "Go on, and show every change");
    app.add_flag("--json", options.json, "One JSON object a line, for programs");
}

void start_words(CLI::App& app, Options& options) {
    module(app, options);
    app.add_flag("--as-source", options.as_source,
                 "This node's data is the right one: once, when the module is new");
    auto* force = app.add_flag("--force", options.force,
                               "This node's data, whatever the module knows of the other's: shows "
                               "what that is, and asks");
    force->excludes("--as-source");
    app.add_flag("--yes", options.yes, "With --force: do not ask")->needs(force);
    waiting(app, options);
}

void stop_words(CLI::App& app, Options& options) {
    module(app, options);
    app.add_flag("--all", options.all, "On both nodes, so that nobody takes over");
    waiting(app, options);
}

void swap_words(CLI::App& app, Options& options) {
    module(app, options);
    app.add_option("--to", options.to,
                   "The node that shall be primary; if it is, nothing is done, and that is success")
        ->check([](const std::string& node) {
            return node.empty() ? std::string("the name of a node is missing") : std::string();
        });
    app.add_flag("--when-synced", options.when_synced,
                 "Wait until both nodes are in sync and ready, then exchange the roles");
    waiting(app, options, "With --wait or --when-synced, for both together");
}

void restart_words(CLI::App& app, Options& options) {
    module(app, options);
    waiting(app, options);
}

void module_words(CLI::App& app, Options& options) {
    module(app, options);
}

void any_module_words(CLI::App& app, Options& options) {
    module(app, options, false);
}

void apply_words(CLI::App& app, Options& options) {
    app.add_option("FILE", options.file, "The YAML file of a module, - for standard input")
        ->required();
    app.add_flag("--dry-run", options.dry_run, "Check it on both nodes and show the plan only");
    app.add_flag("--without-peer", options.without_peer,
                 "On this node alone, while the other is away; there it is given again");
}

void events_words(CLI::App& app, Options& options) {
    module(app, options, false);
    app.add_option("-n,--lines", options.count, "The newest so many")
        ->check(CLI::Range(1, 1'000'000))
        ->capture_default_str();
    app.add_flag("-f,--follow", options.follow, "Go on with those that come");
    app.add_flag("--json", options.json, "One JSON object a line, for programs");
}

void logs_words(CLI::App& app, Options& options) {
    module(app, options);
    app.add_option("-n,--lines", options.lines,
                   "The newest so many (default: 100, or all with --since)")
        ->check(CLI::Range(1, 1'000'000));
    app.add_flag("-f,--follow", options.follow, "Go on with those that come");
    app.add_option("--since", options.since,
                   "From this time on, as journalctl(1) reads it: -1h, yesterday, 14:30");
}

void no_words(CLI::App&, Options&) {}

void json_words(CLI::App& app, Options& options) {
    app.add_flag("--json", options.json, "One JSON object, for programs");
}

void port(CLI::App& app, int& number, const char* whose) {
    app.add_option("--port", number, whose)->check(CLI::Range(1, 65535))->capture_default_str();
}

void node_words(CLI::App& app, Options& options) {
    app.add_option("--name", options.name, "Name of this server in the pair (default: host name)");
    app.add_option("--address", options.addresses,
                   "Address of this server on a network between the two; one --address for each "
                   "network, in the same order on both servers");
}

void init_words(CLI::App& app, Options& options) {
    node_words(app, options);
    port(app, options.port, "TCP and UDP port of the cluster daemons");
}

void pair_words(CLI::App& app, Options& options) {
    app.add_option("HOST", options.host, "The server where 'cluster init' was run")->required();
    node_words(app, options);
    port(app, options.port, "Port of the cluster daemon there");
}

void witness_words(CLI::App& app, Options& options) {
    auto* host = app.add_option("HOST", options.host, "The machine where hamirror-witness runs");
    port(app, options.witness_port, "TCP port of the witness there");
    auto* etcd =
        app.add_option("--etcd", options.etcd.endpoints,
                       "Instead: an etcd, by HOST:PORT of each member, with commas between")
            ->delimiter(',')
            ->excludes(host);
    auto file = [&](const char* word, std::string& into, const char* what) {
        app.add_option(word, into, what)->needs(etcd);
    };
    file("--ca", options.etcd.ca,
         "Of an etcd: who signed its certificates (default: the system's)");
    file("--cert", options.etcd.certificate, "Of an etcd: the client certificate for it");
    file("--key", options.etcd.key, "Of an etcd: the key of that certificate");
    file("--user", options.etcd.user, "Of an etcd: the user there");
    file("--password-file", options.etcd.password_file, "Of an etcd: file with its password");
    file("--prefix", options.etcd.prefix, "Of an etcd: of the keys there (default: /hamirror)");
    app.parse_complete_callback([host, etcd] {
        if (host->empty() && etcd->empty()) throw CLI::RequiredError("HOST or --etcd");
    });
}

struct Verb {
    const char* name;
    const char* summary;
    const char* examples;
    void (*words)(CLI::App&, Options&);
    Outcome<> (*run)(const Options&);
};

constexpr std::array kVerbs{
    Verb{"status", "Who is primary, is it safe, since when, and what is needed",
         "hamirrorctl status\nhamirrorctl status postgresql --watch\nhamirrorctl status --json",
         status_words, run_status},
    Verb{"start", "Start a module on this node",
         "hamirrorctl start postgresql --as-source   # once, where the good data is\n"
         "hamirrorctl start postgresql --wait\n"
         "hamirrorctl start postgresql --force       # shows what would be given up, and asks",
         start_words, run_start},
    Verb{"stop", "Stop a module on this node; the other takes over if it can",
         "hamirrorctl stop postgresql --wait\nhamirrorctl stop postgresql --all", stop_words,
         run_stop},
    Verb{"swap", "Primary and secondary exchange their roles",
         "hamirrorctl swap postgresql --wait --timeout 60\n"
         "hamirrorctl swap postgresql --to node2 --wait\n"
         "hamirrorctl swap postgresql --when-synced --timeout 3600",
         swap_words, run_swap},
    Verb{"restart", "Restart the application where it is served; the roles stay",
         "hamirrorctl restart postgresql --wait", restart_words, run_restart},
    Verb{"enable", "Start a module when this node boots; changes nothing now",
         "hamirrorctl enable postgresql", module_words, run_enable},
    Verb{"disable", "Do not start a module when this node boots; changes nothing now",
         "hamirrorctl disable postgresql", module_words, run_disable},
    Verb{"apply", "Check a configuration on both nodes and put it in force",
         "hamirrorctl apply postgresql.yaml --dry-run\nhamirrorctl apply postgresql.yaml",
         apply_words, run_apply},
    Verb{"events", "What happened on this node",
         "hamirrorctl events postgresql -n 50\nhamirrorctl events --follow", events_words,
         run_events},
    Verb{"logs", "The journal of a module's units, mirror and daemons on this node",
         "hamirrorctl logs postgresql -f\nhamirrorctl logs postgresql --since -1h\n"
         "hamirrorctl logs postgresql -n 1000 --since 'yesterday 22:00'",
         logs_words, run_logs},
    Verb{"version", "The version of this program", "hamirrorctl version", no_words, run_version}};

constexpr std::array kClusterVerbs{
    Verb{"init", "First server: make this node's key and a token for the other",
         "hamirrorctl cluster init --address 192.0.2.1\n"
         "hamirrorctl cluster init --name node1 --address 192.0.2.1 --address 198.51.100.1",
         init_words, run_cluster_init},
    Verb{"token", "First server: another token, when the first was used up or is too old",
         "hamirrorctl cluster token", no_words, run_cluster_token},
    Verb{"pair", "Second server: exchange keys with the first; asks for the token",
         "hamirrorctl cluster pair 192.0.2.1 --address 192.0.2.2\n"
         "hamirrorctl cluster pair node1 --name node2 --address 192.0.2.2 < token",
         pair_words, run_cluster_pair},
    Verb{"status", "The pair, its networks and its witness", "hamirrorctl cluster status",
         json_words, run_cluster_status}};

constexpr std::array kWitnessVerbs{
    Verb{"add", "Make the pair known to a witness, or an etcd one, and record it on both nodes",
         "hamirrorctl witness add 203.0.113.5\n"
         "hamirrorctl witness add witness.example.org --port 7401 < token\n"
         "hamirrorctl witness add --etcd etcd1:2379,etcd2:2379,etcd3:2379 \\\n"
         "    --ca /etc/hamirror/etcd/ca.pem --user hamirror \\\n"
         "    --password-file /etc/hamirror/etcd/password",
         witness_words, run_witness_add},
    Verb{"remove", "The pair has no witness any more", "hamirrorctl witness remove", no_words,
         run_witness_remove}};

constexpr std::array kFailoverVerbs{
    Verb{"on", "A node takes over without a person", "hamirrorctl failover on postgresql",
         any_module_words, run_failover_on},
    Verb{"off", "Whoever is lost, nobody takes over until a person does",
         "hamirrorctl failover off postgresql\nhamirrorctl failover off    # of all modules",
         any_module_words, run_failover_off}};

std::string footer(const Verb& verb) {
    std::string text = "Examples:\n";
    std::istringstream lines(verb.examples);
    for (std::string line; std::getline(lines, line);) text += "  " + line + "\n";
    return text + "\n" + kExitCodes;
}

template <typename Verbs>
void add(CLI::App& parent, const Verbs& verbs, Options& options, const Verb*& chosen) {
    for (const Verb& verb : verbs) {
        auto* app = parent.add_subcommand(verb.name, verb.summary);
        app->footer(footer(verb));
        verb.words(*app, options);
        app->final_callback([&verb, &chosen] { chosen = &verb; });
    }
}

/// Says so if `word` is where a verb should be and is none.
template <typename Verbs>
bool is_unknown(const char* word, const std::string& before, const Verbs& verbs,
                std::vector<std::string> names) {
    if (word == nullptr || *word == '-') return false;
    for (const Verb& verb : verbs) names.emplace_back(verb.name);
    if (std::ranges::find(names, word) != names.end()) return false;
    const auto meant = nearest(word, names);
    std::cerr << "hamirrorctl: there is no verb '" << before << word << "'"
              << (meant.empty() ? "" : "; did you mean '" + before + meant + "'?") << "\n"
              << "hamirrorctl " << before << "--help lists them.\n";
    return true;
}

bool is_mistyped(int argc, char** argv) {
    if (argc > 1 && is_unknown(argv[1], "", kVerbs, {"cluster", "witness", "failover"}))
        return true;
    if (argc < 3) return false;
    const std::string_view group = argv[1];
    return (group == "cluster" && is_unknown(argv[2], "cluster ", kClusterVerbs, {})) ||
           (group == "witness" && is_unknown(argv[2], "witness ", kWitnessVerbs, {})) ||
           (group == "failover" && is_unknown(argv[2], "failover ", kFailoverVerbs, {}));
}

int run(const Verb& verb, const Options& options) {
    auto result = verb.run(options);
    if (result) return static_cast<int>(Exit::Done);
    std::cout.flush();
    std::string text = result.error().text;
    if (!text.empty() && text.back() == '\n') text.pop_back();
    std::cerr << "hamirrorctl: " << text << "\n";
    return static_cast<int>(result.error().exit);
}

int parse_and_run(int argc, char** argv) {
    Options options;
    const Verb* chosen = nullptr;
    CLI::App app("Two servers that stand in for each other", "hamirrorctl");
    app.require_subcommand(1);
    app.footer(kExitCodes + std::string("\nhamirrorctl VERB --help; man hamirrorctl"));
    app.set_version_flag("--version", std::string("hamirrorctl ") + HAMIRROR_VERSION);
    const auto group = [&app](const char* name, const char* summary) {
        auto* made = app.add_subcommand(name, summary);
        made->require_subcommand(1);
        made->footer(kExitCodes);
        return made;
    };
    auto* cluster = group("cluster", "Pair the two servers");
    auto* witness = group("witness", "The third machine that keeps the registers");
    auto* failover = group("failover", "Whether a node takes over without a person");
    add(app, kVerbs, options, chosen);
    add(*cluster, kClusterVerbs, options, chosen);
    add(*witness, kWitnessVerbs, options, chosen);
    add(*failover, kFailoverVerbs, options, chosen);
    if (is_mistyped(argc, argv)) return static_cast<int>(Exit::Usage);
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? 0 : static_cast<int>(Exit::Usage);
    }
    return run(*chosen, options);
}

}  // namespace

Outcome<> run_version(const Options&) {
    std::cout << "hamirrorctl " << HAMIRROR_VERSION << "\n";
    return {};
}

}  // namespace ha::ctl

int main(int argc, char** argv) {
    try {
        return ha::ctl::parse_and_run(argc, argv);
    } catch (const std::exception& error) {
        std::cerr << "hamirrorctl: " << error.what() << "\n";
        return static_cast<int>(ha::ctl::Exit::Refused);
    }
}
